//! A connection on which the real statements are prepared, word for word, and scripts are played: a whole schedule goes to the
//! server in one message, so that what takes time is Postgres.

use std::collections::HashMap;

use anyhow::Context as _;
use futures::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Either, PgConnection, Row};

use super::actors::schedule;
use super::failure::Failure;
use super::model::Key;
use super::mutants::{FUNCTION, Mutant};
use super::script::{Call, Script};
use super::statement::FILES;

/// Dead rows of so many schedules are cleared away together.
const VACUUM_AFTER: usize = 20;
const VACUUM: &str =
    "vacuum jobs, available_jobs, scheduled_jobs, leases, dead_letters, log_head, checkpoints, leaders, pauses";

/// The tables are looked at after so many calls, and at the end: what is wrong in them stays wrong, and looking after every
/// call takes longer than the calls.
const LOOK_AFTER: usize = 8;

/// Plays schedules, one after the other, in one database.
pub(super) struct Session {
    connection: PgConnection,
    /// Where the log is.
    pub(super) base: i64,
    played: usize,
}

/// At which call of a script something was not as it should be, and what.
pub(super) type Difference = (usize, String);

impl Session {
    /// Prepares the statements, one of them mutated if that is asked for.
    pub(super) async fn open(url: &str, mutant: Option<&Mutant>) -> anyhow::Result<Self> {
        // What is sent is no secret: encrypting it is work for nothing on either side.
        let connection = url.parse::<PgConnectOptions>()?.ssl_mode(PgSslMode::Disable).connect().await?;
        let mut session = Self { connection, base: 0, played: 0 };
        session
            .run(
                "set synchronous_commit = off; set jit = off; set plan_cache_mode = force_generic_plan;
                 set client_min_messages = error; set search_path = simulation, public, pg_catalog;
                 drop function if exists simulation.append_events",
            )
            .await?;
        if let Some(mutant) = mutant.filter(|mutant| mutant.statement == FUNCTION) {
            let definition = "select pg_get_functiondef('public.append_events'::regproc)";
            let definition: String = sqlx::query_scalar(definition).fetch_one(&mut session.connection).await?;
            // What is in this schema is found first.
            session.run(&mutant.of(&definition)?.replacen("public.", "simulation.", 1)).await?;
        }
        for (name, types, text) in FILES {
            let mutant = mutant.filter(|mutant| mutant.statement == name);
            let text = mutant.map_or(Ok(text.to_owned()), |mutant| mutant.of(text))?;
            session
                .run(&format!("prepare {name} ({types}) as {text}"))
                .await
                .with_context(|| format!("in {name}.sql"))?;
        }
        session.run(&format!("prepare snapshot as {}", include_str!("snapshot.sql"))).await?;
        session.base = sqlx::query_scalar("select position from log_head").fetch_one(&mut session.connection).await?;
        Ok(session)
    }

    pub(super) async fn run(&mut self, sql: &str) -> sqlx::Result<()> {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.connection).await.map(drop)
    }

    /// What the tables hold, as the model tells it.
    pub(super) async fn snapshot(&mut self) -> sqlx::Result<String> {
        sqlx::raw_sql("execute snapshot").fetch_one(&mut self.connection).await?.try_get(0)
    }

    /// The events of the jobs that a statement answers with, in their order; none where it answers otherwise.
    pub(super) async fn positions(&mut self, statement: &str) -> sqlx::Result<Vec<i64>> {
        let answered = sqlx::raw_sql(AssertSqlSafe(format!("execute {statement}")));
        let rows = answered.fetch_all(&mut self.connection).await?;
        let mut positions = Vec::new();
        for row in &rows {
            let id = row.try_get::<i64, _>("job").or_else(|_| row.try_get("id"));
            let position = match (row.try_get("position"), id) {
                (Ok(position), _) => position,
                (Err(_), Ok(id)) => {
                    let asked = sqlx::query_scalar("select position from jobs where id = $1").bind::<i64>(id);
                    asked.fetch_one(&mut self.connection).await?
                }
                (Err(_), Err(_)) => continue,
            };
            positions.push(position);
        }
        positions.sort_unstable();
        Ok(positions)
    }

    /// The server's process for it.
    pub(super) async fn pid(&mut self) -> sqlx::Result<i32> {
        sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut self.connection).await
    }

    /// Makes the schedule of a seed and plays it. What it did stays only if all was well.
    pub(super) async fn play(&mut self, seed: u64) -> anyhow::Result<Result<(), Box<Failure>>> {
        let mut script = schedule(seed, self.base, LOOK_AFTER);
        let mut outcome = self.begin(&script).await?;
        if outcome.is_err() {
            // Once more, looking after every call: at which of them was it?
            self.run("rollback").await?;
            script = schedule(seed, self.base, 1);
            outcome = self.begin(&script).await?.and(outcome);
        }
        let outcome = outcome.and_then(|()| match script.promises.broken.first() {
            Some(broken) => Err((script.calls.len(), broken.clone())),
            None => Ok(()),
        });
        if let Err((at, what)) = outcome {
            self.run("rollback").await?;
            return Ok(Err(Box::new(Failure::new(seed, &script.calls, at, what))));
        }
        self.run("commit").await?;
        self.base = script.model.head();
        self.played += 1;
        if self.played.is_multiple_of(VACUUM_AFTER) {
            self.run(VACUUM).await?;
        }
        Ok(Ok(()))
    }

    /// Plays a script up to the first call whose answer, or after which the tables, are not as they should be. Everything
    /// lies in one transaction, which stays open.
    pub(super) async fn begin(&mut self, script: &Script) -> anyhow::Result<Result<(), Difference>> {
        self.run(&format!("begin; {}; select set_config('simulation.clock', '0', false)", include_str!("begin.sql")))
            .await?;
        let mut jobs = HashMap::new();
        let (answers, error) = self.send(&script.calls).await;
        let stopped =
            || error.as_ref().map_or("the server did not answer".to_owned(), |error| format!("it failed: {error}"));
        let mut answers = answers.into_iter();
        for (at, call) in script.calls.iter().enumerate() {
            let Some(rows) = answers.next() else { return Ok(Err((at, stopped()))) };
            let seen = lines(call, &rows, &mut jobs)?;
            let expected = &call.answer;
            if seen != *expected {
                return Ok(Err((at, format!("it should answer {expected:#?}\nand it answered {seen:#?}"))));
            }
            let Some(expected) = &call.snapshot else { continue };
            let Some(rows) = answers.next() else { return Ok(Err((at, stopped()))) };
            let seen: String = rows.first().context("a snapshot is a row")?.try_get(0)?;
            if seen != *expected {
                return Ok(Err((at, format!("the tables should hold\n{expected}\nand they hold\n{seen}"))));
            }
        }
        Ok(Ok(()))
    }

    /// The rows of each call, and of the snapshot after it, up to the first that fails.
    async fn send(&mut self, calls: &[Call]) -> (Vec<Vec<PgRow>>, Option<sqlx::Error>) {
        let mut text = String::new();
        for call in calls {
            text.push_str(&call.sql);
            text.push_str(if call.snapshot.is_some() { "; execute snapshot;\n" } else { ";\n" });
        }
        let (mut answers, mut rows) = (Vec::new(), Vec::new());
        let mut stream = sqlx::raw_sql(AssertSqlSafe(text)).fetch_many(&mut self.connection);
        loop {
            match stream.try_next().await {
                Ok(Some(Either::Right(row))) => rows.push(row),
                Ok(Some(Either::Left(_))) => answers.push(std::mem::take(&mut rows)),
                Ok(None) => return (answers, None),
                Err(error) => return (answers, Some(error)),
            }
        }
    }
}

/// A call's rows as the model tells them.
pub(super) fn lines(call: &Call, rows: &[PgRow], jobs: &mut HashMap<i64, Key>) -> sqlx::Result<Vec<String>> {
    let Some(statement) = call.statement else { return Ok(Vec::new()) };
    let mut lines = rows.iter().map(|row| statement.line(row, jobs)).collect::<sqlx::Result<Vec<_>>>()?;
    if !statement.is_ordered() {
        lines.sort_unstable();
    }
    Ok(lines)
}
