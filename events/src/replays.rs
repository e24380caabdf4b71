//! Replays of projections that were asked for over HTTP. A producer may neither write a read model nor a site; the daemon
//! that does takes what was asked for, tells how far it is, and says what came of it.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};

use crate::consumer::Consumer;
use crate::log::Log;
use crate::signal::Channel;

/// How often a daemon says that it is at it.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// After such a silence another daemon takes a replay over.
const SILENCE: Duration = Duration::from_secs(15);

/// What a replay that somebody cancelled failed of.
const CANCELLED: &str = "cancelled by ";

/// How a projection is to be replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Wanted {
    /// Only compare with what is live.
    pub dry_run: bool,
    /// From the backup, and not from the log.
    pub from_backup: bool,
    /// Go on with nothing that an interrupted replay has left.
    pub fresh: bool,
}

/// A replay that was asked for.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Replay {
    /// Its id.
    pub id: i64,
    /// The projection.
    pub consumer: String,
    /// How it is to be replayed.
    #[sqlx(flatten)]
    pub wanted: Wanted,
    /// Who asked.
    pub asked_by: String,
    /// When.
    pub asked_at: OffsetDateTime,
    /// When a daemon took it, the last that did.
    pub began_at: Option<OffsetDateTime>,
    /// How far it is, as its daemon says.
    pub progress: Option<Value>,
    /// When it ended.
    pub ended_at: Option<OffsetDateTime>,
    /// What came of it.
    pub outcome: Option<Value>,
    /// Why nothing came of it.
    pub error: Option<String>,
}

impl Replay {
    /// `waiting`, `running`, `done`, `failed` or `cancelled`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match (&self.error, self.ended_at, self.began_at) {
            (Some(error), ..) if error.starts_with(CANCELLED) => "cancelled",
            (Some(_), ..) => "failed",
            (None, Some(_), _) => "done",
            (None, None, Some(_)) => "running",
            (None, None, None) => "waiting",
        }
    }
}

/// Asks for a replay. None: one of this projection is open.
pub async fn ask(log: &Log, consumer: Consumer, wanted: Wanted, actor: &str) -> sqlx::Result<Option<Replay>> {
    let Wanted { dry_run, from_backup, fresh } = wanted;
    let asked = sqlx::query_as(include_str!("../sql/ask_replay.sql"))
        .bind(consumer.name())
        .bind(dry_run)
        .bind(from_backup)
        .bind(fresh)
        .bind(actor)
        .fetch_optional(log.pool())
        .await?;
    log.signals().raise(Channel::Replays);
    Ok(asked)
}

/// Takes the replay that is open, unless a daemon is at it.
pub async fn take(pool: &PgPool, consumer: Consumer) -> sqlx::Result<Option<Replay>> {
    sqlx::query_as(include_str!("../sql/take_replay.sql"))
        .bind(consumer.name())
        .bind(SILENCE.as_secs_f64())
        .fetch_optional(pool)
        .await
}

/// Says again and again how far one is that was taken, or only that somebody is at it. Ends when it was cancelled, or another
/// daemon has taken it. A database that does not answer is told the next time: where the replay needs it, that ends by itself.
pub async fn keep_reporting<P: Serialize>(pool: &PgPool, taken: &Replay, progress: impl Fn() -> Option<P>) {
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        heartbeat.tick().await;
        match report(pool, taken, progress().as_ref()).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::debug!(error = format!("{error:#}"), "cannot say how far the replay is"),
        }
    }
}

/// Says once how far it is. False: it was cancelled, or another daemon has taken it.
async fn report(pool: &PgPool, taken: &Replay, progress: Option<&impl Serialize>) -> anyhow::Result<bool> {
    let progress = progress.map(serde_json::to_value).transpose()?;
    let report =
        sqlx::query(include_str!("../sql/report_replay.sql")).bind(taken.id).bind(taken.began_at).bind(progress);
    Ok(report.execute(pool).await?.rows_affected() > 0)
}

/// Says what came of one that was taken, or why nothing did. False: it had ended, or another daemon has taken it; what came
/// of it in the same transaction is then to be rolled back.
pub async fn end(on: impl PgExecutor<'_>, taken: &Replay, end: Result<Value, String>) -> sqlx::Result<bool> {
    let (outcome, error) = match end {
        Ok(outcome) => (Some(outcome), None),
        Err(error) => (None, Some(error)),
    };
    let end = sqlx::query(include_str!("../sql/end_replay.sql")).bind(taken.id).bind(taken.began_at);
    let end = end.bind(outcome).bind(error);
    Ok(end.execute(on).await?.rows_affected() > 0)
}

/// Cancels it: what is live stays as it is. False: it had ended, or is one of the site that a daemon is at.
pub async fn cancel(log: &Log, id: i64, actor: &str) -> sqlx::Result<bool> {
    let cancel = sqlx::query(include_str!("../sql/cancel_replay.sql")).bind(id).bind(format!("{CANCELLED}{actor}"));
    let cancelled = cancel.bind(SILENCE.as_secs_f64()).execute(log.pool()).await?.rows_affected() > 0;
    log.signals().raise(Channel::Replays);
    Ok(cancelled)
}

/// The newest, of all projections or of one.
pub async fn list(pool: &PgPool, consumer: Option<Consumer>) -> sqlx::Result<Vec<Replay>> {
    select(pool, consumer, None).await
}

/// One of them.
pub async fn find(pool: &PgPool, id: i64) -> sqlx::Result<Option<Replay>> {
    Ok(select(pool, None, Some(id)).await?.pop())
}

async fn select(pool: &PgPool, consumer: Option<Consumer>, id: Option<i64>) -> sqlx::Result<Vec<Replay>> {
    sqlx::query_as(include_str!("../sql/list_replays.sql"))
        .bind(consumer.map(Consumer::name))
        .bind(id)
        .fetch_all(pool)
        .await
}
