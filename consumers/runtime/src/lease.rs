//! The leases of the attempts that run in this process: renewed while they run, and the end of an attempt whose lease is
//! gone (the job was cancelled, or rescued and taken over).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atelier_events::jobs;
use atelier_events::signal::Channel;
use atelier_events::{Consumer, Log};
use tokio_util::sync::CancellationToken;

/// Renewals in the time a lease lasts: two may be lost before it ends.
const RENEWALS: u32 = 3;

/// The leases that this worker holds. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Leases {
    /// By job: its fence, and what stops its attempt.
    held: Arc<Mutex<HashMap<i64, (i64, CancellationToken)>>>,
}

/// Who holds them.
pub(crate) struct Holder {
    pub(crate) name: String,
    pub(crate) consumer: Consumer,
    pub(crate) concurrency: usize,
}

impl Holder {
    /// For those who ask why a job waits: nothing else depends on it.
    async fn report(&self, log: &Log) {
        if let Err(error) = jobs::report_worker(log.pool(), &self.name, self.consumer, self.concurrency).await {
            tracing::debug!(error = %error, "could not report the worker");
        }
    }
}

/// Holds a job's lease; dropping it lets it go.
pub(crate) struct Held {
    leases: Leases,
    job: i64,
    fence: i64,
    pub(crate) lost: CancellationToken,
}

impl Leases {
    pub(crate) fn hold(&self, job: i64, fence: i64) -> Held {
        let lost = CancellationToken::new();
        // A job whose lease ended here may come back to this very worker: its attempt from before is void.
        if let Some((_, before)) = self.with(|held| held.insert(job, (fence, lost.clone()))) {
            before.cancel();
        }
        Held { leases: self.clone(), job, fence, lost }
    }

    /// Renews for ever, and says that this worker lives. A cancelled job is noticed at once, not at the next renewal.
    pub(crate) async fn renew(self, log: Log, holder: Holder, lease_ttl_ms: u32) {
        let mut cancelled = log.signals().subscribe(Channel::Cancelled);
        let mut ticks = tokio::time::interval(Duration::from_millis(u64::from(lease_ttl_ms / RENEWALS).max(1)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let told = tokio::select! {
                _ = ticks.tick() => false,
                told = cancelled.changed() => told.is_ok(),
            };
            if !told {
                holder.report(&log).await;
            }
            let leases = self.with(|held| held.iter().map(|(job, (fence, _))| (*job, *fence)).collect::<Vec<_>>());
            if leases.is_empty() {
                continue;
            }
            match jobs::renew(log.loops(), &leases, i64::from(lease_ttl_ms)).await {
                Ok(alive) => self.stop_lost(&leases, &alive),
                // The next tick tries again; should the lease end meanwhile, the fence makes this attempt's result void.
                Err(error) => tracing::warn!(error = %error, "could not renew leases"),
            }
        }
    }

    fn stop_lost(&self, asked: &[(i64, i64)], alive: &[i64]) {
        let alive: HashSet<i64> = alive.iter().copied().collect();
        self.with(|held| {
            for (job, fence) in asked.iter().filter(|(job, _)| !alive.contains(job)) {
                if let Some((_, lost)) = held.get(job).filter(|(current, _)| current == fence) {
                    lost.cancel();
                }
            }
        });
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashMap<i64, (i64, CancellationToken)>) -> T) -> T {
        change(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.leases.with(|held| {
            if held.get(&self.job).is_some_and(|(fence, _)| *fence == self.fence) {
                held.remove(&self.job);
            }
        });
    }
}
