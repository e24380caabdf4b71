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
    publishing: Mutex<Option<(Connection, Channel)>>,
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
        let mut publishing = self.publishing.lock().await;
        let channel = match publishing.as_ref() {
            Some((_, channel)) if channel.status().connected() => channel.clone(),
            _ => publishing.insert(self.broker.open_to_publish().await?).1.clone(),
        };
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let asked = channel.queue_declare(self.broker.queue(consumer).into(), passive, FieldTable::default());
        Ok(in_time(async { Ok(asked.await?) }).await?.message_count())
    }

    async fn publish_to(
        &self,
        exchange: &str,
        events: &[Recorded],
        key: impl Fn(&Recorded) -> String,
    ) -> Result<(), BusError> {
        let mut publishing = self.publishing.lock().await;
        let channel = match publishing.as_ref() {
            Some((_, channel)) if channel.status().connected() => channel.clone(),
            _ => {
                let (connection, channel) = self.broker.open_to_publish().await?;
                publishing.insert((connection, channel)).1.clone()
            }
        };
        let sent = timeout(ANSWER, publish_window(&channel, exchange, events, key)).await;
        let result = sent.unwrap_or_else(|_| Err(BusError::Unreachable("no confirm in time".to_owned())));
        if result.is_err() {
            *publishing = None;
        }
        result
    }
}

async fn publish_window(
    channel: &Channel,
    exchange: &str,
    events: &[Recorded],
    key: impl Fn(&Recorded) -> String,
) -> Result<(), BusError> {
    let mut confirms: Vec<(&Recorded, PublisherConfirm)> = Vec::with_capacity(events.len());
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
        confirms.push((event, confirm));
    }
    for (event, confirm) in confirms {
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
            let channel = {
                let mut publishing = self.publishing.lock().await;
                match publishing.as_ref() {
                    Some((_, channel)) if channel.status().connected() => channel.clone(),
                    _ => {
                        // Opening it took answers to many questions.
                        *publishing = Some(self.broker.open_to_publish().await?);
                        return Ok(());
                    }
                }
            };
            // A connection that looks whole may lead nowhere. This asks for something that changes nothing: who only
            // publishes has no prefetch.
            match timeout(ANSWER, channel.basic_qos(0, BasicQosOptions::default())).await {
                Ok(answer) => Ok(answer?),
                Err(_) => Err(BusError::Unreachable("no answer in time".to_owned())),
            }
        })
    }
}
