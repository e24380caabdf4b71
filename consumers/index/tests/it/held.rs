//! Replays that are held where the load is done and indexes are made, until a test lets them go on.

use anyhow::Context;
use sqlx::{Connection, PgConnection};

use crate::story::Story;

/// Whoever makes an index waits for it.
const GATE: i64 = 42;

/// As long as it is there, no replay gets further than to its first index.
pub(crate) struct Held {
    gate: PgConnection,
}

impl Held {
    pub(crate) async fn hold(story: &Story) -> anyhow::Result<Self> {
        let trigger = "create function wait_at_gate() returns event_trigger language plpgsql as
                           $$ begin perform pg_advisory_xact_lock_shared(42); end $$;
                       create event trigger gate on ddl_command_start when tag in ('CREATE INDEX', 'ALTER TABLE')
                           execute function wait_at_gate()";
        sqlx::raw_sql(trigger).execute(story.pool()).await?;
        let mut gate = PgConnection::connect(&story.database.url).await?;
        sqlx::query("select pg_advisory_lock($1)").bind(GATE).execute(&mut gate).await?;
        Ok(Self { gate })
    }

    /// Until a replay waits here: all of its load is done.
    pub(crate) async fn reached(&self, story: &Story) -> anyhow::Result<()> {
        let waiting = "select exists (select from pg_locks where locktype = 'advisory' and objid = 42 and not granted
                           and database = (select oid from pg_database where datname = current_database()))";
        atelier_e2e::until("a replay makes its first index", async || {
            Ok(sqlx::query_scalar(waiting).fetch_one(story.pool()).await?)
        })
        .await
        .context("no replay has come to the gate")
    }

    pub(crate) async fn release(self) -> anyhow::Result<()> {
        Ok(self.gate.close().await?)
    }
}
