//! Jobs that ended long ago are forgotten, so that the table stays as large as the work of a week and no larger. The log
//! remembers them for ever.

use std::time::Duration;

use atelier_events::jobs;
use tokio_util::sync::CancellationToken;

use super::{Relay, jittered};

/// Between two walks over the table, at the most; a tenth of the time that jobs are kept if that is less.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// Between two pages: the walk is never in anybody's way.
const BREATH: Duration = Duration::from_millis(50);
/// Jobs looked at in one statement.
const PAGE: i64 = 1_000;

/// Walks over the table at intervals until it is stopped.
pub(super) async fn run(relay: &Relay, stop: &CancellationToken) {
    let Some(keep_s) = relay.keep_jobs_s else { return };
    let walks = Duration::from_secs(u64::from(keep_s)).div_f64(10.0).min(LONGEST_PAUSE);
    let mut after = Some(0);
    loop {
        let pause = if after.is_some() { BREATH } else { walks };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(jittered(pause)) => {}
        }
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
