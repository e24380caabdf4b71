//! The relay: turns new events into jobs and publishes them, and sends jobs whose time has come.
//!
//! One leads at a time, in whatever process; the others wait for its lease to end:
//!
//! ```text
//!             lease free                    lease renewed every third of its time
//!  waiting ───────────────▶ leading ──┬──▶ publish: read after checkpoint, enlist, publish, advance (fenced)
//!     ▲                        │      ├──▶ schedule: due and rescued jobs to their consumers
//!     │                        │      ├──▶ poison: what no consumer could take is kept for who looks
//!     │                        │      └──▶ prune: jobs that ended, and keys that came, long ago are forgotten
//!     └────── lease lost ──────┘
//! ```
//!
//! A leader that is late does no harm. Enlisting twice changes nothing, publishing twice is what consumers expect, and
//! the checkpoint is moved by the present term alone.

mod poison;
mod prune;
mod publish;
mod schedule;

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use atelier_events::Log;
use atelier_events::bus::{Bus, PUBLISH_LIMIT};
use atelier_events::lead::{self, Term};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::settings::RelaySettings;

/// The leadership's name.
const NAME: &str = "relay";

/// The shortest time that keys can be remembered for, in seconds: an hour.
const KEEP_KEYS_MIN_S: u32 = 3_600;

/// The lease is renewed so many times in its length: two renewals may fail before it is lost.
const RENEWALS: u32 = 3;
/// The longest pause beside the one that is asked for.
const LONGEST_JITTER: f64 = 1.25;

/// The relay with its connections.
#[derive(Clone)]
struct Relay {
    log: Log,
    bus: Arc<dyn Bus>,
    lease: Duration,
    poll: Duration,
    batch: usize,
    /// How long ended jobs are kept, in seconds; none for ever.
    keep_jobs_s: Option<u32>,
    /// How long the keys of commands are remembered, in seconds; none for ever.
    keep_keys_s: Option<u32>,
    /// Unique to this run: a process that starts again is another holder.
    holder: String,
}

/// Leads whenever nobody else does, until the shutdown; then lets another take over at once.
pub async fn run(
    log: Log,
    bus: Arc<dyn Bus>,
    settings: RelaySettings,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    ensure!(
        !(1..KEEP_KEYS_MIN_S).contains(&settings.keep_idempotency_keys_s),
        "relay.keep_idempotency_keys_s is {}: make it {KEEP_KEYS_MIN_S} at the least, since a client may be sending its \
         command again for that long, or 0 to remember keys for ever",
        settings.keep_idempotency_keys_s
    );
    let relay = Relay {
        log,
        bus,
        lease: Duration::from_millis(settings.lease_ttl_ms.max(100)),
        poll: Duration::from_millis(settings.poll_interval_ms.max(1)),
        batch: settings.batch.clamp(1, PUBLISH_LIMIT),
        keep_jobs_s: (settings.keep_jobs_s > 0).then_some(settings.keep_jobs_s),
        keep_keys_s: (settings.keep_idempotency_keys_s > 0).then_some(settings.keep_idempotency_keys_s),
        holder: Uuid::now_v7().to_string(),
    };
    metrics::gauge!("atelier_relay_leads").set(0.0);
    while !shutdown.is_cancelled() {
        let asked = Instant::now();
        match relay.take().await {
            Ok(Some(term)) => relay.lead(term, asked + relay.lease, &shutdown).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(error = %error, "the relay could not ask who leads; trying again"),
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(jittered(relay.lease / RENEWALS)) => {}
        }
    }
    if let Err(error) = lead::resign(relay.log.pool(), NAME, &relay.holder).await {
        tracing::warn!(error = %error, "the relay could not give its lease back; it ends by itself");
    }
    Ok(())
}

impl Relay {
    async fn take(&self) -> sqlx::Result<Option<Term>> {
        let lease_ms = i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX);
        lead::take(self.log.loops(), NAME, &self.holder, lease_ms).await
    }

    /// Leads until the lease is lost or the shutdown. Both loops end between two statements and never inside one.
    async fn lead(&self, term: Term, until: Instant, shutdown: &CancellationToken) {
        tracing::info!(relay.holder = self.holder, "the relay leads");
        metrics::gauge!("atelier_relay_leads").set(1.0);
        let stop = shutdown.child_token();
        tokio::join!(
            self.keep(term, until, &stop),
            publish::run(self, term, &stop),
            schedule::run(self, &stop),
            poison::run(self, &stop),
            prune::run(self, &stop)
        );
        metrics::gauge!("atelier_relay_leads").set(0.0);
        tracing::info!(relay.holder = self.holder, "the relay does not lead any more");
    }

    /// Renews the lease; cancels `stop` when it is lost, or could not be renewed before it ended.
    async fn keep(&self, term: Term, mut until: Instant, stop: &CancellationToken) {
        let _lost = stop.clone().drop_guard();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.lease / RENEWALS) => {}
            }
            let asked = Instant::now();
            match tokio::time::timeout_at(until, self.take()).await {
                Ok(Ok(Some(renewed))) if renewed == term => until = asked + self.lease,
                // Another leads, or nobody answered before the lease ended.
                Ok(Ok(_)) | Err(_) => return,
                Ok(Err(error)) => tracing::warn!(error = %error, "the relay could not renew its lease; trying again"),
            }
            if Instant::now() >= until {
                return;
            }
        }
    }
}

/// A pause that differs a little each time, so that processes that started together do not stay together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.75..LONGEST_JITTER))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LONGEST_JITTER, RENEWALS};
    use crate::settings::RelaySettings;

    #[test]
    fn by_the_settings_another_leads_within_five_seconds_of_a_leader_s_last_breath() {
        let lease = Duration::from_millis(RelaySettings::default().lease_ttl_ms);
        let asked_again = (lease / RENEWALS).mul_f64(LONGEST_JITTER);
        assert!(lease + asked_again < Duration::from_secs(5), "{lease:?} and {asked_again:?}");
    }
}
