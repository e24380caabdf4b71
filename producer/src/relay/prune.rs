//! Jobs that ended long ago, and the keys of commands that came long ago, are forgotten, so that their tables stay as large
//! as the work of a week or a month and no larger. The log remembers what happened for ever.

use std::time::Duration;

use atelier_events::jobs;
use tokio_util::sync::CancellationToken;

use super::{Relay, jittered};

/// Between two walks over a table, at the most; a tenth of the time that its rows are kept if that is less.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// Between two pages: the walk is never in anybody's way.
const BREATH: Duration = Duration::from_millis(50);
/// Rows looked at in one statement.
const PAGE: i64 = 1_000;

/// Walks over the tables at intervals until it is stopped.
pub(super) async fn run(relay: &Relay, stop: &CancellationToken) {
    tokio::join!(forget_jobs(relay, stop), forget_keys(relay, stop));
}

async fn forget_jobs(relay: &Relay, stop: &CancellationToken) {
    let Some(keep_s) = relay.keep_jobs_s else { return };
    let mut after = Some(0);
    while pause(keep_s, after.is_some(), stop).await.is_some() {
        match jobs::prune(relay.log.pool(), i64::from(keep_s), PAGE, after.unwrap_or(0)).await {
            Ok((next, gone)) => {
                metrics::counter!("atelier_jobs_pruned_total").increment(gone.unsigned_abs());
                after = next;
            }
            Err(error) => {
                tracing::warn!(error = %error, "old jobs could not be pruned; trying again");
                after = None;
            }
        }
    }
}

async fn forget_keys(relay: &Relay, stop: &CancellationToken) {
    let Some(keep_s) = relay.keep_keys_s else { return };
    let mut more = true;
    while pause(keep_s, more, stop).await.is_some() {
        match relay.log.forget_keys(i64::from(keep_s), PAGE).await {
            Ok(gone) => {
                metrics::counter!("atelier_idempotency_keys_pruned_total").increment(gone.unsigned_abs());
                more = gone == PAGE;
            }
            Err(error) => {
                tracing::warn!(error = %error, "old idempotency keys could not be pruned; trying again");
                more = false;
            }
        }
    }
}

/// A breath in the middle of a walk, or the time until the next; none when it is stopped meanwhile.
async fn pause(keep_s: u32, walking: bool, stop: &CancellationToken) -> Option<()> {
    let walks = Duration::from_secs(u64::from(keep_s)).div_f64(10.0).min(LONGEST_PAUSE);
    tokio::select! {
        () = stop.cancelled() => None,
        () = tokio::time::sleep(jittered(if walking { BREATH } else { walks })) => Some(()),
    }
}
