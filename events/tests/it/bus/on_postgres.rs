use anyhow::Context;
use atelier_e2e::{Database, PATIENCE};
use atelier_events::bus::{Bus, Inbox, PostgresBus, Received};
use atelier_events::settings::BusSettings;
use atelier_events::signal::Signals;
use atelier_events::{Consumer, Log};
use tokio::time::timeout;

use super::uploads;
use crate::proposals::new_artwork;

/// The bus of another process, with an inbox that listens already.
async fn listening(database: &Database, consumer: Consumer) -> anyhow::Result<(Signals, Box<dyn Inbox>)> {
    let pool = atelier_events::connect::database(&database.settings()).await?;
    let signals = Signals::start(&pool);
    let mut inbox = PostgresBus::new(signals.clone()).inbox(consumer, 1).await?;
    hint(&mut inbox).await?;
    Ok((signals, inbox))
}

async fn hint(inbox: &mut Box<dyn Inbox>) -> anyhow::Result<()> {
    let received = timeout(PATIENCE, inbox.receive(10)).await.context("no hint came")?;
    anyhow::ensure!(matches!(received, Received::Hint), "a message instead of a hint");
    Ok(())
}

fn is_waiting(inbox: &mut Box<dyn Inbox>) -> bool {
    futures::FutureExt::now_or_never(inbox.receive(1)).is_none()
}

#[tokio::test]
async fn a_published_event_is_a_hint_to_those_whose_jobs_it_makes() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let events = uploads(&database, 1).await?;
    let (_thumbnails, mut thumbnails) = listening(&database, Consumer::Thumbnails).await?;
    let (_exports, mut exports) = listening(&database, Consumer::Exports).await?;

    let bus = PostgresBus::new(Signals::start(&database.pool));
    bus.publish(&events).await?;
    hint(&mut thumbnails).await?;
    assert!(is_waiting(&mut exports));
    bus.deliver(Consumer::Exports, &events).await?;
    hint(&mut exports).await?;
    assert!(is_waiting(&mut thumbnails));
    Ok(())
}

#[tokio::test]
async fn a_projection_is_woken_by_the_append_itself() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let (_signals, mut index) = listening(&database, Consumer::Index).await?;
    let log: Log = database.log();
    log.append(new_artwork(1)).await?;
    hint(&mut index).await
}

#[tokio::test]
async fn without_a_broker_in_the_settings_the_bus_is_postgres_and_always_ready() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let signals = Signals::start(&database.pool);
    let bus = atelier_events::bus::connect(&BusSettings::default(), &signals).await?;
    bus.ready().await?;
    let mut inbox = bus.inbox(Consumer::Generate, 1).await?;
    bus.deliver(Consumer::Generate, &[]).await?;
    hint(&mut inbox).await
}
