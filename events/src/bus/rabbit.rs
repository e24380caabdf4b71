//! The bus on RabbitMQ: one topic exchange, one durable quorum queue per consumer with a delivery limit and a dead-letter
//! queue.
//!
//! Reconnecting is done here and not by lapin's recovery: a publish whose confirm was pending when the connection broke
//! then fails at once (and is published again) instead of hanging until the recovery ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use backoff::backoff::Backoff;
use futures::StreamExt;
use futures::future::BoxFuture;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, BasicRejectOptions, ConfirmSelectOptions,
    ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind, PublisherConfirm};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::probe::probe;
use super::{Bus, BusError, Inbox, Message, Received};
use crate::consumer::Consumer;
use crate::event::Recorded;
use crate::id::Position;
use crate::settings::BusSettings;

/// How long the broker may take to answer before its answer counts as unknown.
const ANSWER: Duration = Duration::from_secs(10);
/// How long connecting and declaring some forty things may take. A broker that has just come back elects a leader for
/// each queue first; giving up early and beginning again would only keep it busier.
const OPENING: Duration = Duration::from_secs(30);
/// The longest pause between attempts to reconnect.
const RECONNECT_MAX: Duration = Duration::from_secs(2);
/// Deliveries of one message before the broker takes it for one that kills its consumer.
const DELIVERY_LIMIT: i32 = 20;
/// Bounds the dead-letter queues, which at-least-once dead-lettering asks for.
const QUEUE_LENGTH_MAX: i64 = 10_000_000;

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

struct Broker {
    url: String,
    prefix: String,
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
            for name in [format!("{queue}.dead"), queue] {
                channel.queue_delete(name.into(), QueueDeleteOptions::default()).await?;
            }
        }
        for exchange in [self.broker.exchange(), format!("{}.dead", self.broker.prefix)] {
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
        let inbox = QueueInbox {
            broker: Arc::clone(&self.broker),
            consumer,
            prefetch,
            open: None,
            opening: None,
            came: VecDeque::new(),
        };
        Box::pin(async move { Ok(Box::new(inbox) as Box<dyn Inbox>) })
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

impl Broker {
    fn exchange(&self) -> String {
        format!("{}.events", self.prefix)
    }

    fn queue(&self, consumer: Consumer) -> String {
        format!("{}.{consumer}", self.prefix)
    }

    /// Connects with confirms on. All consumers' queues are made, so that an event published before a consumer's first
    /// start waits for it.
    async fn open_to_publish(&self) -> Result<(Connection, Channel), BusError> {
        let opening = async {
            let (connection, channel) = self.open(&Consumer::ALL).await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok((connection, channel))
        };
        in_time(opening).await
    }

    /// Connects and makes sure that the exchange and these consumers' queues and bindings are there. Who is one consumer
    /// asks for its own queue alone: a broker that has just come back is busy enough.
    async fn open(&self, consumers: &[Consumer]) -> Result<(Connection, Channel), BusError> {
        let properties = ConnectionProperties::default().with_connection_name(LongString::from(self.prefix.as_str()));
        let connection = Connection::connect(&self.url, properties).await?;
        let channel = connection.create_channel().await?;
        self.declare(&channel, consumers).await?;
        Ok((connection, channel))
    }

    async fn reconnect(&self, consumer: Consumer, prefetch: u16) -> (Connection, lapin::Consumer) {
        let mut pause = backoff::ExponentialBackoffBuilder::new()
            .with_initial_interval(Duration::from_millis(100))
            .with_max_interval(RECONNECT_MAX)
            .with_max_elapsed_time(None)
            .build();
        loop {
            match self.subscribe(consumer, prefetch).await {
                Ok(open) => return open,
                Err(error) => {
                    tracing::warn!(consumer = %consumer, error = %error, "cannot reach the broker; trying again");
                    tokio::time::sleep(pause.next_backoff().unwrap_or(RECONNECT_MAX)).await;
                }
            }
        }
    }

    async fn subscribe(&self, consumer: Consumer, prefetch: u16) -> Result<(Connection, lapin::Consumer), BusError> {
        let subscribing = async {
            let (connection, channel) = self.open(&[consumer]).await?;
            channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
            let queue = self.queue(consumer).into();
            let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
            let consuming = channel.basic_consume(queue, "".into(), options, arguments).await?;
            Ok((connection, consuming))
        };
        in_time(subscribing).await
    }

    async fn declare(&self, channel: &Channel, consumers: &[Consumer]) -> Result<(), BusError> {
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let exchange: ShortString = self.exchange().into();
        let dead: ShortString = format!("{}.dead", self.prefix).into();
        channel.exchange_declare(exchange.clone(), ExchangeKind::Topic, durable, FieldTable::default()).await?;
        channel.exchange_declare(dead.clone(), ExchangeKind::Direct, durable, FieldTable::default()).await?;
        for &consumer in consumers {
            let queue: ShortString = self.queue(consumer).into();
            let dead_queue: ShortString = format!("{queue}.dead").into();
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

fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments
}

async fn in_time<T>(opening: impl Future<Output = Result<T, BusError>>) -> Result<T, BusError> {
    let opened = timeout(OPENING, opening).await;
    opened.unwrap_or_else(|_| Err(BusError::Unreachable(format!("not opened within {} s", OPENING.as_secs()))))
}

async fn declare_queue(channel: &Channel, name: &ShortString, arguments: FieldTable) -> Result<(), BusError> {
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.clone(), durable, arguments).await?;
    Ok(())
}

struct QueueInbox {
    broker: Arc<Broker>,
    consumer: Consumer,
    prefetch: u16,
    /// The connection is held so that it lives as long as the consumer on it.
    open: Option<(Connection, lapin::Consumer)>,
    /// A connection on its way. It is kept here because `receive` may be dropped in between: who waits in short turns
    /// would begin anew each time and never arrive.
    opening: Option<BoxFuture<'static, (Connection, lapin::Consumer)>>,
    /// What has been taken from the consumer and not given out yet: `receive` may be dropped in between.
    came: VecDeque<Message>,
}

impl Inbox for QueueInbox {
    fn receive(&mut self, limit: usize) -> BoxFuture<'_, Received> {
        Box::pin(async move {
            while self.came.is_empty() {
                self.take_one().await;
            }
            while self.came.len() < limit {
                let Some(delivery) = self.take_ready() else { break };
                self.keep(delivery).await;
            }
            let taken = self.came.len().min(limit);
            Received::Messages(self.came.drain(..taken).collect())
        })
    }
}

impl QueueInbox {
    async fn take_one(&mut self) {
        if self.open.is_none() {
            let (broker, consumer, prefetch) = (Arc::clone(&self.broker), self.consumer, self.prefetch);
            let opening =
                self.opening.get_or_insert_with(|| Box::pin(async move { broker.reconnect(consumer, prefetch).await }));
            self.open = Some(opening.await);
            self.opening = None;
        }
        let Some((_, consumer)) = self.open.as_mut() else {
            return;
        };
        match consumer.next().await {
            Some(Ok(delivery)) => self.keep(delivery).await,
            Some(Err(error)) => {
                tracing::warn!(consumer = %self.consumer, error = %error, "lost the broker; reconnecting");
                self.open = None;
            }
            None => self.open = None,
        }
    }

    /// Takes a message that is here already.
    fn take_ready(&mut self) -> Option<lapin::message::Delivery> {
        let (_, consumer) = self.open.as_mut()?;
        if let Some(Ok(delivery)) = futures::FutureExt::now_or_never(consumer.next())? {
            return Some(delivery);
        }
        self.open = None;
        None
    }

    async fn keep(&mut self, delivery: lapin::message::Delivery) {
        if let Some(position) = position_of(&delivery) {
            self.came.push_back(Message { position, delivery });
            return;
        }
        tracing::error!(consumer = %self.consumer, "a message that is no event goes to the dead-letter queue");
        let rejected = delivery.acker.reject(BasicRejectOptions { requeue: false }).await;
        if let Err(error) = rejected {
            tracing::debug!(error = %error, "could not reject; the message will come again");
        }
    }
}

/// The position comes from the header, and from the body for messages that others put in.
fn position_of(delivery: &lapin::message::Delivery) -> Option<Position> {
    let header = delivery.properties.headers().as_ref().and_then(|headers| headers.inner().get("position"));
    match header {
        Some(AMQPValue::LongLongInt(position)) => Some(Position(*position)),
        _ => serde_json::from_slice::<Recorded>(&delivery.data).ok().map(|event| event.position),
    }
}
