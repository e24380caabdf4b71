//! New events become jobs and messages, in log order, at least once.

use std::time::Duration;

use anyhow::Context as _;
use atelier_events::health::Pulse;
use atelier_events::lead::{self, Term};
use atelier_events::{Position, jobs, passed_over, trace};
use tokio_util::sync::CancellationToken;

use super::{NAME, Relay, jittered};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What one pass over the log came to.
enum Pass {
    /// There was nothing after the checkpoint.
    Nothing,
    /// The checkpoint is here now.
    Moved(Position),
    /// Another leads.
    Fenced,
}

/// Publishes until it is stopped or another leads.
pub(super) async fn run(relay: &Relay, term: Term, stop: &CancellationToken) {
    let mut grown = relay.log.grown();
    let mut at = None;
    let mut pause = FIRST_PAUSE;
    let pulse = Pulse::of("relay publish");
    while !stop.is_cancelled() {
        pulse.beat();
        // Registered before reading: what is appended from here on ends the wait below.
        grown.borrow_and_update();
        match pass(relay, term, at).await {
            Ok(Pass::Moved(position)) => {
                at = Some(position);
                pause = FIRST_PAUSE;
            }
            Ok(Pass::Nothing) => {
                pause = FIRST_PAUSE;
                pulse.rest();
                tokio::select! {
                    () = stop.cancelled() => {}
                    _ = grown.changed() => {}
                    () = tokio::time::sleep(jittered(relay.poll)) => {}
                }
            }
            Ok(Pass::Fenced) => return stop.cancel(),
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

/// Jobs before messages: a message must find its job. The checkpoint last: whatever fails before is done again. One
/// connection for both, so that a crash of the database between them is a failure.
async fn pass(relay: &Relay, term: Term, at: Option<Position>) -> anyhow::Result<Pass> {
    let pool = relay.log.loops();
    let mut connection = pool.acquire().await.context("the database cannot be reached")?;
    let after = match at {
        Some(position) => position,
        None => lead::checkpoint(pool, NAME).await.context("the checkpoint could not be read")?,
    };
    let limit = i64::try_from(relay.batch).unwrap_or(i64::MAX);
    let events = relay.log.read_over(&mut *connection, after, limit).await.context("the log could not be read")?;
    let Some(last) = events.last().map(|event| event.position) else { return Ok(Pass::Nothing) };
    jobs::enlist(&mut *connection, after, last).await.context("the jobs could not be enlisted")?;
    passed_over::note(pool, &events).await.context("events of unknown types could not be noted")?;
    let publishing = trace::follow_each(&events, "producer", "publish");
    relay.bus.publish(&events).await.context("the bus did not take the events")?;
    drop(publishing);
    if !lead::advance_relay(&mut *connection, last, term).await.context("the checkpoint could not be moved")? {
        return Ok(Pass::Fenced);
    }
    metrics::counter!("atelier_relay_published_total").increment(events.len() as u64);
    let waited = metrics::histogram!("atelier_relay_publish_seconds");
    for event in &events {
        waited.record(event.age().as_secs_f64());
    }
    metrics::histogram!("atelier_relay_batch_events")
        .record(f64::from(u32::try_from(events.len()).unwrap_or(u32::MAX)));
    Ok(Pass::Moved(last))
}
