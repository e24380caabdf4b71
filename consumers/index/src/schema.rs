//! The schemas of the read model: `read`, which everyone reads, `read_next`, which a replay builds beside it, and
//! `read_old`, which a replay leaves behind until the next.
//!
//! ```text
//! replay: builds        swap, in one transaction
//!   read_next ───────▶ read ───────▶ read_old ───────▶ dropped by the next replay
//! ```
//!
//! Two advisory locks of the database order everything. `SWAP_LOCK`: every applied batch holds it shared, a swap holds
//! it alone. `REPLAY_LOCK`: held by the session of the one replay.

use anyhow::Context;
use sqlx::{PgConnection, PgPool};

/// The shape of the read model and the meaning of its columns. Whoever changes either counts it up: a daemon that finds
/// a smaller number replays before it goes on.
pub const MODEL_VERSION: i32 = 1;

/// Shared by who applies a batch, exclusive to who creates or swaps schemas.
pub(crate) const SWAP_LOCK: i64 = 0x6174_656c_0001;
/// Held by the session that replays.
pub(crate) const REPLAY_LOCK: i64 = 0x6174_656c_0002;
/// Held by the transaction that writes the gallery's list.
pub(crate) const GALLERY_LOCK: i64 = 0x6174_656c_0003;

/// Which of the schemas events are applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    /// The one that is read.
    Live,
    /// The one that a replay builds.
    Next,
}

impl Schema {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Live => "read",
            Self::Next => "read_next",
        }
    }

    /// Makes this transaction apply to the schema, once no swap is under way.
    pub(crate) async fn enter(self, transaction: &mut PgConnection) -> sqlx::Result<()> {
        let entered = sqlx::query(include_str!("../sql/enter_schema.sql")).bind(SWAP_LOCK).bind(self.name());
        entered.execute(transaction).await.map(drop)
    }
}

/// Creates the live schema unless it is there, and answers its model version.
pub(crate) async fn create_live(pool: &PgPool) -> anyhow::Result<i32> {
    let mut tx = pool.begin().await?;
    lock_out_appliers(&mut tx).await?;
    let there: bool = sqlx::query_scalar(include_str!("../sql/find_read_model.sql")).fetch_one(&mut *tx).await?;
    if !there {
        own(&mut tx).await?;
        sqlx::query(include_str!("../sql/create_live_schema.sql")).execute(&mut *tx).await?;
        create_tables(&mut tx, Schema::Live).await.context("creating the schema `read`")?;
    }
    let version = sqlx::query_scalar(include_str!("../sql/read_model_version.sql")).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(version)
}

/// Creates an empty `read_next`, dropping what an interrupted replay left there, and drops `read_old`.
pub(crate) async fn create_next(connection: &mut PgConnection) -> anyhow::Result<()> {
    let mut tx = sqlx::Connection::begin(connection).await?;
    sqlx::query(include_str!("../sql/drop_old_schema.sql")).execute(&mut *tx).await?;
    sqlx::query(include_str!("../sql/drop_next_schema.sql")).execute(&mut *tx).await?;
    own(&mut tx).await?;
    sqlx::query(include_str!("../sql/create_next_schema.sql")).execute(&mut *tx).await?;
    create_tables(&mut tx, Schema::Next).await.context("creating the schema `read_next`")?;
    Ok(tx.commit().await?)
}

/// Removes `read_next` when it is not wanted any more.
pub(crate) async fn drop_next(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(include_str!("../sql/drop_next_schema.sql")).execute(connection).await.map(drop)
}

/// Makes `read_next` the live schema; the caller's transaction has locked out the appliers.
pub(crate) async fn promote_next(transaction: &mut PgConnection) -> sqlx::Result<()> {
    let there: bool =
        sqlx::query_scalar(include_str!("../sql/find_read_model.sql")).fetch_one(&mut *transaction).await?;
    if there {
        sqlx::query(include_str!("../sql/retire_live_schema.sql")).execute(&mut *transaction).await?;
    }
    sqlx::query(include_str!("../sql/promote_next_schema.sql")).execute(transaction).await.map(drop)
}

/// Waits until no batch is being applied, and keeps others from being applied until the transaction ends.
pub(crate) async fn lock_out_appliers(transaction: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(include_str!("../sql/lock_out_appliers.sql")).bind(SWAP_LOCK).execute(transaction).await.map(drop)
}

/// Makes unqualified names of this transaction mean the schema's.
pub(crate) async fn use_schema(transaction: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    sqlx::query(include_str!("../sql/use_schema.sql")).bind(name).execute(transaction).await.map(drop)
}

/// Makes the rest of this transaction the act of the index's role: what is built belongs to it, whether the daemon runs
/// under its own role or somebody else replays, and either can go on with what the other has built.
async fn own(transaction: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(include_str!("../sql/own_schema.sql")).execute(transaction).await.map(drop)
}

async fn create_tables(transaction: &mut PgConnection, schema: Schema) -> sqlx::Result<()> {
    use_schema(transaction, schema.name()).await?;
    sqlx::raw_sql(include_str!("../sql/create_read_model.sql")).execute(&mut *transaction).await?;
    sqlx::query(include_str!("../sql/grant_read_model.sql")).execute(&mut *transaction).await?;
    sqlx::query(include_str!("../sql/insert_checkpoint.sql")).bind(MODEL_VERSION).execute(transaction).await.map(drop)
}
