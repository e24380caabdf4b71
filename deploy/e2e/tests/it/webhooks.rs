//! Who waits for an export is told, by the daemon's own process.

use anyhow::{Context as _, ensure};
use atelier_e2e::hook::{Hook, Said};
use atelier_e2e::{Broker, Database, until};
use serde_json::Value;

use crate::commands::{export, sketches};
use crate::harness::{Processes, with_processes};
use crate::{IMPATIENT, history};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_an_export_is_told_once_they_can_be() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let busy = Said { status: 503, header: Some(("retry-after", "1")), body: "" };
    let hook = Hook::start([busy, Said::status(500)]).await?;
    let told = [
        ("EXPORTS__WEBHOOK__URL", hook.url.as_str()),
        ("EXPORTS__WEBHOOK__SECRET", SECRET),
        ("CONSUMER__WEBHOOKS__BACKOFF_INITIAL_MS", "300"),
    ];
    let settings = [told.as_slice(), &IMPATIENT].concat();
    let outcome = with_processes(&database.url, broker.settings.clone(), &settings, async |processes| {
        let Processes { client, connections, .. } = processes;
        sketches(client, "first", 2, 192).await?;
        history::at_rest(&connections.log, 2).await?;
        let id = export(client, "all").await?;
        until("somebody is told for the third time", async || Ok(hook.told().len() >= 3)).await?;
        history::at_rest(&connections.log, 2).await?;

        let told = hook.told();
        ensure!(told.len() == 3, "told {} times", told.len());
        let ids: Vec<&str> = told.iter().map(|told| told.header("webhook-id")).collect();
        ensure!(!ids[0].is_empty() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let message: Value = serde_json::from_slice(&told[2].body)?;
        let data = &message["data"];
        ensure!(data["id"] == id.to_string() && data["owner"] == "local", "{message}");
        let link = data["download_url"].as_str().context("no link")?;
        let zip = reqwest::get(link).await?.error_for_status()?.bytes().await?;
        ensure!(data["length"] == zip.len() && zip.starts_with(b"PK"), "{} bytes for {message}", zip.len());
        // One attempt failed; to be asked for patience costs none.
        let attempts: i32 = sqlx::query_scalar("select attempt from current_jobs where consumer = 'webhooks'")
            .fetch_one(connections.log.pool())
            .await?;
        ensure!(attempts == 2, "{attempts} attempts");
        Ok(())
    })
    .await;
    broker.delete().await?;
    outcome
}
