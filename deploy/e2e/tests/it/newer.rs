//! An installation beside a newer version, or taken back from one: what it does not know holds up nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use atelier_e2e::{Broker, Database, append_newer, until_within};
use atelier_events::{ArtworkId, Stream};
use futures::StreamExt as _;
use serde_json::json;

use crate::commands::{export, sketches};
use crate::harness::{Processes, with_processes};
use crate::{gallery, history};

/// A type that no version has, and one that this version has in a schema of tomorrow.
const TYPE: &str = "variant.captioned";
const NEWER: (&str, i16) = ("variant.uploaded", 99);
/// How long all of it may take.
const DONE: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn events_that_nobody_here_knows_hold_up_nothing() -> anyhow::Result<()> {
    let broker = Broker::scratch();
    let database = Database::create().await?;
    // What a newer version's migration adds is in nobody's way either, and its daemons start on it.
    let added = "create table of_tomorrow (id int);
        insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'x', true, 'x', 0)";
    sqlx::raw_sql(added).execute(&database.pool).await?;
    let done = with_processes(&database.url, broker.settings.clone(), &[], async |processes| {
        let (client, log) = (&processes.client, &processes.connections.log);
        let first = sketches(client, "before", 2, 96).await?;
        history::at_rest(log, 2).await?;
        // On the stream of a work that is shown, on one of its own, and of a kind of stream that nobody knows.
        let on = [Stream::artwork(first[0]), Stream::site("main"), Stream::from("exhibition-1".to_owned())];
        let mut unknown = Vec::new();
        for stream in &on {
            unknown.push(append_newer(log.pool(), stream, TYPE, 1).await?);
        }
        append_newer(log.pool(), &on[0], NEWER.0, NEWER.1).await?;
        sketches(client, "after", 1, 96).await?;
        refine(processes, first[0]).await?;
        export(client, "all").await?;
        // All but the one job that only a newer version can do.
        until_within(DONE, "everything else is done", || async {
            let left: i64 = sqlx::query_scalar(LEFT).bind(NEWER.1).fetch_one(log.pool()).await?;
            Ok(left == 0)
        })
        .await
        .map_err(|error| error.context("something waits for what nobody knows"))?;

        let passed: Vec<i64> =
            sqlx::query_scalar("select position from passed_over order by position").fetch_all(log.pool()).await?;
        ensure!(passed == unknown.iter().map(|position| position.0).collect::<Vec<_>>(), "{passed:?}");
        ensure!(gallery::check(&processes.site, log).await?.len() == 3, "the gallery does not show all");
        check_feed(processes, unknown[0].0).await?;
        processes.run("atelier-index", &["replay"]).await?;
        check_commands(processes).await
    })
    .await;
    broker.delete().await?;
    done
}

/// One variant more of an artwork whose stream holds what nobody knows: every daemon folds it on the way.
async fn refine(processes: &Processes, artwork: ArtworkId) -> anyhow::Result<()> {
    let command = json!({ "prompt": "once more", "artwork_id": artwork, "width": 96, "height": 96 });
    let url = format!("{}/v1/generations", processes.api_url);
    let request = reqwest::Client::new().post(url).bearer_auth(&processes.api_key).json(&command);
    request.send().await?.error_for_status()?;
    Ok(())
}

/// What is not done although this version could.
const LEFT: &str = "select
    (select count(*) from jobs j join events e using (position) where j.finished_at is null and e.schema < $1)
    + (select h.position - c.position from checkpoints c, log_head h where c.name = 'relay')
    + (select h.position - c.position from read.checkpoint c, log_head h)
    + (select 4 - count(*) from events where type = 'variant.rendered')
    + (select 1 - count(*) from events where type = 'export.completed')
    + (select count(*) from events r where r.type = 'variant.rendered' and r.position >
        coalesce((select max((data->>'position')::bigint) from events where type = 'site.deployed'), 0))
    + (select count(*) from read.artworks where status = 'active' and published_position is null)";

/// The feed shows an unknown event as it is.
async fn check_feed(processes: &Processes, position: i64) -> anyhow::Result<()> {
    let url = format!("{}/v1/events?after={}", processes.api_url, position - 1);
    let response = reqwest::Client::new().get(url).bearer_auth(&processes.api_key).send().await?.error_for_status()?;
    let mut body = response.bytes_stream();
    let mut text = String::new();
    while !text.contains("export.completed") {
        let chunk = tokio::time::timeout(atelier_e2e::PATIENCE, body.next()).await.context(text.clone())?;
        text.push_str(&String::from_utf8_lossy(&chunk.context("the feed ended")??));
    }
    ensure!(text.contains(&format!("event: {TYPE}")) && text.contains("tomorrow"), "{text}");
    Ok(())
}

/// The commands of operators go on, and nothing of it is a flaw.
async fn check_commands(processes: &Processes) -> anyhow::Result<()> {
    let data = processes.site.parent().unwrap_or(Path::new(".")).display().to_string();
    let run = async |command: &[&str]| {
        let arguments: Vec<&str> = ["--data-dir", &data].into_iter().chain(command.iter().copied()).collect();
        let output = processes.run("atelier", &arguments).await?;
        anyhow::Ok(String::from_utf8(output.stdout)?)
    };
    let tail = run(&["tail", "--json", "--after", "0"]).await?;
    ensure!(tail.lines().filter(|line| line.contains(TYPE)).count() == 3, "{tail}");
    ensure!(run(&["tail", "--after", "0"]).await?.contains("not known to this version"), "tail does not say so");
    let verified = run(&["verify", "--json"]).await?;
    ensure!(verified.contains("\"flaws\":0"), "{verified}");
    Ok(())
}
