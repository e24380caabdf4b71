//! A hint wakes whoever waits, in this process and in others; losing it harms nobody.

use std::time::Duration;

use anyhow::Context;
use atelier_e2e::{Database, PATIENCE};
use atelier_events::signal::{Channel, Signals};
use atelier_events::{Consumer, Log, Position};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::eventually::eventually;
use crate::proposals::new_artwork;

async fn hint(hints: &mut watch::Receiver<u64>) -> anyhow::Result<u64> {
    timeout(PATIENCE, hints.changed()).await.context("no hint came")??;
    Ok(*hints.borrow_and_update())
}

/// Signals as another process has them, once they listen (which they say by a first hint).
async fn listening(database: &Database, channel: Channel) -> anyhow::Result<(Signals, watch::Receiver<u64>)> {
    let pool = atelier_events::connect::database(&database.settings()).await?;
    let signals = Signals::start(&pool);
    let mut hints = signals.subscribe(channel);
    hint(&mut hints).await?;
    Ok((signals, hints))
}

#[tokio::test]
async fn a_hint_wakes_its_subscribers_in_another_process_and_nobody_elses() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let channel = Channel::Jobs(Consumer::Thumbnails);
    let (other, mut hints) = listening(&database, channel).await?;
    let mut of_others = other.subscribe(Channel::Jobs(Consumer::Exports));

    let signals = Signals::start(&database.pool);
    signals.raise(channel);
    hint(&mut hints).await?;
    assert!(!of_others.has_changed()?);
    signals.raise_jobs();
    hint(&mut hints).await?;
    hint(&mut of_others).await?;
    Ok(())
}

#[tokio::test]
async fn a_process_is_told_of_its_own_hints_once() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let (signals, mut marks) = listening(&database, Channel::Settled).await?;
    let hints = signals.subscribe(Channel::Log);
    let (other, mut heard) = listening(&database, Channel::Log).await?;
    let before = *hints.borrow();
    signals.raise(Channel::Log);
    // It has travelled, and what is sent after it comes to both after it.
    hint(&mut heard).await?;
    other.raise(Channel::Settled);
    hint(&mut marks).await?;
    assert_eq!(*hints.borrow(), before + 1);
    Ok(())
}

#[tokio::test]
async fn an_append_hints_at_the_log_in_every_process() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let (_other, mut hints) = listening(&database, Channel::Log).await?;
    let log = database.log();
    let mut grown = log.grown();
    log.append(new_artwork(1)).await?;
    hint(&mut hints).await?;
    hint(&mut grown).await?;
    Ok(())
}

#[tokio::test]
async fn hints_in_a_burst_travel_as_few() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let (_other, mut hints) = listening(&database, Channel::Log).await?;
    let before = *hints.borrow();
    let signals = Signals::start(&database.pool);
    for _ in 0..1_000 {
        signals.raise(Channel::Log);
    }
    let mut heard = hint(&mut hints).await?;
    // One more, so that all that were on their way before it have come.
    signals.raise(Channel::Log);
    heard = heard.max(hint(&mut hints).await?);
    assert!(heard - before <= 4, "a thousand hints became {} messages", heard - before);
    Ok(())
}

#[tokio::test]
async fn a_listener_comes_back_when_its_connection_is_killed() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let (_other, mut hints) = listening(&database, Channel::Log).await?;
    let killed: i64 = sqlx::query_scalar(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity
         where datname = current_database() and query like 'LISTEN%'",
    )
    .fetch_one(&database.pool)
    .await?;
    assert_eq!(killed, 1);

    let signals = Signals::start(&database.pool);
    eventually("a hint that is heard again", async || {
        signals.raise(Channel::Log);
        Ok(timeout(Duration::from_millis(100), hints.changed()).await.ok().map(drop))
    })
    .await
}

#[tokio::test]
async fn nobody_listens_or_sends_for_signals_that_are_gone() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let (signals, mut hints) = listening(&database, Channel::Log).await?;
    drop(signals.clone());
    signals.raise(Channel::Log);
    hint(&mut hints).await?;

    drop(signals);
    timeout(PATIENCE, async { while hints.changed().await.is_ok() {} })
        .await
        .context("the tasks behind the hints do not end")
}

#[tokio::test]
async fn without_any_hint_the_log_is_read_all_the_same() -> anyhow::Result<()> {
    let (database, elsewhere) = (Database::create().await?, Database::empty().await?);
    // Its hints go to another database: nobody hears them.
    let mute = Log::start(database.pool.clone(), Signals::start(&elsewhere.pool));
    let log = database.log();
    mute.append(new_artwork(2)).await?;
    assert_eq!(log.head().await?, Position(2));
    assert_eq!(log.read(Position(0), 10).await?.len(), 2);
    Ok(())
}
