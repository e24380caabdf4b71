//! Jobs: who works on which event, until when, and how it ended. Every change is one statement.
//!
//! ```text
//!              claim                 Completed
//! available ─────────▶ running ─────────────────▶ completed
//!     ▲                 │ │ │ Discarded
//!     │    lease ends   │ │ └───────────────────▶ discarded
//!     ├─────────────────┘ │ error, Snoozed
//!     │    run_at comes   ▼
//!     └──────────── retryable, scheduled          cancelled ◀── any of them, on request
//! ```

use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use crate::bus::PUBLISH_LIMIT;
use crate::consumer::{Consumer, Kind};
use crate::event::Recorded;
use crate::id::{Position, Stream};
use crate::log::{Append, Write, append_in};

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

/// The end of one attempt.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// Which job.
    pub job: i64,
    /// The claim's fence.
    pub fence: i64,
    /// What becomes of the job.
    pub end: End,
    /// What happened: appended together with the end, or not at all.
    pub writes: Vec<Write>,
}

/// What becomes of a job after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Done.
    Completed,
    /// Again later, because of an error.
    Retryable {
        /// Why.
        error: String,
        /// From now, in milliseconds.
        delay_ms: i64,
    },
    /// Again later, without counting as an attempt.
    Snoozed {
        /// From now, in milliseconds.
        delay_ms: i64,
    },
    /// Back to the queue at once, without counting as an attempt: the worker stops.
    Released,
    /// Never again, unless someone asks for it.
    Discarded {
        /// Why.
        error: String,
    },
}

impl End {
    fn state(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Retryable { .. } => "retryable",
            Self::Snoozed { .. } => "scheduled",
            Self::Released => "available",
            Self::Discarded { .. } => "discarded",
        }
    }

    fn error(&self) -> Option<&str> {
        match self {
            Self::Retryable { error, .. } | Self::Discarded { error } => Some(error),
            Self::Completed | Self::Snoozed { .. } | Self::Released => None,
        }
    }

    fn refund(&self) -> i32 {
        i32::from(matches!(self, Self::Snoozed { .. } | Self::Released))
    }

    fn delay_ms(&self) -> i64 {
        match self {
            Self::Retryable { delay_ms, .. } | Self::Snoozed { delay_ms } => *delay_ms,
            Self::Completed | Self::Released | Self::Discarded { .. } => 0,
        }
    }
}

/// A job as its row tells it.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Job {
    /// The job's id.
    pub id: i64,
    /// Whose it is.
    pub consumer: String,
    /// The event it is about.
    pub position: Position,
    /// The event's stream.
    pub stream: Stream,
    /// available, scheduled, running, retryable, completed, cancelled or discarded.
    pub state: String,
    /// Tries so far.
    pub attempt: i32,
    /// Not before this.
    #[serde(with = "time::serde::rfc3339")]
    pub run_at: OffsetDateTime,
    /// Who has, or had, its lease.
    pub worker: Option<String>,
    /// What went wrong last.
    pub error: Option<String>,
    /// When the relay enlisted it.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the last try began.
    #[serde(with = "time::serde::rfc3339::option")]
    pub attempted_at: Option<OffsetDateTime>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
}

/// Which jobs to list; a filter that is not set is off.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this consumer.
    pub consumer: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// About this stream.
    pub stream: Option<Stream>,
    /// About this event.
    pub position: Option<Position>,
    /// Older than this job: the last of the page before.
    pub before: Option<i64>,
}

/// How many jobs a consumer has in a state.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Count {
    /// Whose.
    pub consumer: String,
    /// The state.
    pub state: String,
    /// How many.
    pub jobs: i64,
}

/// Claims the jobs that have waited longest.
pub async fn claim_available(
    pool: &PgPool,
    consumer: Consumer,
    limit: i64,
    worker: &str,
    lease_ms: i64,
) -> sqlx::Result<Vec<Claimed>> {
    sqlx::query_as(include_str!("../sql/claim_available_jobs.sql"))
        .bind(consumer.name())
        .bind(limit)
        .bind(worker)
        .bind(lease_ms)
        .fetch_all(pool)
        .await
}

/// Claims the jobs of delivered events. One that is done, cancelled, leased or not due does not come back: there is
/// nothing to do for it.
pub async fn claim_delivered(
    pool: &PgPool,
    consumer: Consumer,
    positions: &[Position],
    worker: &str,
    lease_ms: i64,
) -> sqlx::Result<Vec<Claimed>> {
    let positions: Vec<i64> = positions.iter().map(|position| position.0).collect();
    sqlx::query_as(include_str!("../sql/claim_delivered_jobs.sql"))
        .bind(consumer.name())
        .bind(positions)
        .bind(worker)
        .bind(lease_ms)
        .fetch_all(pool)
        .await
}

/// Renews the leases of `(job, fence)` and answers the jobs that are still this worker's: one that is missing was
/// cancelled or has been taken over, and its attempt is to be stopped.
pub async fn renew(pool: &PgPool, leases: &[(i64, i64)], lease_ms: i64) -> sqlx::Result<Vec<i64>> {
    let (jobs, fences): (Vec<i64>, Vec<i64>) = leases.iter().copied().unzip();
    sqlx::query_scalar(include_str!("../sql/renew_leases.sql"))
        .bind(jobs)
        .bind(fences)
        .bind(lease_ms)
        .fetch_all(pool)
        .await
}

/// Ends attempts and appends what came of them in one transaction. Answers the jobs whose end was taken: the others'
/// fence was stale, and nothing of theirs is in the log.
pub async fn settle(pool: &PgPool, settlements: &[Settlement]) -> sqlx::Result<Vec<i64>> {
    let mut tx = pool.begin().await?;
    let ended = end_attempts(&mut tx, settlements).await?;
    let append =
        Append { key: None, writes: merged(settlements.iter().filter(|one| ended.contains(&(one.job, one.fence)))) };
    if !append.writes.is_empty() {
        for appended in append_in(&mut tx, &[&append]).await? {
            // What a job reports is true whatever version its stream is at, so nothing refuses it; should a job
            // expect a version all the same, the whole settlement is taken back and the attempt repeated.
            appended.map_err(|refused| sqlx::Error::Protocol(refused.to_string()))?;
        }
    }
    tx.commit().await?;
    Ok(ended.into_iter().map(|(job, _)| job).collect())
}

/// One write per stream, as an append wants it: two variants of one artwork may end at the same time.
fn merged<'a>(settlements: impl Iterator<Item = &'a Settlement>) -> Vec<Write> {
    let mut writes: Vec<Write> = Vec::new();
    for write in settlements.flat_map(|settlement| &settlement.writes) {
        match writes.iter_mut().find(|merged| merged.stream == write.stream) {
            Some(merged) => merged.events.extend(write.events.iter().cloned()),
            None => writes.push(write.clone()),
        }
    }
    writes
}

/// Answers `(job, fence)` of those taken: a batch may hold two attempts at one job, of which one at most counts.
async fn end_attempts(connection: &mut PgConnection, settlements: &[Settlement]) -> sqlx::Result<Vec<(i64, i64)>> {
    let jobs: Vec<i64> = settlements.iter().map(|settlement| settlement.job).collect();
    let fences: Vec<i64> = settlements.iter().map(|settlement| settlement.fence).collect();
    let states: Vec<&str> = settlements.iter().map(|settlement| settlement.end.state()).collect();
    let errors: Vec<Option<String>> = settlements
        .iter()
        .map(|settlement| settlement.end.error().map(|error| error.replace('\0', "\u{fffd}")))
        .collect();
    let refunds: Vec<i32> = settlements.iter().map(|settlement| settlement.end.refund()).collect();
    let delays: Vec<i64> = settlements.iter().map(|settlement| settlement.end.delay_ms()).collect();
    sqlx::query_as(include_str!("../sql/end_attempts.sql"))
        .bind(jobs)
        .bind(fences)
        .bind(states)
        .bind(errors)
        .bind(refunds)
        .bind(delays)
        .fetch_all(connection)
        .await
}

/// Makes a row of every job that the events in `(after, up_to]` are for.
pub async fn enlist(pool: &PgPool, after: Position, up_to: Position) -> sqlx::Result<u64> {
    let (consumers, types): (Vec<&str>, Vec<&str>) = Consumer::ALL
        .into_iter()
        .filter(|consumer| consumer.kind() == Kind::Job)
        .flat_map(|consumer| consumer.event_types().iter().map(move |event_type| (consumer.name(), *event_type)))
        .unzip();
    let done = sqlx::query(include_str!("../sql/enlist_jobs.sql"))
        .bind(consumers)
        .bind(types)
        .bind(after)
        .bind(up_to)
        .execute(pool)
        .await?;
    Ok(done.rows_affected())
}

/// Makes jobs available whose time has come, and answers the events to send to each consumer.
pub async fn due(pool: &PgPool) -> sqlx::Result<Vec<(Consumer, Vec<Recorded>)>> {
    to_deliver(pool, include_str!("../sql/due_jobs.sql")).await
}

/// Makes jobs available whose lease has ended, and answers the events to send to each consumer.
pub async fn rescue(pool: &PgPool) -> sqlx::Result<Vec<(Consumer, Vec<Recorded>)>> {
    to_deliver(pool, include_str!("../sql/rescue_jobs.sql")).await
}

async fn to_deliver(pool: &PgPool, statement: &'static str) -> sqlx::Result<Vec<(Consumer, Vec<Recorded>)>> {
    let limit = i64::try_from(PUBLISH_LIMIT).unwrap_or(i64::MAX);
    let rows: Vec<(String, Position)> = sqlx::query_as(statement).bind(limit).fetch_all(pool).await?;
    let mut deliveries = Vec::new();
    for consumer in Consumer::ALL {
        let positions: Vec<i64> =
            rows.iter().filter(|(name, _)| name == consumer.name()).map(|(_, position)| position.0).collect();
        if !positions.is_empty() {
            let events =
                sqlx::query_as(include_str!("../sql/read_positions.sql")).bind(positions).fetch_all(pool).await?;
            deliveries.push((consumer, events));
        }
    }
    Ok(deliveries)
}

/// Jobs, newest first.
pub async fn list(pool: &PgPool, filter: &Filter, limit: i64) -> sqlx::Result<Vec<Job>> {
    sqlx::query_as(include_str!("../sql/list_jobs.sql"))
        .bind(&filter.consumer)
        .bind(&filter.state)
        .bind(&filter.stream)
        .bind(filter.position)
        .bind(filter.before)
        .bind(limit)
        .fetch_all(pool)
        .await
}

/// How many jobs there are, by consumer and state.
pub async fn count(pool: &PgPool) -> sqlx::Result<Vec<Count>> {
    sqlx::query_as(include_str!("../sql/count_jobs.sql")).fetch_all(pool).await
}
