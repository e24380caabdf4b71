//! Whether two read models are the same, row for row: what `verify` asks of the live one and a fresh replay.

use std::collections::BTreeMap;

use atelier_events::{Log, Position};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};

use crate::replay::{Build, Progress, ReplayError};
use crate::schema::{self, Schema};

/// All rows of a table in two numbers, whatever their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Digest {
    /// How many rows.
    pub rows: i64,
    /// The sum of a 64-bit hash of each.
    pub hash: String,
}

/// The live read model beside a fresh replay of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Both were here.
    pub position: Position,
    /// The tables that differ.
    pub differing: BTreeMap<String, Difference>,
}

/// How a table differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What is read now.
    pub live: Digest,
    /// What follows from the log.
    pub replayed: Digest,
}

/// The digest of every table of a schema, by table.
pub async fn digests(pool: &PgPool, schema: &str) -> sqlx::Result<BTreeMap<String, Digest>> {
    let mut tx = pool.begin().await?;
    digests_in(&mut tx, schema).await
}

/// Replays beside the live read model and answers what differs; changes nothing. Refused while a replay is running.
pub async fn compare(log: &Log, mut progress: impl FnMut(Progress)) -> Result<Compared, ReplayError> {
    let live = crate::projection::checkpoint(log.pool()).await?;
    let mut build = Build::begin(log).await?;
    build.catch_up(live, &mut progress).await?;
    let compared = build.beside_live(async |transaction, position| {
        let live = digests_in(transaction, Schema::Live.name()).await?;
        let mut replayed = digests_in(transaction, Schema::Next.name()).await?;
        let differing = live.into_iter().filter_map(|(table, live)| {
            let replayed = replayed.remove(&table)?;
            (live != replayed).then_some((table, Difference { live, replayed }))
        });
        Ok(Compared { position, differing: differing.collect() })
    });
    Ok(compared.await?)
}

async fn digests_in(transaction: &mut PgConnection, schema: &str) -> sqlx::Result<BTreeMap<String, Digest>> {
    schema::use_schema(transaction, schema).await?;
    let rows: Vec<(String, i64, String)> =
        sqlx::query_as(include_str!("../sql/digest_tables.sql")).fetch_all(transaction).await?;
    Ok(rows.into_iter().map(|(table, rows, hash)| (table, Digest { rows, hash })).collect())
}
