//! One request is one trace, through the log and the broker and all daemons, and a collector that cannot be reached harms
//! nobody.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use atelier_e2e::collector::{Collector, Span};
use atelier_e2e::{Broker, Database, until};
use serde_json::json;

use crate::commands::sketches;
use crate::harness::{Processes, command, free_address, with_processes};
use crate::{BY_MESSAGE, history};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";

#[tokio::test(flavor = "multi_thread")]
async fn one_generation_is_one_trace_through_all_processes() -> anyhow::Result<()> {
    let (database, broker, collector) = (Database::create().await?, Broker::scratch(), Collector::start().await?);
    let settings = [BY_MESSAGE, ("TELEMETRY__OTLP_ENDPOINT", collector.endpoint.as_str())];
    let outcome = with_processes(&database.url, broker.settings.clone(), &settings, async |processes| {
        let answers = async || Ok(reqwest::get(format!("{}/healthz", processes.api_url)).await.is_ok());
        until("the API answers", answers).await?;
        let answer = reqwest::Client::new()
            .post(format!("{}/v1/generations", processes.api_url))
            .bearer_auth(&processes.api_key)
            .header("traceparent", format!("00-{TRACE}-{CLIENT}-01"))
            .json(&json!({ "prompt": "a harbour at dusk", "width": 256, "height": 256 }))
            .send()
            .await?;
        ensure!(answer.status() == 202, "{}", answer.status());
        // Each daemon sends its spans when it likes to.
        let whole = until("the trace is whole", async || Ok(check(&Trace::of(&collector)).is_ok())).await;
        whole.or_else(|_| check(&Trace::of(&collector)))
    })
    .await;
    broker.delete().await?;
    outcome?;
    // All have stopped and sent what they had left: nothing came twice, or late to the wrong place.
    check(&Trace::of(&collector))
}

fn check(trace: &Trace) -> anyhow::Result<()> {
    whole(trace).with_context(|| format!("{:#?}", trace.spans))
}

fn whole(trace: &Trace) -> anyhow::Result<()> {
    let request = trace.one("atelier-producer", "POST /v1/generations", CLIENT)?;
    ensure!(request.fields.get("http.status").is_some_and(|status| status == "202"), "{request:?}");
    trace.one("atelier-producer", "append", &request.id)?;
    // artwork.created and variant.requested.
    ensure!(trace.all("atelier-producer", "publish", &request.id).len() == 2, "two events are published");

    let generate = trace.one("atelier-generate", "attempt generate", &request.id)?;
    ensure!(generate.fields.get("job.attempt").is_some_and(|number| number == "1"), "{generate:?}");
    for name in ["append", "provider", "put", "settle"] {
        trace.one("atelier-generate", name, &generate.id)?;
    }
    // variant.started and variant.generated, which the attempt made.
    ensure!(trace.all("atelier-producer", "publish", &generate.id).len() == 2, "two more are published");

    let thumbnails = trace.one("atelier-thumbnails", "attempt thumbnails", &generate.id)?;
    trace.one("atelier-thumbnails", "settle", &thumbnails.id)?;
    let read: Vec<&str> = trace
        .all("atelier-thumbnails", "get", &thumbnails.id)
        .into_iter()
        .filter_map(|get| get.fields.get("blob.key")?.split('/').next())
        .collect();
    ensure!(read == ["originals"], "a first attempt looks for no set that may be there: {read:?}");
    ensure!(!trace.all("atelier-thumbnails", "put", &thumbnails.id).is_empty(), "renditions are put");

    let sidecar = trace.one("atelier-index", "attempt sidecars", &thumbnails.id)?;
    ensure!(!trace.all("atelier-index", "put", &sidecar.id).is_empty(), "the sidecar is put");
    // variant.rendered, which the attempt made, and artwork.published, which came of that.
    ensure!(trace.all("atelier-producer", "publish", &thumbnails.id).len() == 2, "the last two are published");
    ensure!(trace.all("atelier-index", "apply", &thumbnails.id).len() == 2, "the index applies both");
    // The site may read back what it has told before it looks for more, and then it is no span of its own.
    ensure!(!trace.all("atelier-site", "apply", &thumbnails.id).is_empty(), "the site applies what it shows");
    let ids: BTreeSet<&str> = trace.spans.iter().map(|span| span.id.as_str()).collect();
    let lost = trace.spans.iter().find(|span| span.parent_id != CLIENT && !ids.contains(span.parent_id.as_str()));
    ensure!(lost.is_none(), "a span's parent is not in the trace: {lost:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_cannot_be_reached_is_told_of_once_and_harms_nobody() -> anyhow::Result<()> {
    let (database, broker, nobody) = (Database::create().await?, Broker::scratch(), free_address().await?);
    let endpoint = format!("http://{nobody}");
    let settings = [("TELEMETRY__OTLP_ENDPOINT", endpoint.as_str())];
    let outcome = with_processes(&database.url, broker.settings.clone(), &settings, async |processes| {
        let answers = async || Ok(reqwest::get(format!("{}/healthz", processes.api_url)).await.is_ok());
        until("the API answers", answers).await?;
        let errors = async |processes: &Processes| -> anyhow::Result<f64> {
            let url = format!("{}/metrics", processes.api_url);
            let metrics = reqwest::Client::new().get(url).bearer_auth(&processes.api_key).send().await?.text().await?;
            let value = metrics.lines().find_map(|line| line.strip_prefix("atelier_trace_export_errors_total "));
            Ok(value.context("the errors are not counted")?.parse()?)
        };
        for round in 0..2 {
            let before = errors(processes).await?;
            sketches(&processes.client, &format!("round-{round}"), 1, 256).await?;
            crate::history::rendered(&processes.connections.log, round + 1).await?;
            until("spans were dropped", || async { Ok(errors(processes).await? > before) }).await?;
        }
        let said = std::fs::read_to_string(processes.logs.join("atelier-producer.log"))?;
        let warnings = said.lines().filter(|line| line.contains("spans do not reach")).count();
        ensure!(warnings == 1, "{warnings} warnings:\n{said}");
        Ok(())
    })
    .await;
    broker.delete().await?;
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_tells_whether_it_lives_and_can_work() -> anyhow::Result<()> {
    let (database, broker) = (Database::create().await?, Broker::scratch());
    let outcome = with_processes(&database.url, broker.settings.clone(), &[], async |processes| {
        let address = free_address().await?;
        let mut environment = processes.environment.clone();
        environment.insert("ATELIER__TELEMETRY__LISTEN".to_owned(), address.to_string());
        let consumer = command("atelier-generate", &[], &environment)?.spawn()?;
        let ask = async |path: &str| -> anyhow::Result<(u16, String)> {
            let answer = reqwest::get(format!("http://{address}{path}")).await?;
            Ok((answer.status().as_u16(), answer.text().await?))
        };
        until("it can work", || async { Ok(ask("/readyz").await.is_ok_and(|(status, _)| status == 200)) }).await?;
        ensure!(ask("/healthz").await? == (200, "ok\n".to_owned()), "it lives");
        until("its loop has a heartbeat", || async {
            let metrics = ask("/metrics").await?.1;
            Ok(metrics.contains("atelier_heartbeat_timestamp_seconds{loop=\"generate claims\"} 1"))
        })
        .await?;
        let second = command("atelier-generate", &[], &environment)?.output().await?;
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        ensure!(!second.status.success() && said.contains("telemetry.listen"), "the address is taken: {said}");
        drop(consumer);
        Ok(())
    })
    .await;
    broker.delete().await?;
    outcome
}

/// The spans of the client's trace.
struct Trace {
    spans: Vec<Span>,
}

impl Trace {
    fn of(collector: &Collector) -> Self {
        Self { spans: collector.spans().into_iter().filter(|span| span.trace_id == TRACE).collect() }
    }

    fn all(&self, service: &str, name: &str, parent: &str) -> Vec<&Span> {
        let here = |span: &&Span| span.service == service && span.name == name && span.parent_id == parent;
        self.spans.iter().filter(here).collect()
    }

    fn one(&self, service: &str, name: &str, parent: &str) -> anyhow::Result<&Span> {
        let found = self.all(service, name, parent);
        ensure!(found.len() == 1, "{} spans {name:?} of {service} below {parent}", found.len());
        Ok(found[0])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_asked_for_json_says_everything_in_it() -> anyhow::Result<()> {
    let (database, broker) = (Database::create().await?, Broker::scratch());
    let outcome = with_processes(&database.url, broker.settings.clone(), &[], async |processes| {
        let log = processes.logs.join("atelier-generate.log");
        let settings = [("TELEMETRY__FORMAT", "json"), ("TELEMETRY__FILTER", "info,atelier_runtime=debug")];
        processes.daemons.stop_one("atelier-generate").await?;
        let before = std::fs::metadata(&log)?.len();
        let generate = processes.beside("atelier-generate", &settings)?;
        sketches(&processes.client, "said", 1, 96).await?;
        history::rendered(&processes.connections.log, 1).await?;
        generate.stop().await?;
        let said = std::fs::read(&log)?.split_off(usize::try_from(before)?);
        let lines = String::from_utf8(said)?;
        let lines: Vec<serde_json::Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
            .collect::<Result<_, _>>()?;
        for line in &lines {
            let has = |key: &str| line[key].as_str().is_some_and(|text| !text.is_empty());
            ensure!(has("timestamp") && has("level") && has("target") && has("message"), "{line}");
        }
        let messages: Vec<&str> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
        ensure!(messages.contains(&"running") && messages.contains(&"stopped"), "{messages:?}");
        Ok(())
    })
    .await;
    broker.delete().await?;
    outcome
}
