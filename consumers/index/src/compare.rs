//! Whether two read models are the same, row for row: what is asked of the live one and a fresh replay.

use std::collections::BTreeMap;

use atelier_events::{Log, Position};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};

use crate::replay::{Begun, Build, Options, Progress, ReplayError};
use crate::schema;

/// Keys that are told of each kind of difference, of each table.
const KEYS_LIMIT: i32 = 5;

/// All rows of a table in two numbers, whatever their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Digest {
    /// How many rows.
    pub rows: i64,
    /// The sum of a 64-bit hash of each.
    pub hash: String,
}

/// The live read model beside a fresh replay of it, or beside the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Where the replay started.
    pub begun: Begun,
    /// Both were here.
    pub position: Position,
    /// The tables that differ.
    pub differing: BTreeMap<String, Difference>,
}

/// How the live rows of a table differ from those of the replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Difference {
    /// Rows that the replay has and the live table has not.
    pub missing: i64,
    /// Rows that the live table has and the replay has not.
    pub extra: i64,
    /// Rows that are not the same in both.
    pub different: i64,
    /// The keys of the first few that are missing.
    pub missing_keys: Vec<String>,
    /// The keys of the first few that are extra.
    pub extra_keys: Vec<String>,
    /// The keys of the first few that are different.
    pub different_keys: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    name: String,
    #[sqlx(flatten)]
    difference: Difference,
}

/// The digest of every table of a schema, by table.
pub async fn digests(pool: &PgPool, schema: &str) -> sqlx::Result<BTreeMap<String, Digest>> {
    let mut tx = pool.begin().await?;
    schema::use_schema(&mut tx, schema).await?;
    let rows: Vec<(String, i64, String)> =
        sqlx::query_as(include_str!("../sql/digest_tables.sql")).fetch_all(&mut *tx).await?;
    Ok(rows.into_iter().map(|(table, rows, hash)| (table, Digest { rows, hash })).collect())
}

/// Replays beside the live read model and answers what differs; changes nothing. Refused while a replay is running.
pub async fn compare(log: &Log, progress: impl FnMut(Progress)) -> Result<Compared, ReplayError> {
    dry_run(log, Options::default(), progress).await
}

/// What a replay with these options would change: does all of it but the swap. Refused while a replay is running.
pub async fn dry_run(log: &Log, options: Options, mut progress: impl FnMut(Progress)) -> Result<Compared, ReplayError> {
    let mut connection = log.pool().acquire().await?;
    if !schema::find_live(&mut connection).await? {
        return Err(ReplayError::NoLive);
    }
    drop(connection);
    let live = crate::projection::checkpoint(log.pool()).await?;
    let mut build = Build::begin(log, options, Some(live)).await?;
    let begun = build.begun();
    build.run(live, &mut progress).await?;
    let compared = build.beside_live(async |transaction, position| {
        Ok(Compared { begun, position, differing: differing(transaction).await? })
    });
    Ok(compared.await?)
}

/// What differs between `read` and `read_next`.
async fn differing(transaction: &mut PgConnection) -> sqlx::Result<BTreeMap<String, Difference>> {
    let rows: Vec<Row> =
        sqlx::query_as(include_str!("../sql/compare_models.sql")).bind(KEYS_LIMIT).fetch_all(transaction).await?;
    Ok(rows.into_iter().map(|row| (row.name, row.difference)).collect())
}
