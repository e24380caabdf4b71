//! Claiming: the time-limited right to run one attempt.

use serde_json::Value;
use sqlx::{PgExecutor, PgPool};

use crate::consumer::Consumer;
use crate::event::Recorded;

/// A job that this worker has the lease of.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Claimed {
    /// The job's id.
    pub job: i64,
    /// Which try this is, from 1.
    pub attempt: i32,
    /// Makes this attempt's result void once another has claimed the job.
    pub fence: i64,
    /// What went wrong last time.
    pub error: Option<String>,
    /// The event to act on.
    #[sqlx(flatten)]
    pub event: Recorded,
}

/// Claims available jobs: interactive before bulk, the oldest first; none while the consumer is paused.
pub async fn claim(
    executor: impl PgExecutor<'_>,
    consumer: Consumer,
    limit: i64,
    worker: &str,
    lease_ms: i64,
) -> sqlx::Result<Vec<Claimed>> {
    sqlx::query_as(include_str!("../../sql/claim_jobs.sql"))
        .bind(consumer.name())
        .bind(limit)
        .bind(worker)
        .bind(lease_ms)
        .fetch_all(executor)
        .await
}

/// Renews the leases of `(job, fence)` and answers the jobs that are still this worker's: one that is missing was
/// cancelled or has been taken over, and its attempt is to be stopped.
pub async fn renew(pool: &PgPool, leases: &[(i64, i64)], lease_ms: i64) -> sqlx::Result<Vec<i64>> {
    let (jobs, fences): (Vec<i64>, Vec<i64>) = leases.iter().copied().unzip();
    sqlx::query_scalar(include_str!("../../sql/renew_leases.sql"))
        .bind(jobs)
        .bind(fences)
        .bind(lease_ms)
        .fetch_all(pool)
        .await
}

/// Says how far attempts have come, each by the job and fence of its lease; those whose lease is gone are nobody's any more.
pub async fn report_progress(pool: &PgPool, told: Vec<(i64, i64, Value)>) -> sqlx::Result<()> {
    let mut columns: (Vec<i64>, Vec<i64>, Vec<Value>) = Default::default();
    for (job, fence, progress) in told {
        columns.0.push(job);
        columns.1.push(fence);
        columns.2.push(progress);
    }
    let statement = sqlx::query(include_str!("../../sql/report_progress.sql"));
    statement.bind(columns.0).bind(columns.1).bind(columns.2).execute(pool).await.map(drop)
}

/// Takes at most `wanted` starts from the consumer's rate of so many a minute, which all its daemons share.
pub async fn take_starts(pool: &PgPool, consumer: Consumer, per_minute: f64, wanted: i64) -> sqlx::Result<i64> {
    let taken: Option<i64> = sqlx::query_scalar(include_str!("../../sql/take_starts.sql"))
        .bind(consumer.name())
        .bind(per_minute)
        .bind(wanted)
        .fetch_optional(pool)
        .await?;
    if let Some(taken) = taken {
        return Ok(taken);
    }
    sqlx::query(include_str!("../../sql/begin_rate.sql")).bind(consumer.name()).execute(pool).await?;
    Ok(0)
}

/// Gives back starts that found no job.
pub async fn return_starts(pool: &PgPool, consumer: Consumer, left: i64) -> sqlx::Result<()> {
    let statement = sqlx::query(include_str!("../../sql/return_starts.sql")).bind(consumer.name());
    #[expect(clippy::cast_precision_loss, reason = "as many as a worker's slots")]
    statement.bind(left as f64).execute(pool).await.map(drop)
}

/// Says that a worker is alive.
pub async fn report_worker(pool: &PgPool, name: &str, consumer: Consumer, concurrency: usize) -> sqlx::Result<()> {
    sqlx::query(include_str!("../../sql/report_worker.sql"))
        .bind(name)
        .bind(consumer.name())
        .bind(i32::try_from(concurrency).unwrap_or(i32::MAX))
        .bind(env!("CARGO_PKG_VERSION"))
        .execute(pool)
        .await
        .map(drop)
}

/// Says that a worker has stopped.
pub async fn forget_worker(pool: &PgPool, name: &str) -> sqlx::Result<()> {
    sqlx::query(include_str!("../../sql/forget_worker.sql")).bind(name).execute(pool).await.map(drop)
}
