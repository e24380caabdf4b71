//! New events become jobs and messages, in log order, at least once.

use std::time::Duration;

use anyhow::Context as _;
use atelier_events::bus::BusError;
use atelier_events::connect::Kept;
use atelier_events::health::Pulse;
use atelier_events::lead::{self, Term};
use atelier_events::{Position, Recorded, jobs, passed_over, trace};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{NAME, Relay, jittered};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Windows that the bus may have and not have confirmed: while one waits, the next are read, enlisted and sent.
const WINDOWS: usize = 4;

/// What the log had after the checkpoint.
enum Published {
    /// All of it, confirmed; the checkpoint is here now.
    UpTo(Position),
    /// Another leads.
    Fenced,
}

/// Publishes until it is stopped or another leads.
pub(super) async fn run(relay: &Relay, term: Term, stop: &CancellationToken) {
    let mut grown = relay.log.grown();
    let mut kept = relay.log.kept();
    let mut at = None;
    let mut pause = FIRST_PAUSE;
    let pulse = Pulse::of("relay publish");
    while !stop.is_cancelled() {
        match publish_new(relay, term, at, &mut kept, &mut grown, stop, &pulse).await {
            Ok(Published::UpTo(position)) => {
                at = Some(position);
                pause = FIRST_PAUSE;
                pulse.rest();
                tokio::select! {
                    () = stop.cancelled() => {}
                    _ = grown.changed() => {}
                    () = tokio::time::sleep(jittered(relay.poll)) => {}
                }
            }
            Ok(Published::Fenced) => return stop.cancel(),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "events could not be published; trying again");
                metrics::counter!("atelier_relay_errors_total").increment(1);
                // What the checkpoint is now is as unknown as what the bus has taken.
                at = None;
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(jittered(pause)) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Jobs before messages: a message must find its job. The checkpoint last and in order: whatever fails before is done again.
/// One connection for all of it, so that a crash of the database between enlisting and checkpoint is a failure.
async fn publish_new(
    relay: &Relay,
    term: Term,
    at: Option<Position>,
    kept: &mut Kept,
    grown: &mut watch::Receiver<u64>,
    stop: &CancellationToken,
    pulse: &Pulse,
) -> anyhow::Result<Published> {
    let pool = relay.log.loops();
    let mut connection = kept.take().await.context("the database cannot be reached")?;
    let mut checkpoint = match at {
        Some(position) => position,
        None => lead::checkpoint(pool, NAME).await.context("the checkpoint could not be read")?,
    };
    let limit = i64::try_from(relay.batch).unwrap_or(i64::MAX);
    let (mut sent, mut more) = (checkpoint, true);
    let mut windows: FuturesOrdered<BoxFuture<'_, Result<Vec<Recorded>, BusError>>> = FuturesOrdered::new();
    loop {
        pulse.beat();
        let room = windows.len() < WINDOWS && !stop.is_cancelled();
        tokio::select! {
            biased;
            // First, so that one window is on its way before the next is read.
            Some(confirmed) = windows.next() => {
                let confirmed = confirmed.context("the bus did not take the events")?;
                let Some(last) = confirmed.last() else { continue };
                let moved = lead::advance_relay(&mut connection, last.position, term).await;
                if !moved.context("the checkpoint could not be moved")? {
                    return Ok(Published::Fenced);
                }
                checkpoint = last.position;
                count(&confirmed);
            }
            () = std::future::ready(()), if room && more => {
                // Registered before reading: what is appended from here on is told below, or to who waits next.
                grown.borrow_and_update();
                let events =
                    relay.log.read_over(&mut connection, sent, limit).await.context("the log could not be read")?;
                let Some(last) = events.last().map(|event| event.position) else {
                    more = false;
                    continue;
                };
                jobs::enlist(&mut connection, sent, last).await.context("the jobs could not be enlisted")?;
                passed_over::note(pool, &events).await.context("events of unknown types could not be noted")?;
                sent = last;
                windows.push_back(Box::pin(publish(relay, events)));
            }
            _ = grown.changed(), if room && !windows.is_empty() => more = true,
            else => break,
        }
    }
    kept.give_back(connection);
    Ok(Published::UpTo(checkpoint))
}

async fn publish(relay: &Relay, events: Vec<Recorded>) -> Result<Vec<Recorded>, BusError> {
    let publishing = trace::follow_each(&events, "producer", "publish");
    relay.bus.publish(&events).await?;
    drop(publishing);
    Ok(events)
}

fn count(published: &[Recorded]) {
    metrics::counter!("atelier_relay_published_total").increment(published.len() as u64);
    let waited = metrics::histogram!("atelier_relay_publish_seconds");
    for event in published {
        waited.record(event.age().as_secs_f64());
    }
    metrics::histogram!("atelier_relay_batch_events")
        .record(f64::from(u32::try_from(published.len()).unwrap_or(u32::MAX)));
}
