//! Projections: the log in order, one batch at a time, with the checkpoint moved together with the effect.

use std::time::Duration;

use anyhow::Context;
use atelier_events::bus::{Message, Received};
use atelier_events::health::Pulse;
use atelier_events::jobs;
use atelier_events::log::READ_LIMIT;
use atelier_events::{Connections, Consumer, Position, Recorded, trace};
use rand::RngExt;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::settings::ConsumerSettings;
use crate::stall::Stall;

/// Messages taken at a time; they only wake, the log is what is read.
const WAKING: usize = 1_000;

/// A consumer that reads the log in order.
pub trait Projection: Send + 'static {
    /// Whose messages wake it.
    const CONSUMER: Consumer;

    /// Up to where it has been applied.
    fn checkpoint(&mut self) -> impl Future<Output = anyhow::Result<Position>> + Send;

    /// Applies events in log order (never none of them) and moves the checkpoint with them, in one transaction where the
    /// effect is in the database.
    fn apply(&mut self, events: &[Recorded]) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// The log has been read to its end: for effects that are better done once a burst. When the daemon is asked to stop, it
    /// has `consumer.grace_ms` to come to its end; then it is dropped, and never called again.
    fn caught_up(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send {
        async { Ok(()) }
    }
}

/// Runs a projection until shutdown. An error is logged and the batch tried again: a projection that cannot go on must
/// not skip anything.
pub async fn run_projection<P: Projection>(
    mut projection: P,
    connections: &Connections,
    settings: &ConsumerSettings,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let prefetch = u16::try_from(WAKING).unwrap_or(u16::MAX);
    let mut inbox = connections.bus.inbox(P::CONSUMER, prefetch).await.context("opening the inbox")?;
    let poll = Duration::from_millis(settings.poll_interval_ms);
    let mut failures = 0_u32;
    let mut stall = Stall::of(connections.log.pool(), P::CONSUMER);
    tracing::info!(consumer = %P::CONSUMER, "running");
    let pulse = Pulse::of(format!("{} projection", P::CONSUMER));
    while !shutdown.is_cancelled() {
        pulse.beat();
        let stop = async {
            shutdown.cancelled().await;
            tokio::time::sleep(Duration::from_millis(settings.grace_ms)).await;
        };
        let advanced = advance(&mut projection, connections, &pulse, stop).await;
        failures = if advanced.is_ok() { 0 } else { failures + 1 };
        let pause = poll.mul_f64(rand::rng().random_range(0.75..1.25)) * failures.clamp(1, 30);
        match advanced {
            Ok(Advanced::Batch) => continue,
            Ok(Advanced::ToTheEnd) => stall.end().await,
            Ok(Advanced::Nothing) => {}
            Err(error) => {
                tracing::error!(consumer = %P::CONSUMER, error = format!("{error:#}"), "could not go on; trying again");
                stall.note(&error, pause).await;
            }
        }
        pulse.rest();
        let received = tokio::select! {
            () = shutdown.cancelled() => Received::Hint,
            received = inbox.receive(WAKING), if failures == 0 => received,
            () = tokio::time::sleep(pause) => Received::Hint,
        };
        // Acknowledged at once: what the messages tell of is in the log, whatever becomes of this process.
        if let Received::Messages(messages) = received {
            Message::ack_all(messages).await;
        }
    }
    tracing::info!(consumer = %P::CONSUMER, "stopped");
    Ok(())
}

/// How far a projection has got.
enum Advanced {
    /// It is paused.
    Nothing,
    /// There is more.
    Batch,
    /// The log has been read to its end, and what is done then has been done.
    ToTheEnd,
}

/// Applies one batch, unless the projection is paused.
async fn advance<P: Projection>(
    projection: &mut P,
    connections: &Connections,
    pulse: &Pulse,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Advanced> {
    if jobs::paused(connections.log.pool(), P::CONSUMER).await.context("asking whether it is paused")?.is_some() {
        return Ok(Advanced::Nothing);
    }
    let checkpoint = projection.checkpoint().await.context("reading the checkpoint")?;
    let events = connections.log.read(checkpoint, READ_LIMIT).await.context("reading the log")?;
    let caught_up = i64::try_from(events.len()).unwrap_or(i64::MAX) < READ_LIMIT;
    let head = connections.log.head().await.context("reading the log's head")?;
    // Also before it is applied: a projection that cannot go on falls behind all the same.
    tell_lag::<P>(checkpoint, head, events.first());
    if let Some(last) = events.last() {
        let _applying = trace::follow_each(&events, "consumer", "apply");
        projection.apply(&events).await.with_context(|| format!("applying events up to position {}", last.position))?;
        metrics::counter!("atelier_projection_events_total", "consumer" => P::CONSUMER.name())
            .increment(events.len() as u64);
        metrics::gauge!("atelier_projection_checkpoint", "consumer" => P::CONSUMER.name()).set(float(last.position.0));
        tell_lag::<P>(last.position, head, Some(last).filter(|_| !caught_up));
    }
    if !caught_up {
        return Ok(Advanced::Batch);
    }
    // It may deploy a whole gallery.
    pulse.rest();
    tokio::select! {
        done = projection.caught_up() => done.map(|()| Advanced::ToTheEnd),
        () = stop => {
            tracing::info!(consumer = %P::CONSUMER, "given up: the next start does it again");
            Ok(Advanced::Nothing)
        }
    }
}

/// How far the projection is behind the log: in events, and in the age of the first event that it has not applied (or,
/// where that has not been read, of the last that it has).
fn tell_lag<P: Projection>(checkpoint: Position, head: Position, oldest: Option<&Recorded>) {
    let events = (head.0 - checkpoint.0).max(0);
    let age = oldest.map_or(0.0, |event| (OffsetDateTime::now_utc() - event.occurred_at).as_seconds_f64());
    metrics::gauge!("atelier_projection_lag_events", "consumer" => P::CONSUMER.name()).set(float(events));
    // The times of events are the database's, whose clock may be ahead of this one's.
    metrics::gauge!("atelier_projection_lag_seconds", "consumer" => P::CONSUMER.name()).set(age.max(0.0));
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; positions stay far below 2^52")]
fn float(number: i64) -> f64 {
    number as f64
}
