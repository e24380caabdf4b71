//! The schemas of the read model: `read`, which everyone reads, `read_next`, the shadow that a replay builds beside it,
//! and `read_old`, the backup: what was live before the last swap.
//!
//! ```text
//! replay                                  swap, in one transaction, by renaming
//!   the log ──▶ read_next ──▶ read ──▶ read_old ──▶ dropped
//! replay --from backup
//!   read_old (brought up to date) ──▶ read ──▶ read_old
//! ```
//!
//! Two advisory locks of the database order everything. `SWAP_LOCK`: every applied batch holds it shared, a swap holds
//! it alone. `REPLAY_LOCK`: held by the session of the one replay.

use anyhow::Context;
use sqlx::{PgConnection, PgPool};

use crate::vocabulary;

/// The shape of the read model and the meaning of its columns. Whoever changes either counts it up: a daemon that finds
/// a smaller number replays before it goes on.
pub const MODEL_VERSION: i32 = 8;

/// The tables, in whichever schema is used.
pub const TABLES: &str = include_str!("../sql/create_read_model.sql");
/// Keys and indexes, in two statements that can be run side by side, each with the one that asks whether it has been.
pub const INDEXES: [(&str, &str); 2] = [
    (include_str!("../sql/index_artworks.sql"), include_str!("../sql/find_index_artworks.sql")),
    (include_str!("../sql/index_variants.sql"), include_str!("../sql/find_index_variants.sql")),
];

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
    /// The one that was live before the last swap.
    Backup,
}

impl Schema {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Live => "read",
            Self::Next => "read_next",
            Self::Backup => "read_old",
        }
    }

    /// Makes this transaction apply to the schema, once no swap is under way.
    pub(crate) async fn enter(self, transaction: &mut PgConnection) -> sqlx::Result<()> {
        let entered = sqlx::query(include_str!("../sql/enter_schema.sql")).bind(SWAP_LOCK).bind(self.name());
        entered.execute(transaction).await.map(drop)
    }
}

/// The live read model, as a program finds it that starts.
pub(crate) struct Live {
    pub(crate) version: i32,
    /// Types that this program knows and whose events are not in it.
    pub(crate) passed_over: Vec<String>,
}

/// Creates the live schema unless it is there. If it fits this program, that one is noted as writing to it.
pub(crate) async fn open_live(pool: &PgPool) -> anyhow::Result<Live> {
    let mut tx = pool.begin().await?;
    lock_out_appliers(&mut tx).await?;
    if !find_live(&mut tx).await? {
        own(&mut tx).await?;
        sqlx::query(include_str!("../sql/create_live_schema.sql")).execute(&mut *tx).await?;
        use_schema(&mut tx, Schema::Live.name()).await?;
        create_tables(&mut tx).await.context("creating the schema `read`")?;
        for (index, _) in INDEXES {
            sqlx::raw_sql(index).execute(&mut *tx).await?;
        }
    }
    use_schema(&mut tx, Schema::Live.name()).await?;
    let version = sqlx::query_scalar(include_str!("../sql/read_model_version.sql")).fetch_one(&mut *tx).await?;
    if version != MODEL_VERSION {
        return Ok(Live { version, passed_over: Vec::new() });
    }
    let passed_over = vocabulary::passed_over(&mut tx).await?;
    if passed_over.is_empty() {
        vocabulary::learn(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(Live { version, passed_over })
}

/// Whether there is a live read model.
pub(crate) async fn find_live(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar(include_str!("../sql/find_read_model.sql")).fetch_one(connection).await
}

/// Removes `read_next` when it is not wanted any more.
pub(crate) async fn drop_next(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(include_str!("../sql/drop_next_schema.sql")).execute(connection).await.map(drop)
}

/// Waits until no batch is being applied, and keeps others from being applied until the transaction ends.
pub(crate) async fn lock_out_appliers(transaction: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(include_str!("../sql/lock_out_appliers.sql")).bind(SWAP_LOCK).execute(transaction).await.map(drop)
}

/// Makes unqualified names of this transaction mean the schema's.
pub(crate) async fn use_schema(transaction: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    sqlx::query(include_str!("../sql/use_schema.sql")).bind(name).execute(transaction).await.map(drop)
}

/// Makes unqualified names of this transaction mean the log's again, as outside of it.
pub(crate) async fn use_log(transaction: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(include_str!("../sql/use_log.sql")).execute(transaction).await.map(drop)
}

/// Makes the rest of this transaction the act of the index's role: what is built belongs to it, whether the daemon runs
/// under its own role or somebody else replays, and either can go on with what the other has built.
async fn own(transaction: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(include_str!("../sql/own_schema.sql")).execute(transaction).await.map(drop)
}

/// The same for all that a connection does.
pub(crate) async fn own_all(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(include_str!("../sql/own_connection.sql")).execute(connection).await.map(drop)
}

/// The tables, without keys and indexes, in the schema that the transaction uses.
pub(crate) async fn create_tables(transaction: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql(TABLES).execute(&mut *transaction).await?;
    sqlx::query(include_str!("../sql/grant_read_model.sql")).execute(&mut *transaction).await?;
    sqlx::query(include_str!("../sql/insert_checkpoint.sql")).bind(MODEL_VERSION).execute(&mut *transaction).await?;
    vocabulary::learn(transaction).await
}
