//! What operators look at: jobs, health, metrics, the description.

use std::collections::BTreeSet;
use std::time::Duration;

use atelier_events::{Position, jobs};
use atelier_producer::relay;
use atelier_producer::settings::RelaySettings;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::studio::{Studio, answer, problem};

#[tokio::test]
async fn jobs_are_listed_counted_filtered_and_paged() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    studio.post("/v1/generations", &json!({ "prompt": "x", "count": 3 })).await?;
    studio.post("/v1/exports", &json!({ "all": true })).await?;
    jobs::enlist(studio.log.pool(), Position(0), Position(7)).await?;
    let page = studio.get("/v1/jobs?limit=2&consumer=generate").await?;
    assert_eq!(
        page["counts"],
        json!([
            { "consumer": "exports", "state": "available", "jobs": 1 },
            { "consumer": "generate", "state": "available", "jobs": 3 },
        ])
    );
    assert_eq!(page["items"][0]["position"], 6);
    let cursor = page["next_cursor"].as_str().unwrap_or_default();
    let rest = studio.get(&format!("/v1/jobs?limit=2&consumer=generate&cursor={cursor}")).await?;
    assert_eq!((&rest["items"][0]["position"], &rest["next_cursor"]), (&json!(2), &json!(null)));
    let stream = rest["items"][0]["stream"].as_str().unwrap_or_default();
    let of_stream = studio.get(&format!("/v1/jobs?stream={stream}&state=available")).await?;
    assert_eq!(of_stream["items"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn it_is_ready_when_a_relay_leads_and_alive_before() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let health = studio.stranger(Method::GET, "/healthz").send().await?;
    assert_eq!(answer(health, StatusCode::OK).await?, json!({ "status": "ok" }));
    let refused = problem(studio.stranger(Method::GET, "/readyz").send().await?, 503).await?;
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.starts_with("relay:")), "{refused}");

    let shutdown = CancellationToken::new();
    let settings = RelaySettings::default();
    let relay = tokio::spawn(relay::run(studio.log.clone(), studio.bus.clone(), settings, shutdown.clone()));
    let ready = async || Ok(studio.stranger(Method::GET, "/readyz").send().await?.status().is_success());
    atelier_e2e::until("the relay leads", ready).await?;
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(10), relay).await???;
    Ok(())
}

#[tokio::test]
async fn the_description_lists_every_route_and_what_each_answers() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let description = studio.get("/openapi.json").await?;
    assert_eq!(description, serde_json::to_value(atelier_producer::openapi())?);
    assert!(
        description["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")),
        "{}",
        description["openapi"]
    );
    let mut operations = BTreeSet::new();
    for (path, methods) in description["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            assert!(operation["responses"]["default"].is_object(), "{method} {path}");
            operations.insert(format!("{method} {path}"));
        }
    }
    let expected = [
        "get /healthz",
        "get /metrics",
        "get /openapi.json",
        "get /readyz",
        "get /v1/artworks",
        "get /v1/artworks/{id}",
        "get /v1/consumers",
        "get /v1/events",
        "get /v1/exports/{id}",
        "get /v1/exports/{id}/download",
        "get /v1/exports/{id}/progress",
        "get /v1/generations/{id}",
        "get /v1/jobs",
        "get /v1/jobs/{id}",
        "get /v1/replays",
        "get /v1/replays/{id}",
        "post /v1/artworks",
        "post /v1/consumers/{name}/pause",
        "post /v1/consumers/{name}/resume",
        "post /v1/exports",
        "post /v1/exports/{id}/cancel",
        "post /v1/generations",
        "post /v1/generations/{id}/cancel",
        "post /v1/jobs/cancel",
        "post /v1/jobs/purge",
        "post /v1/jobs/requeue",
        "post /v1/log/verify",
        "get /v1/poison-messages",
        "get /v1/poison-messages/{id}",
        "post /v1/poison-messages/purge",
        "post /v1/replays",
        "post /v1/replays/{id}/cancel",
        "post /v1/uploads",
        "post /v1/variants/recut",
    ];
    assert_eq!(operations, expected.into_iter().map(str::to_owned).collect());
    // Every reference leads somewhere.
    let text = description.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap_or_default();
        assert!(description.pointer(pointer).is_some(), "{pointer}");
    }
    Ok(())
}

#[tokio::test]
async fn metrics_are_served_as_prometheus_reads_them() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let metrics = studio.ann(Method::GET, "/metrics").send().await?;
    assert!(metrics.headers()["content-type"].to_str()?.starts_with("text/plain"));
    Ok(())
}

#[tokio::test]
async fn the_log_is_verified_and_what_was_changed_in_it_is_named() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    studio.post("/v1/generations", &json!({ "prompt": "x", "count": 3 })).await?;
    let verify = async || answer(studio.ann(Method::POST, "/v1/log/verify").send().await?, StatusCode::OK).await;
    let whole = verify().await?;
    assert_eq!((&whole["events"], &whole["position"], &whole["flaws"]), (&json!(6), &json!(6), &json!([])));
    assert!(whole["commits"].as_i64() > Some(0) && whole["took_ms"].is_u64(), "{whole}");

    let tampering = "alter table events disable trigger all; update events set actor = 'nobody' where position = 2;
                     alter table events enable trigger all";
    sqlx::raw_sql(tampering).execute(studio.log.pool()).await?;
    let flaw = "the event at position 2 was changed: its digest does not fit its content";
    assert_eq!(verify().await?["flaws"], json!([flaw]));
    Ok(())
}
