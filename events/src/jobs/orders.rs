//! What an operator, or the owner of an artwork, orders: pause, resume, cancel, requeue, purge.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Filter, Job};
use crate::consumer::Consumer;
use crate::event::Recorded;
use crate::given_up::given_up;
use crate::id::Position;
use crate::log::{Append, Log, Write, append_in};
use crate::signal::Channel;

/// The most jobs that one order is carried out on; more are left for the next, which says so.
pub const BULK_LIMIT: i64 = 1_000;

/// How often jobs are looked for again that moved on while they were to be cancelled.
const CANCEL_ROUNDS: u32 = 5;

/// Holds orders apart from each other: two that meet on the same jobs would lock them in different orders.
const ORDERS_LOCK: i64 = 0x6174_656c_6f72_6472;

/// What came of an order.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Ordered {
    /// The jobs it was carried out on, oldest first.
    pub jobs: Vec<i64>,
    /// There are, or may be, more that the filter lets through.
    pub more: bool,
    /// The log's position after it, when it appended anything.
    pub position: Option<Position>,
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The database said no, or nothing.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The log did not take what the order has to tell.
    #[error("the log refused to record the order")]
    Log(#[from] crate::log::AppendError),
}

/// Stops a consumer from beginning anything, whatever daemons it has. What runs goes on. False: it was paused already.
pub async fn pause(log: &Log, consumer: Consumer, actor: &str) -> sqlx::Result<bool> {
    let statement = sqlx::query(include_str!("../../sql/pause_consumer.sql")).bind(consumer.name()).bind(actor);
    Ok(statement.execute(log.pool()).await?.rows_affected() > 0)
}

/// Lets a paused consumer go on at once. False: it was not paused.
pub async fn resume(log: &Log, consumer: Consumer) -> sqlx::Result<bool> {
    let statement = sqlx::query(include_str!("../../sql/resume_consumer.sql")).bind(consumer.name());
    let resumed = statement.execute(log.pool()).await?.rows_affected() > 0;
    log.signals().raise(Channel::Jobs(consumer));
    log.signals().raise(Channel::Log);
    Ok(resumed)
}

/// Who paused a consumer and when, if it is paused.
pub async fn paused(pool: &sqlx::PgPool, consumer: Consumer) -> sqlx::Result<Option<(String, OffsetDateTime)>> {
    sqlx::query_as(include_str!("../../sql/read_pause.sql")).bind(consumer.name()).fetch_optional(pool).await
}

/// Ends jobs that wait or run; what has ended stays as it is. The log tells the owner in the same transaction. An attempt
/// that runs is stopped within moments, and its result is void whenever it comes.
pub async fn cancel(log: &Log, filter: &Filter, actor: &str) -> Result<Ordered, Refused> {
    let mut ordered = Ordered { jobs: Vec::new(), more: false, position: None };
    let mut missed = None;
    for _ in 0..CANCEL_ROUNDS {
        let filter = Filter { ids: missed.or_else(|| filter.ids.clone()), ..filter.clone() };
        let (round, left) = cancel_once(log, &filter, actor).await?;
        ordered.jobs.extend(round.jobs);
        ordered.more |= round.more;
        ordered.position = round.position.or(ordered.position);
        if left.is_empty() {
            break;
        }
        missed = Some(left);
    }
    ordered.jobs.sort_unstable();
    log.signals().raise(Channel::Cancelled);
    log.signals().raise(Channel::Settled);
    if ordered.position.is_some() {
        log.signals().raise(Channel::Log);
    }
    Ok(ordered)
}

/// Also answers the jobs that were somewhere else by the time that they were to be cancelled: claimed, come due, or ended.
async fn cancel_once(log: &Log, filter: &Filter, actor: &str) -> Result<(Ordered, Vec<i64>), Refused> {
    let error = format!("cancelled by {actor}");
    let mut tx = log.pool().begin().await?;
    let (ids, more) = select(&mut tx, filter, &["available", "scheduled", "running", "retryable"]).await?;
    let cancelled: Vec<(i64, String, Position)> =
        sqlx::query_as(include_str!("../../sql/cancel_jobs.sql")).bind(&ids).bind(&error).fetch_all(&mut *tx).await?;
    let position = tell(&mut tx, &cancelled, actor, &error).await?;
    tx.commit().await?;
    let jobs = sorted(cancelled);
    let left = ids.into_iter().filter(|id| jobs.binary_search(id).is_err()).collect();
    Ok((Ordered { jobs, more, position }, left))
}

/// Gives discarded and cancelled jobs all their attempts again.
pub async fn requeue(log: &Log, filter: &Filter) -> Result<Ordered, Refused> {
    let mut tx = log.pool().begin().await?;
    let (ids, more) = select(&mut tx, filter, &["discarded", "cancelled"]).await?;
    let requeued: Vec<(i64, String, Position)> =
        sqlx::query_as(include_str!("../../sql/requeue_jobs.sql")).bind(ids).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    for consumer in Consumer::ALL.into_iter().filter(|one| requeued.iter().any(|(_, name, _)| name == one.name())) {
        log.signals().raise(Channel::Jobs(consumer));
    }
    Ok(Ordered { jobs: sorted(requeued), more, position: None })
}

/// Forgets discarded and cancelled jobs. What the log says of them stays.
pub async fn purge(log: &Log, filter: &Filter) -> Result<Ordered, Refused> {
    let mut tx = log.pool().begin().await?;
    let (ids, more) = select(&mut tx, filter, &["discarded", "cancelled"]).await?;
    let purged: Vec<(i64, String, Position)> =
        sqlx::query_as(include_str!("../../sql/purge_jobs.sql")).bind(ids).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    Ok(Ordered { jobs: sorted(purged), more, position: None })
}

/// The jobs in one of these states that the filter lets through, under the lock that holds orders apart.
async fn select(connection: &mut PgConnection, filter: &Filter, states: &[&str]) -> sqlx::Result<(Vec<i64>, bool)> {
    sqlx::query("select pg_advisory_xact_lock($1)").bind(ORDERS_LOCK).execute(&mut *connection).await?;
    let asked: Vec<&str> = match filter.state.as_deref() {
        Some(state) => states.iter().copied().filter(|known| *known == state).collect(),
        None => states.to_vec(),
    };
    let mut ids = Vec::new();
    let mut more = false;
    for state in asked {
        let one = Filter { state: Some(state.to_owned()), ..filter.clone() };
        let jobs: Vec<Job> = one.query(BULK_LIMIT).fetch_all(&mut *connection).await?;
        more |= i64::try_from(jobs.len()).unwrap_or(i64::MAX) == BULK_LIMIT;
        ids.extend(jobs.into_iter().map(|job| job.id));
    }
    Ok((ids, more))
}

/// Appends what the owners have to know of jobs that will not be done.
async fn tell(
    connection: &mut PgConnection,
    ended: &[(i64, String, Position)],
    actor: &str,
    error: &str,
) -> Result<Option<Position>, Refused> {
    let positions: Vec<i64> = ended.iter().map(|(_, _, position)| position.0).collect();
    let events: Vec<Recorded> = sqlx::query_as(include_str!("../../sql/read_positions.sql"))
        .bind(positions)
        .fetch_all(&mut *connection)
        .await?;
    let mut writes: Vec<Write> = Vec::new();
    for (_, name, position) in ended {
        let event = events.iter().find(|event| event.position == *position);
        let (Some(consumer), Some(event)) = (Consumer::from_name(name), event) else { continue };
        writes.extend(given_up(consumer, event, actor, error));
    }
    let append = Append { key: None, writes: super::settle::merged(writes.iter()) };
    if append.writes.is_empty() {
        return Ok(None);
    }
    let mut position = None;
    for appended in append_in(connection, &[&append]).await? {
        position = Some(appended?.position());
    }
    Ok(position)
}

fn sorted(jobs: Vec<(i64, String, Position)>) -> Vec<i64> {
    let mut ids: Vec<i64> = jobs.into_iter().map(|(id, _, _)| id).collect();
    ids.sort_unstable();
    ids
}
