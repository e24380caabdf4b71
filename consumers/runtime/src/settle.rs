//! Settling: the ends of attempts, and the events that tell of them, many jobs in one transaction.
//!
//! What the infrastructure keeps from being written is tried again for as long as one of the leases is this worker's:
//! they are renewed meanwhile, so once the database is back the work that was done counts and is not done again.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use atelier_events::connect::Kept;
use atelier_events::jobs::{self, Settlement};
use atelier_events::signal::Channel;
use atelier_events::{Log, infrastructure};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::lease::Held;

/// Attempts that may have ended and wait to be settled.
pub(crate) const WAITING_LIMIT: usize = 2_048;
/// Jobs in one transaction, at the most.
const BATCH: usize = 512;
/// Such transactions under way at the same time: while one waits for the disk, the next works.
const LANES: usize = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long a daemon that stops goes on trying; what is not settled by then runs again elsewhere.
const LAST_TRIES: Duration = Duration::from_secs(5);

/// An attempt that has ended and is to be settled.
pub(crate) struct Ended {
    pub(crate) settlement: Settlement,
    /// Renewed until it is settled.
    pub(crate) held: Held,
    /// Lasts until it is settled.
    pub(crate) span: tracing::Span,
}

/// Settles until the last sender is gone and everything received has been settled, or `stopping` was cancelled too long
/// ago.
pub(crate) async fn run(log: Log, mut ended: mpsc::Receiver<Ended>, stopping: CancellationToken) {
    let mut idle: Vec<Kept> = (0..LANES).map(|_| log.kept()).collect();
    let settler = Arc::new(Settler { log, stopping, until: OnceLock::new() });
    let mut under_way = JoinSet::new();
    let mut received = Vec::with_capacity(BATCH);
    while ended.recv_many(&mut received, BATCH).await > 0 {
        while idle.is_empty()
            && let Some(kept) = under_way.join_next().await
        {
            idle.extend(kept.ok());
        }
        let mut kept = idle.pop().unwrap_or_else(|| settler.log.kept());
        let settler = Arc::clone(&settler);
        let ended = std::mem::replace(&mut received, Vec::with_capacity(BATCH));
        under_way.spawn(async move {
            settler.settle_all(ended, &mut kept).await;
            kept
        });
    }
    under_way.join_all().await;
}

struct Settler {
    log: Log,
    stopping: CancellationToken,
    /// Once the daemon stops: until when it goes on trying, whatever still waits.
    until: OnceLock<Instant>,
}

impl Settler {
    async fn settle_all(&self, ended: Vec<Ended>, kept: &mut Kept) {
        let mut batch = Vec::with_capacity(ended.len());
        let mut held = Vec::with_capacity(ended.len());
        for one in ended {
            batch.push(one.settlement);
            held.push((one.held, one.span));
        }
        let began = Instant::now();
        self.settle(&batch, &held, kept).await;
        drop(held);
        metrics::histogram!("atelier_settle_seconds").record(began.elapsed().as_secs_f64());
        metrics::histogram!("atelier_settle_batch_jobs")
            .record(f64::from(u32::try_from(batch.len()).unwrap_or(u32::MAX)));
    }

    async fn settle(&self, batch: &[Settlement], held: &[(Held, tracing::Span)], kept: &mut Kept) {
        if self.try_out(batch, held, kept).await.is_ok() || batch.len() == 1 {
            return;
        }
        // One settlement that the database cannot take, or the log refuses, must not hold up its neighbours.
        for (one, held) in batch.chunks(1).zip(held.chunks(1)) {
            drop(self.try_out(one, held, kept).await);
        }
    }

    /// Tries until it is taken or refused, or nobody wants it any more. An error when something in it was refused.
    async fn try_out(
        &self,
        batch: &[Settlement],
        held: &[(Held, tracing::Span)],
        kept: &mut Kept,
    ) -> Result<(), Refused> {
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match settle_over(kept, batch).await {
                Ok(settled) => {
                    self.tell(batch, &settled);
                    return Ok(());
                }
                Err(error) => error,
            };
            if !infrastructure::is_to_blame(&error) {
                if let [one] = batch {
                    tracing::error!(error = %error, job.id = one.job, "could not settle; the job will run again when its lease ends");
                }
                return Err(Refused);
            }
            let late = self.stopping.is_cancelled()
                && Instant::now() >= *self.until.get_or_init(|| Instant::now() + LAST_TRIES);
            if late || held.iter().all(|(held, _)| held.lost.is_cancelled()) {
                tracing::error!(error = %error, jobs = batch.len(), "could not settle; the jobs will run again when their leases end");
                return Ok(());
            }
            tracing::warn!(error = %error, jobs = batch.len(), "could not settle; trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn tell(&self, batch: &[Settlement], settled: &[i64]) {
        let stale = batch.len() - settled.len();
        if stale > 0 {
            metrics::counter!("atelier_jobs_stale_total").increment(stale as u64);
            tracing::info!(jobs = stale, "late results are void: their jobs were cancelled or taken over");
        }
        let signals = self.log.signals();
        if batch.iter().any(|settlement| !settlement.writes.is_empty() && settled.contains(&settlement.job)) {
            signals.raise(Channel::Log);
        }
        signals.raise(Channel::Settled);
    }
}

/// Over the connection that is kept; one on which something failed is closed, and with it whatever it had begun.
async fn settle_over(kept: &mut Kept, batch: &[Settlement]) -> sqlx::Result<Vec<i64>> {
    let mut connection = kept.take().await?;
    let settled = jobs::settle_over(&mut connection, batch).await?;
    kept.give_back(connection);
    Ok(settled)
}

/// The database, or the log, does not take something that was to be settled.
struct Refused;
