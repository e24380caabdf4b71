//! A read model that is being built, from its beginning to the swap.

use anyhow::{Context, bail};
use atelier_events::log::READ_LIMIT;
use atelier_events::{Log, Position, Recorded};
use sqlx::{Connection, PgConnection};

use super::load;
use super::shadow::Shadow;
use super::{Begun, Options, Progress, ReplayError, Step};
use crate::applier::{Applier, KEPT_LIMIT};
use crate::schema::{self, MODEL_VERSION, REPLAY_LOCK, SWAP_LOCK, Schema};
use crate::vocabulary;

/// A read model that is being built beside the live one, under the lock of replays. That belongs to the session of its
/// connection: when it is lost, another may begin, and takes the shadow over.
pub(crate) struct Build {
    log: Log,
    connection: PgConnection,
    applier: Applier,
    begun: Begun,
    /// None for the backup, which was loaded once.
    shadow: Option<Shadow>,
    position: Position,
}

impl Build {
    /// Begins, or goes on. `limit`: it is not to get further than this.
    pub(crate) async fn begin(log: &Log, options: Options, limit: Option<Position>) -> Result<Self, ReplayError> {
        // Not one of the pool's: given back to that, it would keep the lock.
        let mut connection = log.pool().acquire().await?.detach();
        let lock = sqlx::query_scalar(include_str!("../../sql/try_replay_lock.sql")).bind(REPLAY_LOCK);
        let alone: bool = lock.fetch_one(&mut connection).await?;
        if !alone {
            return Err(ReplayError::Running);
        }
        match Self::find(log, &mut connection, options, limit).await {
            Ok((begun, shadow, position)) => {
                let applier = Applier::new(log.clone(), KEPT_LIMIT);
                Ok(Self { log: log.clone(), connection, applier, begun, shadow, position })
            }
            Err(error) => {
                release(&mut connection).await;
                Err(error)
            }
        }
    }

    /// What it begins with.
    async fn find(
        log: &Log,
        connection: &mut PgConnection,
        options: Options,
        limit: Option<Position>,
    ) -> Result<(Begun, Option<Shadow>, Position), ReplayError> {
        sqlx::query(include_str!("../../sql/notice_leavers.sql")).execute(&mut *connection).await?;
        schema::own_all(connection).await?;
        if options.from_backup {
            let position = find_backup(connection).await?;
            return Ok((Begun::Backup(position), None, position));
        }
        let head = log.head().await?;
        let limit = limit.unwrap_or(Position(i64::MAX));
        let left = Shadow::resume(connection, limit).await?;
        let (shadow, begun) = match left {
            Some(Some(shadow)) if !options.fresh => (shadow, Begun::Resumed(shadow.events)),
            Some(_) => (Shadow::create(connection, head.min(limit)).await?, Begun::StartedOver),
            None => (Shadow::create(connection, head.min(limit)).await?, Begun::Afresh),
        };
        let position = if shadow.loaded { Position(shadow.events) } else { shadow.up_to };
        Ok((begun, Some(shadow), position))
    }

    pub(crate) fn begun(&self) -> Begun {
        self.begun
    }

    /// Builds up to `limit` or to the end of the log, whichever is first.
    pub(crate) async fn run(&mut self, limit: Position, progress: &mut impl FnMut(Progress)) -> anyhow::Result<()> {
        let begun = self.begun;
        if let Some(shadow) = self.shadow.filter(|shadow| !shadow.loaded) {
            let head = shadow.up_to;
            let mut at = shadow.events;
            let mut tell = |step, position| progress(Progress { begun, step, position: Position(position), head });
            tell(Step::Load, at);
            let loaded = load::load(&self.log, shadow, |events| {
                at += events;
                tell(Step::Load, at);
            });
            loaded.await.context("loading the log")?;
            tell(Step::Index, head.0);
            load::index(&self.log, shadow).await?;
            load::finish(&self.log, shadow).await?;
        }
        self.catch_up(limit, progress).await
    }

    async fn catch_up(&mut self, limit: Position, progress: &mut impl FnMut(Progress)) -> anyhow::Result<()> {
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
            progress(Progress { begun: self.begun, step: Step::CatchUp, position: last, head });
        }
        Ok(())
    }

    async fn apply(&mut self, events: &[Recorded]) -> anyhow::Result<()> {
        let schema = self.schema();
        let mut tx = self.connection.begin().await?;
        schema.enter(&mut tx).await?;
        self.position = self.applier.apply(&mut tx, events).await?;
        tx.commit().await?;
        self.applier.committed(self.position);
        Ok(())
    }

    fn schema(&self) -> Schema {
        if self.shadow.is_some() { Schema::Next } else { Schema::Backup }
    }

    /// In one transaction, in which no batch goes to the live schema: applies what that has and this one has not, and
    /// swaps them. A replay therefore never takes readers back. `last` is done in it as well, before the locks are let go.
    pub(crate) async fn swap<T>(
        mut self,
        last: impl AsyncFnOnce(&mut PgConnection, Position) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let schema = self.schema();
        let mut tx = self.connection.begin().await?;
        schema::lock_out_appliers(&mut tx).await?;
        let live = if schema::find_live(&mut tx).await? { live_position(&mut tx).await? } else { Position(0) };
        schema::use_schema(&mut tx, schema.name()).await?;
        let position = apply_up_to(&self.log, &mut self.applier, &mut tx, self.position, live).await?;
        let swap = match self.shadow {
            Some(shadow) => {
                shadow.hold(&mut tx).await?;
                include_str!("../../sql/swap_next.sql")
            }
            None => include_str!("../../sql/swap_backup.sql"),
        };
        sqlx::raw_sql(swap).execute(&mut *tx).await.context("swapping the schemas")?;
        schema::use_log(&mut tx).await?;
        let found = last(&mut tx, position).await?;
        tx.commit().await.context("swapping the schemas")?;
        // The one before the backup. What cannot be dropped now, since somebody reads it, is dropped by the next replay.
        if let Err(error) = drop_gone(&mut self.connection).await {
            tracing::warn!(%error, "the schema before the backup could not be dropped: the next replay tries again");
        }
        self.release().await;
        Ok(found)
    }

    /// Brings this one to exactly where the live one is and answers what `look` finds, comparing `read` with `read_next`
    /// in one snapshot, while the live one goes on. Nothing stays of a shadow.
    pub(crate) async fn beside_live<T>(
        mut self,
        look: impl AsyncFnOnce(&mut PgConnection, Position) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let schema = self.schema();
        // Not within the transaction, whose snapshot would then be older than the lock.
        sqlx::query(include_str!("../../sql/lock_swaps.sql")).bind(SWAP_LOCK).execute(&mut self.connection).await?;
        let mut tx = self.connection.begin_with(include_str!("../../sql/begin_snapshot.sql")).await?;
        let live = live_position(&mut tx).await?;
        sqlx::query(include_str!("../../sql/release_lock.sql")).bind(SWAP_LOCK).execute(&mut *tx).await?;
        schema::use_schema(&mut tx, schema.name()).await?;
        let position = apply_up_to(&self.log, &mut self.applier, &mut tx, self.position, live).await?;
        if position > live {
            bail!("the live read model is at position {live} and the backup at {position}: start atelier-index first");
        }
        if self.shadow.is_none() {
            sqlx::raw_sql(include_str!("../../sql/backup_as_next.sql")).execute(&mut *tx).await?;
        }
        let found = look(&mut tx, position).await;
        tx.rollback().await?;
        if self.shadow.is_some() {
            schema::drop_next(&mut self.connection).await?;
        }
        self.release().await;
        found
    }

    async fn release(mut self) {
        release(&mut self.connection).await;
    }
}

/// The end of the connection releases the lock as well, but not before the server has noticed, and the next replay would be
/// refused until then.
async fn release(connection: &mut PgConnection) {
    let released = sqlx::query(include_str!("../../sql/release_lock.sql")).bind(REPLAY_LOCK);
    if let Err(error) = released.execute(connection).await {
        tracing::debug!(%error, "the lock of replays ends with its connection");
    }
}

/// Where the backup is, if this program can go on with it.
async fn find_backup(connection: &mut PgConnection) -> Result<Position, ReplayError> {
    let mut tx = connection.begin().await?;
    if !sqlx::query_scalar(include_str!("../../sql/find_backup.sql")).fetch_one(&mut *tx).await? {
        return Err(ReplayError::NoBackup);
    }
    let (position, version): (Position, i32) =
        sqlx::query_as(include_str!("../../sql/read_backup.sql")).fetch_one(&mut *tx).await?;
    if version != MODEL_VERSION {
        let error = anyhow::anyhow!(
            "the backup is of version {version} and this program writes version {MODEL_VERSION}: go back with the \
             atelier-index that made it, or replay from the log"
        );
        return Err(error.into());
    }
    schema::use_schema(&mut tx, Schema::Backup.name()).await?;
    let passed_over = vocabulary::passed_over(&mut tx).await?;
    if !passed_over.is_empty() {
        let error = anyhow::anyhow!(
            "the backup lacks the events of type {}, which the program that made it did not know: replay from the log",
            passed_over.join(", ")
        );
        return Err(error.into());
    }
    vocabulary::learn(&mut tx).await?;
    tx.commit().await?;
    Ok(position)
}

async fn drop_gone(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(include_str!("../../sql/be_brief.sql")).execute(&mut *connection).await?;
    sqlx::raw_sql(include_str!("../../sql/drop_gone_schemas.sql")).execute(connection).await.map(drop)
}

async fn live_position(transaction: &mut PgConnection) -> sqlx::Result<Position> {
    sqlx::query_scalar(include_str!("../../sql/read_checkpoint.sql")).fetch_one(transaction).await
}

/// Applies to the schema that the transaction uses.
async fn apply_up_to(
    log: &Log,
    applier: &mut Applier,
    transaction: &mut PgConnection,
    mut position: Position,
    limit: Position,
) -> anyhow::Result<Position> {
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
