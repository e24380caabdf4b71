//! Replay: the read model built again from position 0, beside the live one, by the code that applies live events, and
//! put in its place in one transaction. Readers never see a gap, and a replay that is interrupted leaves no trace but a
//! `read_next` that the next one drops.

use std::time::Instant;

use anyhow::Context;
use atelier_events::log::READ_LIMIT;
use atelier_events::{Log, Position, Recorded};
use serde::Serialize;
use sqlx::{Connection, PgConnection};

use crate::applier::Applier;
use crate::schema::{self, REPLAY_LOCK, Schema};

/// How far a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Applied up to here.
    pub position: Position,
    /// The end of the log when it was last looked at.
    pub head: Position,
}

/// A replay that has gone live.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Replayed {
    /// The new read model's checkpoint: also the number of events applied.
    pub position: Position,
    /// From the start to the swap, in milliseconds.
    pub elapsed_ms: u64,
}

impl std::fmt::Display for Replayed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "replayed {} events in {} ms; the read model before is kept as read_old",
            self.position, self.elapsed_ms
        )
    }
}

/// Why a replay did not go live.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// One is enough.
    #[error("another replay is running: wait for it or stop it first")]
    Running,
    /// The live read model is as it was.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl From<sqlx::Error> for ReplayError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Replays the read model and makes it the live one; the one before stays as `read_old`. Dropping the future before it
/// is done leaves the live one alone.
pub async fn replay(log: &Log, mut progress: impl FnMut(Progress)) -> Result<Replayed, ReplayError> {
    let began = Instant::now();
    let mut build = Build::begin(log).await?;
    build.catch_up(Position(i64::MAX), &mut progress).await?;
    let position = build.swap().await?;
    progress(Progress { position, head: position });
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Replayed { position, elapsed_ms })
}

/// A read model that is being built in `read_next`. Everything goes through the one connection whose session holds the
/// lock of replays: when that is lost, another may begin and this one cannot do anything any more.
pub(crate) struct Build {
    log: Log,
    connection: PgConnection,
    applier: Applier,
    position: Position,
}

impl Build {
    pub(crate) async fn begin(log: &Log) -> Result<Self, ReplayError> {
        // Not one of the pool's: given back to that, it would keep the lock.
        let mut connection = log.pool().acquire().await?.detach();
        let lock = sqlx::query_scalar(include_str!("../sql/try_replay_lock.sql")).bind(REPLAY_LOCK);
        let alone: bool = lock.fetch_one(&mut connection).await?;
        if !alone {
            return Err(ReplayError::Running);
        }
        schema::create_next(&mut connection).await?;
        Ok(Self { log: log.clone(), connection, applier: Applier::new(log.clone()), position: Position(0) })
    }

    /// Applies up to `limit` or to the end of the log, whichever is first.
    pub(crate) async fn catch_up(
        &mut self,
        limit: Position,
        progress: &mut impl FnMut(Progress),
    ) -> anyhow::Result<()> {
        let mut head = self.log.head().await?.min(limit);
        let mut events = read(&self.log, self.position, limit).await?;
        while let Some(last) = events.last().map(|event| event.position) {
            // The next batch is read while this one is applied.
            let log = self.log.clone();
            let (applied, next) = tokio::join!(self.apply(&events), read(&log, last, limit));
            applied.with_context(|| format!("applying events up to position {last}"))?;
            events = next?;
            if last >= head {
                head = self.log.head().await?.min(limit);
            }
            progress(Progress { position: last, head });
        }
        Ok(())
    }

    async fn apply(&mut self, events: &[Recorded]) -> anyhow::Result<()> {
        let mut tx = self.connection.begin().await?;
        Schema::Next.enter(&mut tx).await?;
        self.position = self.applier.apply(&mut tx, events).await?;
        tx.commit().await?;
        self.applier.committed(self.position);
        Ok(())
    }

    /// In one transaction, in which no batch goes to the live schema: applies what that has and this one has not, and
    /// swaps them. A replay therefore never takes readers back.
    async fn swap(mut self) -> anyhow::Result<Position> {
        let mut tx = self.connection.begin().await?;
        let live = lock_live(&mut tx).await?;
        let position = apply_up_to(&self.log, &mut self.applier, &mut tx, self.position, live).await?;
        schema::promote_next(&mut tx).await?;
        tx.commit().await.context("swapping the schemas")?;
        self.release().await;
        Ok(position)
    }

    /// Brings this one to exactly where the live one is, and answers what `look` finds while neither moves. Nothing
    /// stays of it.
    pub(crate) async fn beside_live<T>(
        mut self,
        look: impl AsyncFnOnce(&mut PgConnection, Position) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut tx = self.connection.begin().await?;
        let live = lock_live(&mut tx).await?;
        let position = apply_up_to(&self.log, &mut self.applier, &mut tx, self.position, live).await?;
        let found = look(&mut tx, position).await;
        tx.rollback().await?;
        schema::drop_next(&mut self.connection).await?;
        self.release().await;
        found
    }

    /// The end of the connection releases the lock as well, but not before the server has noticed, and the next replay
    /// would be refused until then.
    async fn release(mut self) {
        let released = sqlx::query(include_str!("../sql/release_replay_lock.sql")).bind(REPLAY_LOCK);
        if let Err(error) = released.execute(&mut self.connection).await {
            tracing::debug!(%error, "the lock of replays ends with its connection");
        }
    }
}

async fn lock_live(transaction: &mut PgConnection) -> anyhow::Result<Position> {
    schema::lock_out_appliers(transaction).await?;
    let there: bool =
        sqlx::query_scalar(include_str!("../sql/find_read_model.sql")).fetch_one(&mut *transaction).await?;
    if !there {
        return Ok(Position(0));
    }
    Ok(sqlx::query_scalar(include_str!("../sql/read_checkpoint.sql")).fetch_one(transaction).await?)
}

async fn apply_up_to(
    log: &Log,
    applier: &mut Applier,
    transaction: &mut PgConnection,
    mut position: Position,
    limit: Position,
) -> anyhow::Result<Position> {
    schema::use_schema(transaction, Schema::Next.name()).await?;
    while position < limit {
        let events = read(log, position, limit).await?;
        position = applier.apply(transaction, &events).await?;
        // Later batches of this transaction see what the earlier ones wrote.
        applier.committed(position);
    }
    Ok(position)
}

/// Events after a position, up to a limit.
async fn read(log: &Log, after: Position, limit: Position) -> sqlx::Result<Vec<Recorded>> {
    let mut events = log.read(after, READ_LIMIT).await?;
    events.retain(|event| event.position <= limit);
    Ok(events)
}
