//! What broker this is, before anything is asked of it. Older ones take a queue's arguments and silently do without
//! what they mean, which would be found out when messages are lost.
//!
//! lapin keeps to itself what the broker says at the beginning, so it is asked on a short connection of its own:
//!
//! ```text
//! we: AMQP 0-9-1        broker: Connection.Start with its product and version (or the protocol that it speaks instead)
//! ```

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use lapin::protocol::{AMQPClass, connection, parse_class};
use lapin::tcp::AMQPUriTcpExt;
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::AMQPUri;
use tokio::time::timeout;

use super::BusError;

/// How long the broker may take for it.
const ANSWER: Duration = Duration::from_secs(10);
const PRODUCT: &str = "RabbitMQ";
/// Delivery limits are of 3.8; dead-lettering at least once came with 3.10, and is what everything dead relies on.
const OLDEST: (u32, u32) = (3, 10);

const GREETING: &[u8; 8] = b"AMQP\x00\x00\x09\x01";
const METHOD_FRAME: u8 = 1;
const FRAME_END: u8 = 0xCE;
/// Nothing may be longer before a connection is tuned; brokers send some 500 bytes.
const FRAME_MAX: u32 = 64 * 1024;

/// An error unless this is a broker that keeps what is asked of it.
pub(super) async fn probe(uri: &AMQPUri) -> Result<(), BusError> {
    let asked = timeout(ANSWER, start(uri)).await;
    let start = asked.unwrap_or_else(|_| {
        Err(BusError::Unreachable(format!("it did not say what it is within {} s", ANSWER.as_secs())))
    })?;
    let said = |name| text(&start.server_properties, name);
    let (product, version) = (said("product"), said("version"));
    if product == PRODUCT && numbers(&version).is_some_and(|version| version >= OLDEST) {
        tracing::debug!(broker.version = version, "the broker is one that will do");
        return Ok(());
    }
    Err(BusError::Unsuitable { found: format!("{product:?} of version {version:?}") })
}

async fn start(uri: &AMQPUri) -> Result<connection::Start, BusError> {
    // With TLS where the address says so, as lapin itself connects.
    let runtime = lapin::runtime::default_runtime()?;
    let mut stream = uri.connect_async(&runtime).await?;
    stream.write_all(GREETING).await?;
    stream.flush().await?;
    let mut header = [0; 7];
    stream.read_exact(&mut header).await?;
    let [kind, _, _, length @ ..] = header;
    let length = u32::from_be_bytes(length);
    if kind != METHOD_FRAME || length > FRAME_MAX {
        let found = if header.starts_with(b"AMQP") { "a broker without AMQP 0-9-1" } else { "no AMQP broker" };
        return Err(unsuitable(found));
    }
    let mut payload = vec![0; length as usize + 1];
    stream.read_exact(&mut payload).await?;
    if payload.pop() != Some(FRAME_END) {
        return Err(unsuitable("no AMQP broker"));
    }
    match parse_class(payload.as_slice()) {
        Ok((_, AMQPClass::Connection(connection::AMQPMethod::Start(start)))) => Ok(start),
        Ok(_) | Err(_) => Err(unsuitable("no AMQP broker")),
    }
}

impl From<std::io::Error> for BusError {
    fn from(error: std::io::Error) -> Self {
        Self::Unreachable(error.to_string())
    }
}

fn unsuitable(found: &str) -> BusError {
    BusError::Unsuitable { found: found.to_owned() }
}

fn text(properties: &FieldTable, name: &str) -> String {
    match properties.inner().get(name) {
        Some(AMQPValue::LongString(text)) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        Some(AMQPValue::ShortString(text)) => text.as_str().to_owned(),
        _ => String::new(),
    }
}

/// Major and minor of a version such as 3.13.7 or 4.1.0-rc.1.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
