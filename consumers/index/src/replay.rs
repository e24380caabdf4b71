//! Replay: the read model built again from the log, beside the live one, and put in its place in one transaction.
//!
//! ```text
//! load       every stream read once and whole, folded by what folds live events, its rows copied into `read_next`;
//!            several ranges of streams side by side, each with its own place to go on from
//! index      keys and indexes, when the rows are there
//! catch up   what has come since, in log order, by the code that applies live events
//! swap       in one transaction: the last events, and the renaming of the schemas
//! ```
//!
//! Until the swap readers and the daemon have nothing to do with it. Whatever ends a replay before (a signal, a crash, a
//! lost connection) leaves the live read model as it was, and the next replay goes on where it stopped.

pub(crate) mod asked;
mod build;
pub mod command;
mod load;
mod shadow;
mod streams;

use std::time::Instant;

use atelier_events::{Log, Position};
use serde::Serialize;
use sqlx::PgConnection;

pub(crate) use build::Build;

/// What a replay starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The backup, which is brought up to date and goes live again, and not the log.
    pub from_backup: bool,
    /// Nothing that an interrupted replay has left.
    pub fresh: bool,
}

/// Where a replay has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Begun {
    /// At the start of the log.
    Afresh,
    /// At the start of the log, although an interrupted replay had left something: it was built by other definitions, or
    /// had got further than it is to be compared.
    StartedOver,
    /// Where an interrupted replay had got to: so many events were applied.
    Resumed(i64),
    /// At the checkpoint of the backup.
    Backup(Position),
}

/// What a replay is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Folding streams and copying rows.
    Load,
    /// Making keys and indexes.
    Index,
    /// Applying what has come since.
    CatchUp,
}

/// How far a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Where it started.
    pub begun: Begun,
    /// What it is doing.
    pub step: Step,
    /// So many events are applied; all up to here, once the load is done.
    pub position: Position,
    /// The end of the log when it was last looked at.
    pub head: Position,
}

/// A replay that has gone live.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Replayed {
    /// Where it started.
    pub begun: Begun,
    /// The new read model's checkpoint.
    pub position: Position,
    /// From the start to the swap, in milliseconds.
    pub elapsed_ms: u64,
}

/// Why a replay did not go live.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// One is enough.
    #[error("another replay is running: wait for it or stop it first")]
    Running,
    /// There is nothing to go back to.
    #[error("there is no backup: the schema read_old is what a replay leaves behind, and none has gone live here")]
    NoBackup,
    /// There is nothing to compare with.
    #[error("there is no live read model to compare with: start atelier-index, which creates it, or replay")]
    NoLive,
    /// The live read model is as it was.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl From<sqlx::Error> for ReplayError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Replays the log, or goes on with a replay that was interrupted; see [`replay_with`].
pub async fn replay(log: &Log, progress: impl FnMut(Progress)) -> Result<Replayed, ReplayError> {
    replay_with(log, Options::default(), progress).await
}

/// Replays the read model and makes it the live one; the one before stays as the backup. Dropping the future before it
/// is done leaves the live one alone.
pub async fn replay_with(log: &Log, options: Options, progress: impl FnMut(Progress)) -> Result<Replayed, ReplayError> {
    replay_and(log, options, progress, async |_, _| Ok(())).await
}

/// The same, and `last` in the transaction of the swap, right before its end: neither is done without the other.
pub(crate) async fn replay_and(
    log: &Log,
    options: Options,
    mut progress: impl FnMut(Progress),
    last: impl AsyncFnOnce(&mut PgConnection, Replayed) -> anyhow::Result<()>,
) -> Result<Replayed, ReplayError> {
    let started = Instant::now();
    let mut build = Build::begin(log, options, None).await?;
    let begun = build.begun();
    build.run(Position(i64::MAX), &mut progress).await?;
    let replayed = build.swap(async |transaction, position| {
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let replayed = Replayed { begun, position, elapsed_ms };
        last(transaction, replayed).await?;
        Ok(replayed)
    });
    let replayed = replayed.await?;
    progress(Progress { begun, step: Step::CatchUp, position: replayed.position, head: replayed.position });
    Ok(replayed)
}
