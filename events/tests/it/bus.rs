//! The bus: what is published arrives, what cannot arrive is reported, and a broken line heals by itself.

mod on_postgres;
mod on_rabbitmq;
mod outages;
mod probe;

use anyhow::Context;
use atelier_e2e::{Broker, Database, PATIENCE};
use atelier_events::bus::{Bus, Inbox, Message, Received};
use atelier_events::{Position, Recorded};
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::time::timeout;

use crate::proposals::new_artwork;

/// Artworks with one upload each, as the log has them: the uploads alone.
pub(super) async fn uploads(database: &Database, count: usize) -> anyhow::Result<Vec<Recorded>> {
    let log = database.log();
    for _ in 0..count {
        log.append(new_artwork(2)).await?;
    }
    let events = log.read(Position(0), 1_000).await?;
    Ok(events.into_iter().filter(|event| event.event_type == "variant.uploaded").collect())
}

pub(super) fn positions(events: &[Recorded]) -> Vec<Position> {
    events.iter().map(|event| event.position).collect()
}

/// The next messages, at least one.
pub(super) async fn receive(inbox: &mut Box<dyn Inbox>, limit: usize) -> anyhow::Result<Vec<Message>> {
    match timeout(PATIENCE, inbox.receive(limit)).await.context("nothing came")? {
        Received::Messages(messages) => Ok(messages),
        Received::Hint => anyhow::bail!("a hint instead of messages"),
    }
}

/// So many messages, acknowledged.
pub(super) async fn take(inbox: &mut Box<dyn Inbox>, count: usize) -> anyhow::Result<Vec<Position>> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let messages = receive(inbox, count - taken.len()).await?;
        taken.extend(messages.iter().map(|message| message.position));
        Message::ack_all(messages).await;
    }
    Ok(taken)
}

/// Runs a test against a broker with a prefix of its own, and takes away what it left there.
pub(super) async fn with_broker(test: impl AsyncFnOnce(&Broker) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let broker = Broker::scratch();
    let result = test(&broker).await;
    broker.delete().await?;
    result
}

/// A channel past the bus, as an operator or a stranger has it.
pub(super) async fn stranger(broker: &Broker) -> anyhow::Result<(Connection, Channel)> {
    let connection = Connection::connect(&broker.settings.url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

/// A bus over this broker.
pub(super) async fn bus(broker: &Broker) -> anyhow::Result<Box<dyn Bus>> {
    let bus = atelier_events::bus::RabbitBus::connect(&broker.settings).await?;
    Ok(Box::new(bus))
}
