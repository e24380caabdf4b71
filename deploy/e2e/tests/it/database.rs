//! Postgres goes away, has no connection left, or no room.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use atelier_e2e::{Broker, Database, until};
use atelier_events::ArtworkId;
use futures::future::join_all;
use reqwest::{Response, StatusCode, header};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::commands::{persistently, sketches};
use crate::harness::{Processes, with_processes};
use crate::invariant::check;
use crate::servers::Servers;
use crate::{IMPATIENT, history};

const SIDE: u32 = 128;

/// Commands that are refused for want of room before the test believes it.
const REFUSALS: usize = 5;

/// Commands after which the log must have outgrown its room.
const COMMANDS_AT_MOST: usize = 500;

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_on_after_a_restart_of_postgres_and_after_a_disk_that_was_full() -> anyhow::Result<()> {
    let servers = Servers::start(&["postgres"]).await?;
    let database = servers.url("postgres").await?;
    let broker = Broker::scratch();
    let outcome = with_processes(&database, broker.settings.clone(), &IMPATIENT, async |processes| {
        let client = &processes.client;
        // A daemon that is still starting may end when the database goes away: its supervisor would start it again.
        let mut accepted = sketches(client, "first", 1, SIDE).await?;
        check(processes, &accepted).await?;
        accepted.extend(sketches(client, "before-the-restart", 6, 256).await?);
        history::busy(&processes.connections.log, "atelier-generate").await?;
        servers.down("postgres").await?;
        let (during, ()) = tokio::try_join!(sketches(client, "while-it-is-down", 2, SIDE), servers.up("postgres"))?;
        accepted.extend(during);
        check(processes, &accepted).await?;
        full_disk(processes, &servers, &mut accepted).await
    })
    .await;
    broker.delete().await?;
    outcome
}

/// The table of events may not grow: for Postgres that is what a full disk is. Every command is then refused with words
/// that say so, and taken when it comes again and there is room.
async fn full_disk(processes: &Processes, servers: &Servers, accepted: &mut Vec<ArtworkId>) -> anyhow::Result<()> {
    let room = fill(processes.connections.log.pool()).await?;
    servers.limit_files_of_postgres(Some(room)).await?;
    let mut refused = Vec::new();
    for number in 0..COMMANDS_AT_MOST {
        let key = format!("full-{number}");
        let answer = command(processes, &key).await?;
        if answer.status() == StatusCode::ACCEPTED {
            accepted.extend(artworks(&answer.json().await?)?);
        } else {
            no_room(answer).await.context(key.clone())?;
            refused.push(key);
        }
        if refused.len() == REFUSALS {
            break;
        }
    }
    ensure!(refused.len() == REFUSALS, "{COMMANDS_AT_MOST} commands found room");
    servers.limit_files_of_postgres(None).await?;
    for key in refused {
        let answer = persistently(async || Ok(command(processes, &key).await?.error_for_status()?)).await?;
        accepted.extend(artworks(&answer.json().await?)?);
    }
    check(processes, accepted).await
}

/// Makes the file of the events so large that it is the largest, without an event more: what a transaction wrote that was
/// rolled back stays in it. Answers the length to which the file can grow without holding one page more.
async fn fill(pool: &PgPool) -> anyhow::Result<u64> {
    sqlx::query("alter table events set (autovacuum_enabled = false)").execute(pool).await?;
    let mut transaction = pool.begin().await?;
    // A file of the write-ahead log has 16 MB, and may be written as ever.
    let statement = "insert into events select (jsonb_populate_record(sample.e, jsonb_build_object( \
                     'position', 1000000 + n, 'stream', 'ballast-' || n, 'id', gen_random_uuid(), \
                     'data', jsonb_build_object('ballast', repeat('x', 1400))))).* \
                     from (select e from events e order by e.position limit 1) sample, generate_series(1, 13000) n";
    sqlx::query(statement).execute(&mut *transaction).await?;
    transaction.rollback().await?;
    let length: i64 = sqlx::query_scalar("select pg_relation_size('events')").fetch_one(pool).await?;
    ensure!(length > 16 * 1024 * 1024, "the table has {length} bytes");
    Ok(u64::try_from(length)? + 4096)
}

async fn no_room(answer: Response) -> anyhow::Result<()> {
    let status = answer.status();
    let media_type = answer.headers().get(header::CONTENT_TYPE).cloned();
    let problem: Value = answer.json().await?;
    ensure!(status == StatusCode::INSUFFICIENT_STORAGE, "{status}: {problem}");
    ensure!(media_type.is_some_and(|it| it == "application/problem+json"), "{problem}");
    ensure!(problem["detail"].as_str().is_some_and(|detail| detail.contains("disk")), "{problem}");
    Ok(())
}

/// A command as a client sends it that does not repeat it.
async fn command(processes: &Processes, key: &str) -> anyhow::Result<Response> {
    let body = json!({ "prompt": format!("a harbour at dusk, {key}"), "width": SIDE, "height": SIDE, "title": key });
    let request = reqwest::Client::new()
        .post(format!("{}/v1/generations", processes.api_url))
        .bearer_auth(&processes.api_key)
        .header("idempotency-key", key)
        .timeout(Duration::from_secs(30))
        .json(&body);
    Ok(request.send().await?)
}

/// The artworks that an answer names.
fn artworks(answer: &Value) -> anyhow::Result<Vec<ArtworkId>> {
    let named = answer["artworks"].as_array().with_context(|| format!("no artworks in {answer}"))?;
    named.iter().map(|artwork| Ok(artwork["artwork_id"].as_str().context("an artwork has an id")?.parse()?)).collect()
}

/// Few enough that some always wait, and how long they do.
const FEW: [(&str, &str); 2] = [("DATABASE__CONNECTIONS", "4"), ("DATABASE__ACQUIRE_TIMEOUT_MS", "500")];

/// Clients that ask at the same time.
const CLIENTS: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn commands_for_which_no_connection_comes_free_are_refused_clearly_and_those_accepted_are_done()
-> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let settings = [&IMPATIENT[..], &FEW].concat();
    let outcome = with_processes(&database.url, broker.settings.clone(), &settings, async |processes| {
        let mut accepted = sketches(&processes.client, "first", 1, SIDE).await?;
        check(processes, &accepted).await?;
        let keys: Vec<String> = (0..CLIENTS).map(|number| format!("at-once-{number}")).collect();
        accepted.extend(at_once(processes, &keys).await?.0);

        // Reads that wait for a lock hold all connections there are.
        let keys: Vec<String> = (0..CLIENTS).map(|number| format!("exhausted-{number}")).collect();
        let mut lock = processes.connections.log.pool().begin().await?;
        sqlx::query("lock table read.artworks in access exclusive mode").execute(&mut *lock).await?;
        let reads = join_all((0..CLIENTS).map(|_| read(processes)));
        let commands = async {
            let waiting = "select count(*) from pg_locks where relation = 'read.artworks'::regclass and not granted";
            let pool = processes.connections.log.pool();
            until("reads wait", || async { Ok(sqlx::query_scalar::<_, i64>(waiting).fetch_one(pool).await? > 1) })
                .await?;
            let outcome = at_once(processes, &keys).await?;
            lock.rollback().await?;
            anyhow::Ok(outcome)
        };
        let (reads, commands) = tokio::join!(reads, commands);
        let (taken, refused) = commands?;
        ensure!(!refused.is_empty(), "a connection came free for everyone");
        for read in reads {
            let status = read?.status();
            ensure!(status.is_success() || status == StatusCode::SERVICE_UNAVAILABLE, "a read was answered {status}");
        }
        accepted.extend(taken);
        for key in refused {
            let answer = persistently(async || Ok(command(processes, &key).await?.error_for_status()?)).await?;
            accepted.extend(artworks(&answer.json().await?)?);
        }
        check(processes, &accepted).await
    })
    .await;
    broker.delete().await?;
    outcome
}

async fn read(processes: &Processes) -> anyhow::Result<Response> {
    let request = reqwest::Client::new().get(format!("{}/v1/artworks", processes.api_url));
    Ok(request.bearer_auth(&processes.api_key).send().await?)
}

/// Sends commands all at once. Answers what was taken, and the keys of those that were to come again.
async fn at_once(processes: &Processes, keys: &[String]) -> anyhow::Result<(Vec<ArtworkId>, Vec<String>)> {
    let answers = join_all(keys.iter().map(|key| command(processes, key))).await;
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for (key, answer) in keys.iter().zip(answers) {
        let answer = answer?;
        if answer.status() == StatusCode::ACCEPTED {
            taken.extend(artworks(&answer.json().await?)?);
            continue;
        }
        let (status, again) = (answer.status(), answer.headers().contains_key(header::RETRY_AFTER));
        let problem: Value = answer.json().await?;
        ensure!(status == StatusCode::SERVICE_UNAVAILABLE && again, "{status}: {problem}");
        ensure!(problem["type"] == "urn:atelier:problem:unavailable", "{problem}");
        refused.push(key.clone());
    }
    Ok((taken, refused))
}
