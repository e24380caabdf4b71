//! The bus on RabbitMQ: one topic exchange, one durable quorum queue per consumer with a delivery limit and a dead-letter
//! queue.
//!
//! Reconnecting is done here and not by lapin's recovery: a publish whose confirm was pending when the connection broke
//! then fails at once (and is published again) instead of hanging until the recovery ends.

mod broker;
mod dead;
mod inbox;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use lapin::options::{
    BasicPublishOptions, BasicQosOptions, ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, PublisherConfirm};
use tokio::sync::Mutex;
use tokio::time::timeout;

pub use dead::{DeadLetter, DeadLetters};

use super::probe::probe;
use super::{Bus, BusError, Inbox};
use crate::consumer::Consumer;
use crate::event::Recorded;
use crate::settings::BusSettings;
use broker::{Broker, in_time};
use inbox::QueueInbox;

/// How long the broker may take to answer before its answer counts as unknown.
const ANSWER: Duration = Duration::from_secs(10);

impl From<lapin::Error> for BusError {
    fn from(error: lapin::Error) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// A broker, connected to when it is needed and again when the connection is lost.
pub struct RabbitBus {
    broker: Arc<Broker>,
    publishing: Mutex<Option<Arc<Open>>>,
}

/// A connection with the channel that is published on.
struct Open {
    channel: Channel,
    /// Held so that it lives as long as the channel.
    _connection: Connection,
}

impl RabbitBus {
    /// Connects once, to find a wrong address, or a broker that is too old or incomplete, at the start and not later.
    pub async fn connect(settings: &BusSettings) -> Result<Self, BusError> {
        probe(&settings.url.parse().map_err(BusError::Address)?).await?;
        let broker = Broker { url: settings.url.clone(), prefix: settings.prefix.clone() };
        let bus = Self { broker: Arc::new(broker), publishing: Mutex::new(None) };
        bus.ready().await?;
        Ok(bus)
    }

    /// Deletes exchange and queues, with everything in them: for taking an installation down.
    pub async fn delete_topology(&self) -> Result<(), BusError> {
        let (_connection, channel) = in_time(self.broker.open(&Consumer::ALL)).await?;
        for consumer in Consumer::ALL {
            let queue = self.broker.queue(consumer);
            for name in [self.broker.dead_queue(consumer), queue] {
                channel.queue_delete(name.into(), QueueDeleteOptions::default()).await?;
            }
        }
        for exchange in [self.broker.exchange(), self.broker.dead_exchange()] {
            channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await?;
        }
        Ok(())
    }

    /// Messages that wait for a consumer, those on their way to it not counted.
    pub async fn waiting(&self, consumer: Consumer) -> Result<u32, BusError> {
        let open = self.open(&mut *self.publishing.lock().await).await?;
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let asked = open.channel.queue_declare(self.broker.queue(consumer).into(), passive, FieldTable::default());
        Ok(answered(async { Ok(asked.await?) }).await?.message_count())
    }

    /// The connection there is, or a new one.
    async fn open(&self, publishing: &mut Option<Arc<Open>>) -> Result<Arc<Open>, BusError> {
        if let Some(open) = publishing.as_ref().filter(|open| open.channel.status().connected()) {
            return Ok(Arc::clone(open));
        }
        let (connection, channel) = self.broker.open_to_publish().await?;
        Ok(Arc::clone(publishing.insert(Arc::new(Open { channel, _connection: connection }))))
    }

    /// Who comes second sends while the first still waits for its confirms.
    async fn publish_to(
        &self,
        exchange: &str,
        events: &[Recorded],
        key: impl Fn(&Recorded) -> String,
    ) -> Result<(), BusError> {
        let mut publishing = self.publishing.lock().await;
        let open = self.open(&mut publishing).await?;
        let sent = answered(send(&open.channel, exchange, events, key)).await;
        drop(publishing);
        let result = match sent {
            Ok(confirms) => answered(confirmed(events, confirms)).await,
            Err(error) => Err(error),
        };
        if result.is_err() {
            // What else is under way on it fails as well, or is confirmed; what comes from now on gets a new one.
            self.publishing.lock().await.take_if(|current| Arc::ptr_eq(current, &open));
        }
        result
    }
}

/// The broker may be gone without a word.
async fn answered<T>(asking: impl Future<Output = Result<T, BusError>>) -> Result<T, BusError> {
    timeout(ANSWER, asking).await.unwrap_or_else(|_| Err(BusError::Unreachable("no answer in time".to_owned())))
}

async fn send(
    channel: &Channel,
    exchange: &str,
    events: &[Recorded],
    key: impl Fn(&Recorded) -> String,
) -> Result<Vec<PublisherConfirm>, BusError> {
    let mut confirms = Vec::with_capacity(events.len());
    for event in events {
        let body = serde_json::to_vec(event).map_err(|error| BusError::Unreachable(error.to_string()))?;
        let confirm = channel
            .basic_publish(
                exchange.into(),
                key(event).into(),
                // Of a type that this version does not know, nobody need want it yet: the relay that does know it will
                // publish it again.
                BasicPublishOptions { mandatory: event.has_known_type(), ..BasicPublishOptions::default() },
                &body,
                properties(event),
            )
            .await?;
        confirms.push(confirm);
    }
    Ok(confirms)
}

async fn confirmed(events: &[Recorded], confirms: Vec<PublisherConfirm>) -> Result<(), BusError> {
    for (event, confirm) in events.iter().zip(confirms) {
        let confirmation = confirm.await?;
        if !confirmation.is_ack() {
            return Err(BusError::Refused(event.position));
        }
        if confirmation.take_message().is_some() {
            return Err(BusError::Unroutable { event_type: event.event_type.clone() });
        }
    }
    Ok(())
}

fn properties(event: &Recorded) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert("position".into(), AMQPValue::LongLongInt(event.position.0));
    headers.insert("schema".into(), AMQPValue::ShortInt(event.schema));
    if let Some(traceparent) = &event.traceparent {
        headers.insert("traceparent".into(), AMQPValue::LongString(traceparent.as_str().into()));
    }
    BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type("application/json".into())
        .with_message_id(event.id.to_string().into())
        .with_correlation_id(event.correlation_id.to_string().into())
        .with_type(event.event_type.as_str().into())
        .with_headers(headers)
}

impl Bus for RabbitBus {
    fn publish<'a>(&'a self, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), BusError>> {
        let exchange = self.broker.exchange();
        Box::pin(async move { self.publish_to(&exchange, events, |event| event.event_type.clone()).await })
    }

    fn deliver<'a>(&'a self, consumer: Consumer, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), BusError>> {
        let queue = self.broker.queue(consumer);
        // The default exchange routes by queue name.
        Box::pin(async move { self.publish_to("", events, |_| queue.clone()).await })
    }

    fn inbox(&self, consumer: Consumer, prefetch: u16) -> BoxFuture<'_, Result<Box<dyn Inbox>, BusError>> {
        let inbox = QueueInbox::new(Arc::clone(&self.broker), consumer, prefetch);
        Box::pin(async move { Ok(Box::new(inbox) as Box<dyn Inbox>) })
    }

    fn dead_letters(&self) -> Option<DeadLetters> {
        Some(DeadLetters::new(Arc::clone(&self.broker)))
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async {
            let open = self.open(&mut *self.publishing.lock().await).await?;
            // A connection that looks whole may lead nowhere. This asks for something that changes nothing: who only
            // publishes has no prefetch.
            answered(async { Ok(open.channel.basic_qos(0, BasicQosOptions::default()).await?) }).await
        })
    }
}
