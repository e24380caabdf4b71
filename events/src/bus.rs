//! The bus: carries events from the relay to the consumers. RabbitMQ where one is configured, otherwise Postgres itself.
//!
//! A message is never the truth: it says that something is there. The `jobs` table says who works on what, and the log
//! says what happened, so a message may come twice, late or not at all (consumers also look at intervals).

mod postgres;
mod probe;
mod rabbit;

use futures::future::BoxFuture;

pub use postgres::PostgresBus;
pub use rabbit::{DeadLetter, DeadLetters, RabbitBus};

use crate::consumer::Consumer;
use crate::event::Recorded;
use crate::id::Position;
use crate::settings::BusSettings;
use crate::signal::Signals;

/// The most events one publish takes: the window of unconfirmed messages.
pub const PUBLISH_LIMIT: usize = 500;

/// Carries events to consumers.
pub trait Bus: Send + Sync {
    /// Publishes events to whoever is bound to their type. `Ok` means that the bus has taken every one of them;
    /// anything else is unknown and is published again.
    fn publish<'a>(&'a self, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), BusError>>;

    /// Hands events to one consumer, past the exchange: for jobs that come due.
    fn deliver<'a>(&'a self, consumer: Consumer, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), BusError>>;

    /// Opens a consumer's inbox, creating its queue if there is none. `prefetch` bounds what lies here unacknowledged.
    fn inbox(&self, consumer: Consumer, prefetch: u16) -> BoxFuture<'_, Result<Box<dyn Inbox>, BusError>>;

    /// What consumers could not take. None where the bus carries no messages that a stranger could have sent.
    fn dead_letters(&self) -> Option<DeadLetters>;

    /// Whether the bus can be reached right now.
    fn ready(&self) -> BoxFuture<'_, Result<(), BusError>>;
}

/// What one consumer has been sent. Reconnects by itself.
pub trait Inbox: Send {
    /// Waits for something, and takes at most `limit` messages. Can be dropped while it waits without losing any.
    fn receive(&mut self, limit: usize) -> BoxFuture<'_, Received>;
}

/// What came.
pub enum Received {
    /// Messages, to be acknowledged once their jobs are claimed.
    Messages(Vec<Message>),
    /// Something may be there: look in the database.
    Hint,
}

/// One message: which event it carries, and how to say that it has arrived.
pub struct Message {
    /// The event's position.
    pub position: Position,
    delivery: lapin::message::Delivery,
}

impl Message {
    /// Tells the broker that it can forget these messages, which came one after the other, and all before them. Failing to
    /// is no harm: they come again.
    pub async fn ack_all(messages: Vec<Self>) {
        let Some(last) = messages.last() else { return };
        if let Err(error) = last.delivery.acker.ack(lapin::options::BasicAckOptions { multiple: true }).await {
            tracing::debug!(error = %error, event.position = last.position.0, "could not acknowledge; messages will come again");
        }
    }
}

/// Why the bus did not take or give.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The broker cannot be reached, or did not answer in time: unknown what it has taken.
    #[error("the message broker does not answer: {0}")]
    Unreachable(String),
    /// The broker answered and has no queue for this: the topology is incomplete.
    #[error("the broker returned event type {event_type:?}: no queue is bound to it")]
    Unroutable {
        /// The routing key.
        event_type: String,
    },
    /// The broker refused the message.
    #[error("the broker refused the message at position {0}")]
    Refused(Position),
    /// What answers is not a broker that keeps what is asked of it.
    #[error(
        "bus.url leads to {found}, and Atelier needs RabbitMQ 3.10 or newer (older ones lose dead letters, others know no \
         quorum queues): correct the address or upgrade the broker, or leave bus.url empty, and the bus is Postgres"
    )]
    Unsuitable {
        /// What it says it is.
        found: String,
    },
    /// The address is not one.
    #[error("bus.url is not an AMQP address: {0} (expected amqp://user:password@host:port/vhost)")]
    Address(String),
}

/// Connects to the bus that the settings name.
pub async fn connect(settings: &BusSettings, signals: &Signals) -> Result<Box<dyn Bus>, BusError> {
    if settings.url.is_empty() {
        Ok(Box::new(PostgresBus::new(signals.clone())))
    } else {
        Ok(Box::new(RabbitBus::connect(settings).await?))
    }
}
