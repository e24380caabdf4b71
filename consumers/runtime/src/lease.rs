//! The leases of the attempts that run in this process: renewed while they run, and the end of an attempt whose lease is
//! gone (the job was cancelled, or rescued and taken over).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atelier_events::jobs;
use atelier_events::signal::Channel;
use atelier_events::{Consumer, Log};
use tokio_util::sync::CancellationToken;

use crate::progress::Progress;

/// Renewals in the time a lease lasts: two may be lost before it ends.
const RENEWALS: u32 = 3;

/// How often what attempts tell of their progress is written down.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The leases that this worker holds. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Leases {
    /// By job.
    held: Arc<Mutex<HashMap<i64, Holding>>>,
}

struct Holding {
    fence: i64,
    /// What stops the attempt.
    lost: CancellationToken,
    progress: Progress,
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
    pub(crate) progress: Progress,
}

impl Leases {
    pub(crate) fn hold(&self, job: i64, fence: i64) -> Held {
        let (lost, progress) = (CancellationToken::new(), Progress::default());
        let holding = Holding { fence, lost: lost.clone(), progress: progress.clone() };
        // A job whose lease ended here may come back to this very worker: its attempt from before is void.
        if let Some(before) = self.with(|held| held.insert(job, holding)) {
            before.lost.cancel();
        }
        Held { leases: self.clone(), job, fence, lost, progress }
    }

    /// Renews for ever, and says that this worker lives. A cancelled job is noticed at once, not at the next renewal.
    pub(crate) async fn renew(self, log: Log, holder: Holder, lease_ttl_ms: u32) {
        let mut cancelled = log.signals().subscribe(Channel::Cancelled);
        let mut ticks = tokio::time::interval(Duration::from_millis(u64::from(lease_ttl_ms / RENEWALS).max(1)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut reports = tokio::time::interval(REPORT_INTERVAL);
        reports.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let told = tokio::select! {
                _ = ticks.tick() => false,
                told = cancelled.changed() => told.is_ok(),
                _ = reports.tick() => {
                    self.report_progress(&log).await;
                    continue;
                }
            };
            if !told {
                holder.report(&log).await;
            }
            let leases = self.with(|held| held.iter().map(|(job, one)| (*job, one.fence)).collect::<Vec<_>>());
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
                if let Some(one) = held.get(job).filter(|one| one.fence == *fence) {
                    one.lost.cancel();
                }
            }
        });
    }

    /// For those who wait for an attempt: nothing else depends on it.
    async fn report_progress(&self, log: &Log) {
        let news = |(job, one): (&i64, &Holding)| Some((*job, one.fence, one.progress.news()?));
        let told = self.with(|held| held.iter().filter_map(news).collect::<Vec<_>>());
        if told.is_empty() {
            return;
        }
        if let Err(error) = jobs::report_progress(log.loops(), told).await {
            tracing::debug!(error = %error, "could not report the progress of attempts");
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashMap<i64, Holding>) -> T) -> T {
        change(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.leases.with(|held| {
            if held.get(&self.job).is_some_and(|one| one.fence == self.fence) {
                held.remove(&self.job);
            }
        });
    }
}
