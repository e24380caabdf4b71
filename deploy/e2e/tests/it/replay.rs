//! The read model can be thrown away at any time.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, ensure};
use atelier_e2e::{Database, until};
use atelier_events::settings::BusSettings;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::commands::sketches;
use crate::harness::{Processes, with_processes};
use crate::history;

/// Requests while replays run, and sketches in each.
const REQUESTS: u32 = 10;
const SKETCHES: u32 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn the_read_model_after_a_replay_is_the_same_row_for_row_while_artworks_are_being_added() -> anyhow::Result<()> {
    let database = Database::create().await?;
    with_processes(&database.url, BusSettings::default(), &[], async |processes| {
        let processes: &Processes = processes;
        let log = &processes.connections.log;
        let done = AtomicBool::new(false);
        let add = async {
            for request in 0..REQUESTS {
                sketches(&processes.client, &format!("request-{request}"), SKETCHES, 128).await?;
                history::rendered(log, i64::from(request.saturating_sub(1) * SKETCHES)).await?;
            }
            done.store(true, Ordering::SeqCst);
            anyhow::Ok(())
        };
        let replays = async {
            let mut replays = 0;
            while !done.load(Ordering::SeqCst) {
                processes.run("atelier-index", &["replay", "--json"]).await?;
                replays += 1;
                // Both brought to the same position, while the daemon goes on.
                let compared = atelier_index::compare(log, |_| {}).await?;
                ensure!(compared.differing.is_empty(), "while artworks are added: {compared:?}");
            }
            Ok(replays)
        };
        let ((), replays) = tokio::try_join!(add, replays)?;
        ensure!(replays > 1, "{replays} replays prove nothing");

        let variants = i64::from(REQUESTS * SKETCHES);
        history::at_rest(log, variants).await?;
        let live = atelier_index::digests(log.pool(), "read").await?;
        processes.run("atelier-index", &["replay"]).await?;
        let replayed = atelier_index::digests(log.pool(), "read").await?;
        ensure!(live == replayed, "{live:?} is not {replayed:?}");
        ensure!(live["artworks"].rows == variants, "{live:?}");
        Ok(())
    })
    .await
}

/// Asks for a replay over HTTP.
async fn ask(processes: &Processes, body: &Value) -> anyhow::Result<i64> {
    let asked = reqwest::Client::new().post(format!("{}/v1/replays", processes.api_url)).json(body);
    let answer = asked.bearer_auth(&processes.api_key).send().await?;
    ensure!(answer.status() == StatusCode::ACCEPTED, "{answer:?}");
    answer.json::<Value>().await?["id"].as_i64().context("it has an id")
}

/// What came of it.
async fn outcome(processes: &Processes, id: i64) -> anyhow::Result<Value> {
    let read = async || {
        let asked = reqwest::Client::new().get(format!("{}/v1/replays/{id}", processes.api_url));
        anyhow::Ok(asked.bearer_auth(&processes.api_key).send().await?.json::<Value>().await?)
    };
    until("the replay has ended", async || Ok(!read().await?["ended_at"].is_null())).await?;
    let replay = read().await?;
    ensure!(replay["state"] == "done", "{replay}");
    Ok(replay["outcome"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_over_http_is_replayed_by_the_daemon_whose_it_is() -> anyhow::Result<()> {
    let database = Database::create().await?;
    with_processes(&database.url, BusSettings::default(), &[], async |processes| {
        sketches(&processes.client, "first", 3, 128).await?;
        history::at_rest(&processes.connections.log, 3).await?;
        let pool = processes.connections.log.pool().clone();
        let live = atelier_index::digests(&pool, "read").await?;
        sqlx::query("update read.artworks set title = 'another'").execute(&pool).await?;
        let found = outcome(processes, ask(processes, &json!({ "consumer": "index", "dry_run": true })).await?).await?;
        ensure!(found["outcome"] == "compared" && found["differing"]["artworks"]["different"] == 3, "{found}");
        let replayed = outcome(processes, ask(processes, &json!({ "consumer": "index" })).await?).await?;
        ensure!(replayed["outcome"] == "replayed", "{replayed}");
        ensure!(atelier_index::digests(&pool, "read").await? == live, "the read model differs");
        let backup =
            outcome(processes, ask(processes, &json!({ "consumer": "index", "from": "backup" })).await?).await?;
        ensure!(!backup["begun"]["backup"].is_null(), "{backup}");

        let home = processes.site.join("index.html");
        let bytes = tokio::fs::read(&home).await?;
        tokio::fs::write(&home, "damaged").await?;
        let found = outcome(processes, ask(processes, &json!({ "consumer": "site", "dry_run": true })).await?).await?;
        ensure!(
            found == json!({ "outcome": "compared", "differing": ["index.html"], "differing_files": 1 }),
            "{found}"
        );
        let replayed = outcome(processes, ask(processes, &json!({ "consumer": "site" })).await?).await?;
        ensure!(replayed["differing"] == json!(["index.html"]), "{replayed}");
        ensure!(tokio::fs::read(&home).await? == bytes, "it is not as it was");

        // One that a daemon began and did not end is another's to do.
        processes.daemons.stop_one("atelier-index").await?;
        let id = ask(processes, &json!({ "consumer": "index" })).await?;
        sqlx::query("update replays set began_at = now(), seen_at = now() - interval '1 minute' where id = $1")
            .bind(id)
            .execute(&pool)
            .await?;
        processes.daemons.start_one("atelier-index")?;
        outcome(processes, id).await.map(drop)
    })
    .await
}
