//! The dead-letter queues of all consumers: what they could not take for an event, and what the broker gave up because
//! it was delivered again and again and never acknowledged.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll};
use lapin::Connection;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Map, Value, json};

use super::broker::Broker;
use crate::consumer::Consumer;
use crate::event::Recorded;
use crate::id::Position;

/// Messages of each queue that lie here at a time: nobody knows how large they are.
const PREFETCH: u16 = 1;

/// One stream of all queues. Reconnects by itself.
pub struct DeadLetters {
    broker: Arc<Broker>,
    /// The connection is held so that it lives as long as the consumers on it.
    open: Option<(Connection, SelectAll<Queue>)>,
}

/// What comes out of one queue; none when it has ended.
type Queue = BoxStream<'static, (Consumer, Option<lapin::Result<Delivery>>)>;

/// A message that its consumer could not take.
#[derive(Debug)]
pub struct DeadLetter {
    /// Whose queue it was in.
    pub consumer: Consumer,
    /// Why the broker took it from there, in its word: `rejected` (it is no event), `delivery_limit`, `expired`, `maxlen`.
    pub reason: String,
    /// What is wrong with it, in words.
    pub error: String,
    /// Of the event it carries, where it carries one.
    pub position: Option<Position>,
    /// What AMQP says of it: content type, ids, the exchange and routing key it came by.
    pub properties: Value,
    /// Its headers; `x-death` is the broker's account of how it died.
    pub headers: Value,
    /// All of its body.
    pub body: Vec<u8>,
    acker: lapin::Acker,
}

impl DeadLetters {
    pub(super) fn new(broker: Arc<Broker>) -> Self {
        Self { broker, open: None }
    }

    /// Waits for the next one. Dropped while it waits it loses none: what is not acknowledged comes again.
    pub async fn receive(&mut self) -> DeadLetter {
        loop {
            let (_, queues) = match &mut self.open {
                Some(open) => open,
                None => self.open.insert(open(&self.broker).await),
            };
            match queues.next().await {
                Some((consumer, Some(Ok(delivery)))) => return DeadLetter::of(consumer, delivery),
                Some((consumer, Some(Err(error)))) => {
                    tracing::warn!(consumer = %consumer, error = %error, "lost the dead letters; reconnecting");
                    self.open = None;
                }
                Some((_, None)) | None => self.open = None,
            }
        }
    }
}

async fn open(broker: &Broker) -> (Connection, SelectAll<Queue>) {
    let (connection, queues) = broker.subscribe_to_dead(PREFETCH).await;
    let queues = queues.into_iter().map(|(consumer, queue)| {
        // A queue that was deleted ends, and to have it again all are opened anew.
        let ends = futures::stream::once(async { None });
        queue.map(Some).chain(ends).map(move |delivery| (consumer, delivery)).boxed()
    });
    (connection, futures::stream::select_all(queues))
}

impl DeadLetter {
    /// Tells the broker that it can forget the message. Failing to is no harm: it comes again.
    pub async fn ack(self) {
        if let Err(error) = self.acker.ack(BasicAckOptions::default()).await {
            tracing::debug!(error = %error, "could not acknowledge a dead letter; it will come again");
        }
    }

    fn of(consumer: Consumer, delivery: Delivery) -> Self {
        let Delivery { exchange, routing_key, properties, data, acker, .. } = delivery;
        let empty = FieldTable::default();
        let headers = properties.headers().as_ref().unwrap_or(&empty);
        let reason = reason_of(headers).unwrap_or_else(|| "unknown".to_owned());
        let event = serde_json::from_slice::<Recorded>(&data);
        let error = match &event {
            Ok(event) => format!(
                "the event at position {} was given up by the broker ({reason}); its job does not depend on the message",
                event.position
            ),
            Err(error) => format!("not an event: {error}"),
        };
        let text = |value: &Option<lapin::types::ShortString>| value.as_ref().map(|text| clean(text.as_str()));
        let said = json!({
            "content_type": text(properties.content_type()),
            "content_encoding": text(properties.content_encoding()),
            "type": text(properties.kind()),
            "message_id": text(properties.message_id()),
            "correlation_id": text(properties.correlation_id()),
            "app_id": text(properties.app_id()),
            "user_id": text(properties.user_id()),
            "exchange": clean(exchange.as_str()),
            "routing_key": clean(routing_key.as_str()),
        });
        let headers = json_table(headers);
        let position = event.ok().map(|event| event.position);
        Self {
            consumer,
            reason,
            error: clean(&error),
            position,
            properties: without_nulls(said),
            headers,
            body: data,
            acker,
        }
    }
}

/// Of its last death, which comes first.
fn reason_of(headers: &FieldTable) -> Option<String> {
    let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get("x-death") else { return None };
    let Some(AMQPValue::FieldTable(last)) = deaths.as_slice().first() else { return None };
    match last.inner().get("reason") {
        Some(AMQPValue::LongString(reason)) => Some(clean(&String::from_utf8_lossy(reason.as_bytes()))),
        _ => None,
    }
}

/// A stranger's text may hold anything, and Postgres takes no NUL.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn without_nulls(mut object: Value) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    object
}

fn json_table(table: &FieldTable) -> Value {
    let entries = table.inner().iter().map(|(name, value)| (clean(name.as_str()), json_value(value)));
    Value::Object(entries.collect::<Map<_, _>>())
}

fn json_value(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::Boolean(value) => json!(value),
        AMQPValue::ShortShortInt(value) => json!(value),
        AMQPValue::ShortShortUInt(value) => json!(value),
        AMQPValue::ShortInt(value) => json!(value),
        AMQPValue::ShortUInt(value) => json!(value),
        AMQPValue::LongInt(value) => json!(value),
        AMQPValue::LongUInt(value) => json!(value),
        AMQPValue::LongLongInt(value) => json!(value),
        // What is no number in JSON becomes null.
        AMQPValue::Float(value) => json!(value),
        AMQPValue::Double(value) => json!(value),
        AMQPValue::Timestamp(value) => json!(value),
        AMQPValue::DecimalValue(value) => json!(format!("{}e-{}", value.value, value.scale)),
        AMQPValue::ShortString(value) => json!(clean(value.as_str())),
        AMQPValue::LongString(value) => json!(clean(&String::from_utf8_lossy(value.as_bytes()))),
        AMQPValue::ByteArray(value) => json!(clean(&String::from_utf8_lossy(value.as_slice()))),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(json_value).collect(),
        AMQPValue::FieldTable(table) => json_table(table),
        AMQPValue::Void => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use lapin::types::{FieldArray, LongString};

    use super::*;

    #[test]
    fn headers_of_any_kind_become_json_that_postgres_takes() {
        let mut inner = FieldTable::default();
        inner.insert("a\0b".into(), AMQPValue::LongString(LongString::from("c\0d".to_owned())));
        inner.insert("n".into(), AMQPValue::Double(f64::NAN));
        let mut table = FieldTable::default();
        let values = vec![AMQPValue::FieldTable(inner), AMQPValue::LongLongInt(i64::MIN), AMQPValue::Void];
        table.insert("deep".into(), AMQPValue::FieldArray(FieldArray::from(values)));
        let expected = json!({ "deep": [{ "a\u{fffd}b": "c\u{fffd}d", "n": null }, i64::MIN, null] });
        assert_eq!(json_table(&table), expected);
    }
}
