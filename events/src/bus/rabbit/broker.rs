//! What stands at the broker, and connections to it.

use std::time::Duration;

use backoff::backoff::Backoff;
use lapin::options::{
    BasicConsumeOptions, BasicQosOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};
use tokio::time::timeout;

use crate::bus::BusError;
use crate::consumer::Consumer;

/// How long connecting and declaring some forty things may take. A broker that has just come back elects a leader for
/// each queue first; giving up early and beginning again would only keep it busier.
const OPENING: Duration = Duration::from_secs(30);
/// The longest pause between attempts to reconnect.
const RECONNECT_MAX: Duration = Duration::from_secs(2);
/// Deliveries of one message before the broker takes it for one that kills its consumer.
const DELIVERY_LIMIT: i32 = 20;
/// Bounds the queues, which at-least-once dead-lettering asks for.
const QUEUE_LENGTH_MAX: i64 = 10_000_000;

/// Where the broker is, and what the names of our things at it start with.
pub(super) struct Broker {
    pub(super) url: String,
    pub(super) prefix: String,
}

impl Broker {
    pub(super) fn exchange(&self) -> String {
        format!("{}.events", self.prefix)
    }

    pub(super) fn queue(&self, consumer: Consumer) -> String {
        format!("{}.{consumer}", self.prefix)
    }

    pub(super) fn dead_exchange(&self) -> String {
        format!("{}.dead", self.prefix)
    }

    pub(super) fn dead_queue(&self, consumer: Consumer) -> String {
        format!("{}.dead", self.queue(consumer))
    }

    /// Connects with confirms on. All consumers' queues are made, so that an event published before a consumer's first
    /// start waits for it.
    pub(super) async fn open_to_publish(&self) -> Result<(Connection, Channel), BusError> {
        let opening = async {
            let (connection, channel) = self.open(&Consumer::ALL).await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok((connection, channel))
        };
        in_time(opening).await
    }

    /// Connects and makes sure that the exchange and these consumers' queues and bindings are there. Who is one consumer
    /// asks for its own queue alone: a broker that has just come back is busy enough.
    pub(super) async fn open(&self, consumers: &[Consumer]) -> Result<(Connection, Channel), BusError> {
        let properties = ConnectionProperties::default().with_connection_name(LongString::from(self.prefix.as_str()));
        let connection = Connection::connect(&self.url, properties).await?;
        let channel = connection.create_channel().await?;
        self.declare(&channel, consumers).await?;
        Ok((connection, channel))
    }

    /// Connects and consumes from a consumer's queue, however long that takes.
    pub(super) async fn subscribe(&self, consumer: Consumer, prefetch: u16) -> (Connection, lapin::Consumer) {
        patiently(consumer.name(), || async {
            let (connection, channel) = self.open(&[consumer]).await?;
            let consuming = consume(&channel, self.queue(consumer), prefetch).await?;
            Ok((connection, consuming))
        })
        .await
    }

    /// Connects and consumes from all dead-letter queues, however long that takes.
    pub(super) async fn subscribe_to_dead(&self, prefetch: u16) -> (Connection, Vec<(Consumer, lapin::Consumer)>) {
        patiently("dead letters", || async {
            let (connection, channel) = self.open(&Consumer::ALL).await?;
            let mut consuming = Vec::with_capacity(Consumer::ALL.len());
            for consumer in Consumer::ALL {
                consuming.push((consumer, consume(&channel, self.dead_queue(consumer), prefetch).await?));
            }
            Ok((connection, consuming))
        })
        .await
    }

    async fn declare(&self, channel: &Channel, consumers: &[Consumer]) -> Result<(), BusError> {
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let exchange: ShortString = self.exchange().into();
        let dead: ShortString = self.dead_exchange().into();
        channel.exchange_declare(exchange.clone(), ExchangeKind::Topic, durable, FieldTable::default()).await?;
        channel.exchange_declare(dead.clone(), ExchangeKind::Direct, durable, FieldTable::default()).await?;
        for &consumer in consumers {
            let queue: ShortString = self.queue(consumer).into();
            let dead_queue: ShortString = self.dead_queue(consumer).into();
            declare_queue(channel, &dead_queue, quorum()).await?;
            channel
                .queue_bind(dead_queue, dead.clone(), queue.clone(), QueueBindOptions::default(), FieldTable::default())
                .await?;
            let mut arguments = quorum();
            arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
            arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString(dead.as_str().into()));
            arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(queue.as_str().into()));
            arguments.insert("x-dead-letter-strategy".into(), AMQPValue::LongString("at-least-once".into()));
            arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
            arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(QUEUE_LENGTH_MAX));
            declare_queue(channel, &queue, arguments).await?;
            for event_type in consumer.event_types() {
                channel
                    .queue_bind(
                        queue.clone(),
                        exchange.clone(),
                        (*event_type).into(),
                        QueueBindOptions::default(),
                        FieldTable::default(),
                    )
                    .await?;
            }
        }
        Ok(())
    }
}

/// Tries until it works; what for, for the log.
async fn patiently<T, F>(queue: &str, opening: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, BusError>>,
{
    let mut pause = backoff::ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_millis(100))
        .with_max_interval(RECONNECT_MAX)
        .with_max_elapsed_time(None)
        .build();
    loop {
        match in_time(opening()).await {
            Ok(open) => return open,
            Err(error) => {
                tracing::warn!(queue, error = %error, "cannot reach the broker; trying again");
                tokio::time::sleep(pause.next_backoff().unwrap_or(RECONNECT_MAX)).await;
            }
        }
    }
}

async fn consume(channel: &Channel, queue: String, prefetch: u16) -> Result<lapin::Consumer, BusError> {
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    Ok(channel.basic_consume(queue.into(), "".into(), options, arguments).await?)
}

fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments
}

pub(super) async fn in_time<T>(opening: impl Future<Output = Result<T, BusError>>) -> Result<T, BusError> {
    let opened = timeout(OPENING, opening).await;
    opened.unwrap_or_else(|_| Err(BusError::Unreachable(format!("not opened within {} s", OPENING.as_secs()))))
}

async fn declare_queue(channel: &Channel, name: &ShortString, arguments: FieldTable) -> Result<(), BusError> {
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.clone(), durable, arguments).await?;
    Ok(())
}
