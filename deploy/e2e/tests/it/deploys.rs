//! When the gallery is deployed, and who is told when it cannot be.

use anyhow::{Context as _, ensure};
use atelier_e2e::{Broker, Database, until};
use serde_json::{Value, json};

use crate::commands::{export, sketches};
use crate::harness::{Processes, command, free_address, with_processes};
use crate::{BY_MESSAGE, history};

/// Long enough for an export to be asked for and written.
const QUIET: (&str, &str) = ("SITE__QUIET_MS", "1500");

/// A deploy was put off when the log had grown during the quiet, in the belief that a message would come of that. The
/// gallery's queue has messages of renditions alone, so it came when somebody looked the next time.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_deployed_though_the_log_grows_by_what_the_gallery_is_not_told_of() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let settings = [BY_MESSAGE, QUIET];
    let outcome = with_processes(&database.url, broker.settings.clone(), &settings, async |processes| {
        let log = &processes.connections.log;
        sketches(&processes.client, "burst", 1, 128).await?;
        history::rendered(log, 1).await?;
        export(&processes.client, "meanwhile").await?;
        history::at_rest(log, 1).await
    })
    .await;
    broker.delete().await?;
    outcome
}

/// A command that fails while there is a file of this name beside the site's folder.
const BROKEN: &str = "broken";

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_fails_is_seen_by_operators_until_it_has_the_release() -> anyhow::Result<()> {
    let (database, broker, listen) = (Database::create().await?, Broker::scratch(), free_address().await?.to_string());
    let outcome = with_processes(&database.url, broker.settings.clone(), &[], async |processes| {
        let failing = processes.site.with_file_name(BROKEN);
        std::fs::write(&failing, "")?;
        let shell = format!("echo no room there; test ! -e {}", failing.display());
        let target = [
            ("SITE__TARGET__KIND", "command"),
            ("SITE__TARGET__ATTEMPTS", "1"),
            ("SITE__TARGET__COMMAND__SHELL", shell.as_str()),
        ];
        for (key, value) in target {
            processes.environment.insert(format!("ATELIER__{key}"), value.to_owned());
        }
        let site = processes.replace("atelier-site", &[("TELEMETRY__LISTEN", &listen)]).await?;
        let log = processes.connections.log.clone();
        let releases = async || -> anyhow::Result<i64> {
            let statement = "select count(*) from events where type = 'site.deployed'";
            Ok(sqlx::query_scalar(statement).fetch_one(log.pool()).await?)
        };
        let before = releases().await?;
        sketches(&processes.client, "unseen", 1, 128).await?;
        until("the daemon names it", || async { Ok(ready(&listen).await.is_ok_and(|said| said.1.contains("fails"))) })
            .await?;
        until("operators are told", || async { Ok(stall(processes).await?["attempts"].as_i64() >= Some(2)) }).await?;
        let stall_before = stall(processes).await?;
        let error = stall_before["error"].as_str().unwrap_or_default();
        ensure!(error.starts_with("bringing the release to the target (command)"), "{error}");
        ensure!(error.contains("no room there"), "{error}");
        let (status, said) = ready(&listen).await?;
        ensure!(status == 200 && said.starts_with("ok\nsite: fails since "), "it works, and names what fails: {said}");
        let said = atelier(processes, &["site", "releases"]).await?;
        ensure!(said.lines().any(|line| line.starts_with("site fails since ")), "{said}");
        let said = atelier(processes, &["site", "releases", "--json"]).await?;
        let live: Value = serde_json::from_str(said.lines().next().unwrap_or_default())?;
        let error = live["stall"]["error"].as_str().unwrap_or_default();
        ensure!(live["live"] == true && error.contains("no room there"), "{said}");
        ensure!(releases().await? == before, "a release was told of that the target has not");

        std::fs::remove_file(&failing)?;
        until("operators are told no more", || async { Ok(stall(processes).await?.is_null()) }).await?;
        ensure!(ready(&listen).await? == (200, "ok\n".to_owned()));
        for command in [&["site", "releases"][..], &["site", "releases", "--json"], &["status"]] {
            let said = atelier(processes, command).await?;
            ensure!(!said.contains("fails since") && !said.contains("stall"), "{said}");
        }
        history::at_rest(&log, 1).await?;
        site.stop().await
    })
    .await;
    broker.delete().await?;
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_replayed_beside_its_daemon() -> anyhow::Result<()> {
    let (database, broker) = (Database::create().await?, Broker::scratch());
    let outcome = with_processes(&database.url, broker.settings.clone(), &[], async |processes| {
        let log = processes.connections.log.clone();
        sketches(&processes.client, "replayed", 1, 128).await?;
        history::rendered(&log, 1).await?;
        history::at_rest(&log, 1).await?;
        let home = processes.site.join("index.html");
        let right = std::fs::read(&home)?;
        let replay = async |arguments: &[&str]| -> anyhow::Result<(Option<i32>, Value)> {
            let arguments = [&["replay", "--json"], arguments].concat();
            let output = command("atelier-site", &arguments, &processes.environment)?.output().await?;
            let said = serde_json::from_slice(&output.stdout);
            Ok((output.status.code(), said.with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?))
        };
        ensure!(replay(&["--dry-run"]).await?.0 == Some(0));
        std::fs::write(&home, "mine")?;
        let (code, said) = replay(&["--dry-run"]).await?;
        ensure!((code, &said["differing"]) == (Some(3), &json!(["index.html"])), "{said}");
        let (code, said) = replay(&[]).await?;
        ensure!((code, &said["differing"]) == (Some(0), &json!(["index.html"])), "{said}");
        ensure!(std::fs::read(&home)? == right);
        history::at_rest(&log, 1).await
    })
    .await;
    broker.delete().await?;
    outcome
}

/// What keeps the site from going on, as both the API and `atelier status` say.
async fn stall(processes: &Processes) -> anyhow::Result<Value> {
    let asked = reqwest::Client::new().get(format!("{}/v1/consumers", processes.api_url));
    let answer: Value = asked.bearer_auth(&processes.api_key).send().await?.error_for_status()?.json().await?;
    let of_site = |consumers: &[Value]| consumers.iter().find(|one| one["consumer"] == "site").cloned();
    let by_api = answer["items"].as_array().and_then(|items| of_site(items)).unwrap_or_default()["stall"].clone();
    let printed = atelier(processes, &["status", "--json"]).await?;
    let printed = printed.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let by_status = of_site(&printed).unwrap_or_default()["stall"].clone();
    ensure!(by_api["since"] == by_status["since"] || by_api.is_null() || by_status.is_null(), "{by_api}, {by_status}");
    Ok(by_api)
}

async fn atelier(processes: &Processes, command: &[&str]) -> anyhow::Result<String> {
    let [option, folder] = processes.data_dir();
    let arguments: Vec<&str> = [option.as_str(), &folder].into_iter().chain(command.iter().copied()).collect();
    Ok(String::from_utf8(processes.run("atelier", &arguments).await?.stdout)?)
}

async fn ready(listen: &str) -> anyhow::Result<(u16, String)> {
    let answer = reqwest::get(format!("http://{listen}/readyz")).await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}
