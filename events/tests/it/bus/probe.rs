//! What stands at the other end is asked before anything is entrusted to it. The brokers that are not good enough are
//! played by a listener that says what they say.

use atelier_e2e::Broker;
use atelier_events::bus::{BusError, RabbitBus};
use atelier_events::settings::BusSettings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// What connecting to a server comes to that says this to whoever greets it, and then nothing more.
async fn connect_to(says: Vec<u8>) -> anyhow::Result<Option<BusError>> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("amqp://guest:guest@{}/%2f", listener.local_addr()?);
    let serving = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await?;
        let mut greeting = [0; 8];
        socket.read_exact(&mut greeting).await?;
        socket.write_all(&says).await?;
        // Until the other end hangs up, which with something left unread is a reset.
        socket.read_to_end(&mut Vec::new()).await.ok();
        anyhow::Ok(greeting)
    });
    let connected = RabbitBus::connect(&BusSettings { url, prefix: "atelier-test".to_owned() }).await;
    assert_eq!(serving.await??, *b"AMQP\x00\x00\x09\x01");
    Ok(connected.err())
}

/// Connection.Start of a broker that says this of itself.
fn start(properties: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&u32::try_from(text.len()).unwrap_or_default().to_be_bytes(), text.as_bytes()].concat();
    let mut table = Vec::new();
    for (name, value) in properties {
        table.push(u8::try_from(name.len()).unwrap_or_default());
        table.extend(name.as_bytes());
        table.push(b'S');
        table.extend(text(value));
    }
    // Class 10, method 10, version 0-9.
    let mut payload = vec![0, 10, 0, 10, 0, 9];
    payload.extend(u32::try_from(table.len()).unwrap_or_default().to_be_bytes());
    payload.extend(table);
    payload.extend(text("PLAIN"));
    payload.extend(text("en_US"));
    frame(&payload)
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    [&[1, 0, 0], length.as_slice(), payload, &[0xCE]].concat()
}

async fn check_refused(says: Vec<u8>, expected: &str) -> anyhow::Result<()> {
    let refused = connect_to(says).await?;
    let Some(BusError::Unsuitable { found }) = &refused else { anyhow::bail!("{refused:?}") };
    assert!(found.contains(expected), "{found:?} does not tell of {expected:?}");
    let told = refused.map(|error| error.to_string()).unwrap_or_default();
    assert!(told.contains("RabbitMQ 3.10") && told.contains("bus.url"), "{told:?} does not say what to do");
    Ok(())
}

#[tokio::test]
async fn a_broker_that_is_too_old_is_refused_by_its_version() -> anyhow::Result<()> {
    for version in ["3.9.29", "3.8.0", "2.10.4", ""] {
        check_refused(start(&[("product", "RabbitMQ"), ("version", version)]), version).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_broker_that_is_no_rabbitmq_is_refused_by_its_name() -> anyhow::Result<()> {
    check_refused(start(&[("product", "LavinMQ"), ("version", "4.0.0")]), "LavinMQ").await?;
    check_refused(start(&[]), "\"\"").await
}

#[tokio::test]
async fn what_speaks_another_protocol_is_told_apart_from_what_is_silent() -> anyhow::Result<()> {
    check_refused(b"AMQP\x00\x01\x00\x00".to_vec(), "without AMQP 0-9-1").await?;
    check_refused(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "no AMQP broker").await?;
    // A frame that ends where it should not, one that holds no method, one longer than anybody would read.
    check_refused([&frame(&[0, 10, 0, 10])[..11], &[0]].concat(), "no AMQP broker").await?;
    check_refused(frame(&[0, 10, 0, 10, 0, 9, 0xFF, 0xFF, 0xFF, 0xFF]), "no AMQP broker").await?;
    check_refused(vec![1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF], "no AMQP broker").await?;
    // Half a frame, and then nothing, for as long as anybody waits.
    let silent = connect_to(vec![1, 0, 0]).await?;
    assert!(matches!(&silent, Some(BusError::Unreachable(why)) if why.contains("within")), "{silent:?}");
    Ok(())
}

#[tokio::test]
async fn a_version_that_is_new_enough_is_gone_on_with() -> anyhow::Result<()> {
    for version in ["3.10.0", "3.13.7", "4.1.0-rc.1"] {
        let says = start(&[("product", "RabbitMQ"), ("version", version)]);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("amqp://guest:guest@{}/%2f", listener.local_addr()?);
        let serving = tokio::spawn(async move {
            let (mut probe, _) = listener.accept().await?;
            probe.write_all(&says).await?;
            // Who comes a second time has found nothing to refuse.
            listener.accept().await.map(drop)
        });
        let connected = RabbitBus::connect(&BusSettings { url, prefix: "atelier-test".to_owned() }).await;
        assert!(matches!(connected.err(), Some(BusError::Unreachable(_))), "nobody was there any more");
        serving.await??;
    }
    Ok(())
}

#[tokio::test]
async fn the_broker_of_this_machine_is_good_enough() -> anyhow::Result<()> {
    let broker = Broker::scratch();
    RabbitBus::connect(&broker.settings).await?.delete_topology().await?;
    Ok(())
}
