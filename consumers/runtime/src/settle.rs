//! Settling: the ends of attempts, and the events that tell of them, many jobs in one transaction.

use atelier_events::Log;
use atelier_events::jobs::{self, Settlement};
use atelier_events::signal::Channel;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Attempts that may have ended and wait to be settled.
pub(crate) const WAITING_LIMIT: usize = 1_024;
/// Jobs in one transaction, at the most.
const BATCH: usize = 256;
/// How often a settlement that the database does not take is tried again before the lease is left to end.
const TRIES: u32 = 5;

/// Settles until the last sender is gone and everything received has been settled.
pub(crate) async fn run(log: Log, mut ended: mpsc::Receiver<(Settlement, tracing::Span)>) {
    let mut received = Vec::with_capacity(BATCH);
    while ended.recv_many(&mut received, BATCH).await > 0 {
        let (batch, spans): (Vec<_>, Vec<_>) = received.drain(..).unzip();
        let began = Instant::now();
        settle(&log, &batch).await;
        drop(spans);
        metrics::histogram!("atelier_settle_seconds").record(began.elapsed().as_secs_f64());
        metrics::histogram!("atelier_settle_batch_jobs")
            .record(f64::from(u32::try_from(batch.len()).unwrap_or(u32::MAX)));
    }
}

async fn settle(log: &Log, batch: &[Settlement]) {
    for try_number in 0..TRIES {
        match jobs::settle(log.pool(), batch).await {
            Ok(settled) => return told(log, batch, &settled),
            // One settlement that the database cannot take, or the log refuses, must not hold up its neighbours.
            Err(error)
                if matches!(error, sqlx::Error::Database(_) | sqlx::Error::Encode(_) | sqlx::Error::Protocol(_)) =>
            {
                return settle_each(log, batch).await;
            }
            Err(error) => {
                tracing::warn!(error = %error, jobs = batch.len(), "could not settle; trying again");
                tokio::time::sleep(Duration::from_millis(100 << try_number)).await;
            }
        }
    }
    tracing::error!(jobs = batch.len(), "could not settle; the jobs will run again when their leases end");
}

async fn settle_each(log: &Log, batch: &[Settlement]) {
    for settlement in batch {
        let one = std::slice::from_ref(settlement);
        match jobs::settle(log.pool(), one).await {
            Ok(settled) => told(log, one, &settled),
            Err(error) => {
                tracing::error!(error = %error, job.id = settlement.job, "could not settle; the job will run again when its lease ends");
            }
        }
    }
}

fn told(log: &Log, batch: &[Settlement], settled: &[i64]) {
    let stale = batch.len() - settled.len();
    if stale > 0 {
        metrics::counter!("atelier_jobs_stale_total").increment(stale as u64);
        tracing::info!(jobs = stale, "late results are void: their jobs were cancelled or taken over");
    }
    if batch.iter().any(|settlement| !settlement.writes.is_empty() && settled.contains(&settlement.job)) {
        log.signals().raise(Channel::Log);
    }
    log.signals().raise(Channel::Settled);
}
