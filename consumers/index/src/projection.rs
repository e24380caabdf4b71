//! The read model as a projection: batches of the log, applied to the schema `read`.

use anyhow::{Context, bail};
use atelier_events::{Consumer, Log, Position, Recorded, connect};
use atelier_runtime::Projection;
use tokio::sync::watch;

use crate::applier::{Applier, KEPT_LIMIT};
use crate::replay::{self, ReplayError};
use crate::schema::{self, Live, MODEL_VERSION, Schema};

/// How long a daemon waits before it looks again whether another one's replay is done.
const REPLAY_POLL: std::time::Duration = std::time::Duration::from_secs(1);

/// The live read model. Several may run at once: each applies only what the checkpoint, which lies in the same
/// transaction, says is new.
pub struct ReadModel {
    log: Log,
    applier: Applier,
    moved: watch::Sender<Position>,
}

impl ReadModel {
    /// Opens the read model, creating it if it is not there and replaying it when it has an older shape. A database that
    /// goes away meanwhile is waited for; a replay then goes on where it was.
    pub async fn open(log: &Log) -> anyhow::Result<Self> {
        connect::insist(|| Self::open_once(log)).await
    }

    async fn open_once(log: &Log) -> anyhow::Result<Self> {
        loop {
            let Live { version, passed_over } = schema::open_live(log.pool()).await?;
            if version == MODEL_VERSION && passed_over.is_empty() {
                break;
            }
            if version > MODEL_VERSION {
                bail!(
                    "the read model is of version {version}, and this atelier-index knows up to {MODEL_VERSION}: start the newer one"
                );
            }
            if version < MODEL_VERSION {
                tracing::info!(from = version, to = MODEL_VERSION, "the read model has an older shape: replaying");
            } else {
                let types = passed_over.join(", ");
                tracing::info!(event.types = types, "events of these types were passed over before: replaying");
            }
            match replay::replay(log, |_| {}).await {
                Ok(replayed) => tracing::info!(position = replayed.position.0, "replayed"),
                Err(ReplayError::Running) => tokio::time::sleep(REPLAY_POLL).await,
                Err(ReplayError::Failed(error)) => return Err(error.context("replaying the read model")),
                Err(error @ (ReplayError::NoBackup | ReplayError::NoLive)) => {
                    return Err(anyhow::Error::new(error).context("replaying the read model"));
                }
            }
        }
        Ok(Self { log: log.clone(), applier: Applier::new(log.clone(), KEPT_LIMIT), moved: watch::Sender::default() })
    }

    /// With so many artworks kept in memory, and not as many as are kept when nothing is said.
    #[must_use]
    pub fn keeping(self, artworks: usize) -> Self {
        Self { applier: Applier::new(self.log.clone(), artworks), ..self }
    }

    /// Changes when the read model has moved and the log has been read to its end.
    #[must_use]
    pub fn moved(&self) -> watch::Receiver<Position> {
        self.moved.subscribe()
    }
}

/// Up to where the live read model has been applied.
pub async fn checkpoint(pool: &sqlx::PgPool) -> sqlx::Result<Position> {
    sqlx::query_scalar(include_str!("../sql/read_checkpoint.sql")).fetch_one(pool).await
}

impl Projection for ReadModel {
    const CONSUMER: Consumer = Consumer::Index;

    async fn checkpoint(&mut self) -> anyhow::Result<Position> {
        checkpoint(self.log.pool()).await.context("the schema `read` was there when this daemon started")
    }

    async fn apply(&mut self, events: &[Recorded]) -> anyhow::Result<()> {
        let mut tx = self.log.pool().begin().await?;
        Schema::Live.enter(&mut tx).await?;
        let position = self.applier.apply(&mut tx, events).await?;
        tx.commit().await?;
        self.applier.committed(position);
        Ok(())
    }

    async fn caught_up(&mut self) -> anyhow::Result<()> {
        let position = checkpoint(self.log.pool()).await?;
        self.moved.send_if_modified(|seen| std::mem::replace(seen, position) != position);
        Ok(())
    }
}
