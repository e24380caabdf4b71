//! Jobs: who works on which event, until when, and how it ended. Every change is one statement.
//!
//! ```text
//!              claim                 Completed
//! available ─────────▶ running ─────────────────▶ completed
//!     ▲                 │ │ │ Discarded
//!     │    lease ends   │ │ └───────────────────▶ discarded ──┐
//!     ├─────────────────┘ │ error, Snoozed, Postponed         │ requeue, purge
//!     │    run_at comes   ▼                                   │
//!     ├──────────── retryable, scheduled        cancelled ────┤
//!     │                                             ▲         │
//!     │                      whatever waits or runs ┘ cancel  │
//!     └───────────────────────────────────────────────────────┘
//! ```

mod claim;
mod explain;
mod orders;
mod schedule;
mod settle;

use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use time::OffsetDateTime;

pub use claim::{Claimed, claim, forget_worker, renew, report_progress, report_worker, return_starts, take_starts};
pub use explain::{Explained, Reason, Waiting, explain};
pub use orders::{BULK_LIMIT, Ordered, Refused, cancel, pause, paused, purge, requeue, resume};
pub use schedule::{due, enlist, prune, rescue};
pub use settle::{End, Settlement, settle, settle_over};

use crate::consumer::{Consumer, Kind};
use crate::id::{Position, Stream};
use crate::stalls::Stall;

/// Every state of a job, in the order of its life.
pub const STATES: [&str; 7] = ["available", "scheduled", "running", "retryable", "completed", "cancelled", "discarded"];

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
    /// 0 interactive, which goes first; 1 bulk.
    pub priority: i16,
    /// One of [`STATES`].
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
    /// The last twenty errors, each `{attempt, worker, error, at}`.
    pub failures: Value,
    /// When the relay enlisted it.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the last try began.
    #[serde(with = "time::serde::rfc3339::option")]
    pub attempted_at: Option<OffsetDateTime>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    /// How far it has come, of one that runs and says so.
    pub progress: Option<Value>,
    /// The trace that it belongs to, that of the request which led to its event (32 hexadecimal digits).
    pub trace_id: Option<String>,
}

/// Which jobs; a filter that is not set is off.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this consumer.
    pub consumer: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// About this stream.
    pub stream: Option<Stream>,
    /// About an artwork of this owner, or an export that they asked for.
    pub owner: Option<String>,
    /// About this event.
    pub position: Option<Position>,
    /// These.
    pub ids: Option<Vec<i64>>,
    /// Whose last error holds these words, whatever their case.
    pub error: Option<String>,
    /// That came into their state at this time or later.
    pub since: Option<OffsetDateTime>,
    /// That came into their state before this time.
    pub until: Option<OffsetDateTime>,
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

/// What a consumer is at.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct ConsumerStatus {
    /// Which.
    pub consumer: String,
    /// Jobs that could run now.
    pub available: i64,
    /// Jobs that wait for their time, after an error or by plan.
    pub scheduled: i64,
    /// Jobs that run.
    pub running: i64,
    /// Dead letters.
    pub discarded: i64,
    /// Daemons seen in the last minute.
    pub workers: i64,
    /// Attempts that they can run at a time.
    pub concurrency: i64,
    /// Who paused it, if it is paused.
    pub paused_by: Option<String>,
    /// Since when.
    #[serde(with = "time::serde::rfc3339::option")]
    pub paused_at: Option<OffsetDateTime>,
    /// Why it does not go on, of a projection that cannot.
    #[sqlx(json(nullable))]
    pub stall: Option<Stall>,
}

impl Filter {
    /// The statement that lists what this filter lets through: dead letters have a table of their own.
    fn statement(&self) -> &'static str {
        match self.state.as_deref() {
            Some("discarded") => include_str!("../sql/list_dead_jobs.sql"),
            _ => include_str!("../sql/list_jobs.sql"),
        }
    }

    fn query(&self, limit: i64) -> QueryAs<'_, sqlx::Postgres, Job, PgArguments> {
        sqlx::query_as(self.statement())
            .bind(&self.consumer)
            .bind(&self.state)
            .bind(&self.stream)
            .bind(self.position)
            .bind(&self.ids)
            .bind(&self.error)
            .bind(self.since)
            .bind(self.until)
            .bind(self.before)
            .bind(limit)
            .bind(&self.owner)
    }
}

/// Jobs, newest first.
pub async fn list(pool: &PgPool, filter: &Filter, limit: i64) -> sqlx::Result<Vec<Job>> {
    filter.query(limit).fetch_all(pool).await
}

/// How many jobs there are, by consumer and state.
pub async fn count(pool: &PgPool) -> sqlx::Result<Vec<Count>> {
    sqlx::query_as(include_str!("../sql/count_jobs.sql")).fetch_all(pool).await
}

/// How many jobs a consumer has about the events of some positions, the first and the last included, by state.
pub async fn count_between(
    pool: &PgPool,
    consumer: Consumer,
    first: Position,
    last: Position,
) -> sqlx::Result<Vec<Count>> {
    sqlx::query_as(include_str!("../sql/count_jobs_between.sql"))
        .bind(consumer.name())
        .bind(first)
        .bind(last)
        .fetch_all(pool)
        .await
}

/// What every consumer is at. Cheap: no look at jobs that have ended.
pub async fn consumers(pool: &PgPool) -> sqlx::Result<Vec<ConsumerStatus>> {
    let names: Vec<&str> = Consumer::ALL.into_iter().map(Consumer::name).collect();
    sqlx::query_as(include_str!("../sql/list_consumers.sql")).bind(names).fetch_all(pool).await
}

/// The consumers that have jobs, by name.
#[must_use]
pub fn consumer_names() -> Vec<&'static str> {
    Consumer::ALL.into_iter().filter(|consumer| consumer.kind() == Kind::Job).map(Consumer::name).collect()
}

/// How many jobs there are that are neither completed nor cancelled, by consumer and state, the states without any
/// included: what is counted again and again must not touch the history.
pub async fn count_open(pool: &PgPool) -> sqlx::Result<Vec<Count>> {
    let consumers = Consumer::ALL.into_iter().filter(|consumer| consumer.kind() == Kind::Job);
    sqlx::query_as(include_str!("../sql/count_open_jobs.sql"))
        .bind(consumers.map(Consumer::name).collect::<Vec<_>>())
        .fetch_all(pool)
        .await
}
