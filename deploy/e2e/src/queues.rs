//! The queues of an installation, as a stranger to it sees them.

use std::collections::BTreeMap;

use anyhow::Context as _;
use atelier_events::Consumer;
use atelier_events::settings::BusSettings;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};

/// How many messages wait in each queue, dead letters included; those that a consumer has and has not acknowledged do
/// not count.
pub async fn waiting(bus: &BusSettings) -> anyhow::Result<BTreeMap<String, u32>> {
    let (_connection, channel) = open(bus).await?;
    let mut waiting = BTreeMap::new();
    for consumer in Consumer::ALL {
        let queue = name(bus, consumer);
        for queue in [format!("{queue}.dead"), queue] {
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let declared = channel.queue_declare(queue.as_str().into(), passive, FieldTable::default()).await;
            waiting.insert(queue.clone(), declared.with_context(|| format!("queue {queue}"))?.message_count());
        }
    }
    Ok(waiting)
}

/// Deletes a consumer's queue with all that is in it, as an operator's slip would.
pub async fn delete(bus: &BusSettings, consumer: Consumer) -> anyhow::Result<()> {
    let (_connection, channel) = open(bus).await?;
    channel.queue_delete(name(bus, consumer).into(), QueueDeleteOptions::default()).await?;
    Ok(())
}

/// Whether a consumer's queue is there.
pub async fn exists(bus: &BusSettings, consumer: Consumer) -> anyhow::Result<bool> {
    let (_connection, channel) = open(bus).await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    Ok(channel.queue_declare(name(bus, consumer).into(), passive, FieldTable::default()).await.is_ok())
}

async fn open(bus: &BusSettings) -> anyhow::Result<(Connection, Channel)> {
    let connection = Connection::connect(&bus.url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

fn name(bus: &BusSettings, consumer: Consumer) -> String {
    format!("{}.{consumer}", bus.prefix)
}
