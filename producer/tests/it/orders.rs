//! Orders: cancel, requeue, purge, pause and resume, and why a job waits.

use anyhow::Context as _;
use atelier_events::jobs::{self, End, Settlement};
use atelier_events::{Consumer, Position};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::studio::{Studio, answer, pointers, problem};

async fn enlist(studio: &Studio) -> anyhow::Result<()> {
    let head = studio.log.head().await?;
    jobs::enlist(studio.log.pool(), Position(0), head).await.map(drop)?;
    Ok(())
}

/// An order that is carried out.
async fn order(studio: &Studio, path: &str, body: &Value) -> anyhow::Result<Value> {
    answer(studio.ann(Method::POST, path).json(body).send().await?, StatusCode::OK).await
}

/// One generation of so many variants, with its jobs; answers its id.
async fn generation(studio: &Studio, body: &Value) -> anyhow::Result<String> {
    let accepted = studio.post("/v1/generations", body).await?;
    enlist(studio).await?;
    studio.index().await?;
    Ok(accepted["id"].as_str().context("an id")?.to_owned())
}

#[tokio::test]
async fn a_cancelled_generation_fails_and_says_so_and_only_its_owner_cancels_it() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let id = generation(&studio, &json!({ "prompt": "x", "count": 2 })).await?;
    generation(&studio, &json!({ "prompt": "y" })).await?;
    let path = format!("/v1/generations/{id}/cancel");
    let bob = studio.stranger(Method::POST, &path).bearer_auth("of-bob").send().await?;
    problem(bob, 403).await?;
    let cancelled = order(&studio, &path, &json!({})).await?;
    assert_eq!(cancelled["cancelled"], 2);
    studio.index().await?;
    let read = studio.get(&format!("/v1/generations/{id}?after={}", cancelled["position"])).await?;
    assert_eq!((&read["state"], &read["counts"]["failed"]), (&json!("failed"), &json!(2)));
    assert_eq!(read["variants"][0]["failure"]["error"], "cancelled by ann");
    let left = jobs::claim(studio.log.pool(), Consumer::Generate, 10, "worker", 60_000).await?;
    assert_eq!(left.len(), 1, "the other generation is not touched");
    assert_eq!(order(&studio, &path, &json!({})).await?["cancelled"], 0);
    let nobody = "/v1/generations/0199fd2e-3c5b-7cc1-b0f3-6f6f0a4c1d2e/cancel";
    problem(studio.ann(Method::POST, nobody).send().await?, 404).await?;
    Ok(())
}

#[tokio::test]
async fn a_dead_letter_is_listed_with_its_errors_requeued_by_a_filter_and_purged() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    generation(&studio, &json!({ "prompt": "x", "count": 3 })).await?;
    let claimed = jobs::claim(studio.log.pool(), Consumer::Generate, 2, "worker", 60_000).await?;
    for (claimed, error) in claimed.iter().zip(["The provider said 500", "out of credit"]) {
        let end = End::Discarded { error: error.to_owned() };
        let settlement = Settlement { job: claimed.job, fence: claimed.fence, end, writes: Vec::new() };
        jobs::settle(studio.log.pool(), &[settlement]).await?;
    }
    let dead = studio.get("/v1/jobs?state=discarded&error=provider%20SAID").await?;
    assert_eq!(dead["items"].as_array().map(Vec::len), Some(1), "{dead}");
    let failure = &dead["items"][0]["failures"][0];
    assert_eq!((&failure["attempt"], &failure["worker"]), (&json!(1), &json!("worker")));
    assert_eq!(studio.get("/v1/consumers").await?["items"][0]["discarded"], 2);
    let of = async |owner: &str| studio.get(&format!("/v1/jobs?state=discarded&owner={owner}")).await;
    let count = |listed: &Value| listed["items"].as_array().map(Vec::len);
    assert_eq!((count(&of("ann").await?), count(&of("bob").await?)), (Some(2), Some(0)));
    assert_eq!(order(&studio, "/v1/jobs/purge", &json!({ "owner": "bob" })).await?["jobs"], json!([]));

    let requeued = order(&studio, "/v1/jobs/requeue", &json!({ "error": "credit" })).await?;
    assert_eq!(requeued, json!({ "jobs": [claimed[1].job], "more": false, "position": null }));
    assert_eq!(studio.get(&format!("/v1/jobs/{}", claimed[1].job)).await?["state"], "available");
    let purged = order(&studio, "/v1/jobs/purge", &json!({ "consumer": "generate" })).await?;
    assert_eq!(purged["jobs"], json!([claimed[0].job]));
    problem(studio.ann(Method::GET, &format!("/v1/jobs/{}", claimed[0].job)).send().await?, 404).await?;
    Ok(())
}

#[tokio::test]
async fn a_paused_consumer_says_so_and_so_do_its_jobs() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    generation(&studio, &json!({ "prompt": "x" })).await?;
    let paused = order(&studio, "/v1/consumers/generate/pause", &json!({})).await?;
    assert_eq!((&paused["paused_by"], &paused["available"]), (&json!("ann"), &json!(1)));
    let job = studio.get("/v1/jobs?consumer=generate").await?["items"][0]["id"].clone();
    let why = studio.get(&format!("/v1/jobs/{job}")).await?;
    assert_eq!((&why["reasons"][0]["reason"], &why["runs_at"]), (&json!("paused"), &json!(null)));
    assert_eq!(why["reasons"][0]["words"], "its consumer was paused by ann: resume it");
    assert!(jobs::claim(studio.log.pool(), Consumer::Generate, 1, "worker", 60_000).await?.is_empty());
    let resumed = order(&studio, "/v1/consumers/generate/resume", &json!({})).await?;
    assert_eq!(resumed["paused_by"], json!(null));
    assert_eq!(jobs::claim(studio.log.pool(), Consumer::Generate, 1, "worker", 60_000).await?.len(), 1);
    let unknown = problem(studio.ann(Method::POST, "/v1/consumers/paint/pause").send().await?, 404).await?;
    assert!(unknown["detail"].as_str().is_some_and(|detail| detail.contains("generate, thumbnails")), "{unknown}");
    Ok(())
}

#[tokio::test]
async fn an_order_for_nothing_in_particular_is_refused() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    for path in ["/v1/jobs/cancel", "/v1/jobs/requeue", "/v1/jobs/purge"] {
        let refused = studio.refused(path, &json!({}), 400).await?;
        assert_eq!(pointers(&refused), ["/all"], "{path}");
        let odd = json!({ "consumer": "index", "state": "done", "since": "yesterday", "ids": vec![1; 1_001] });
        let refused = studio.refused(path, &odd, 400).await?;
        assert_eq!(pointers(&refused), ["/consumer", "/ids", "/since", "/state"], "{path}");
    }
    generation(&studio, &json!({ "prompt": "x", "count": 2 })).await?;
    assert_eq!(
        order(&studio, "/v1/jobs/cancel", &json!({ "all": true })).await?["jobs"].as_array().map(Vec::len),
        Some(2)
    );
    Ok(())
}

#[tokio::test]
async fn a_generation_may_be_bulk_and_may_begin_later() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let later = json!({ "prompt": "x", "priority": "bulk", "start_at": "2999-01-01T00:00:00Z" });
    generation(&studio, &later).await?;
    generation(&studio, &json!({ "prompt": "x", "priority": "bulk" })).await?;
    generation(&studio, &json!({ "prompt": "x" })).await?;
    let listed = studio.get("/v1/jobs").await?;
    let found: Vec<_> =
        listed["items"].as_array().into_iter().flatten().map(|job| (&job["priority"], &job["state"])).collect();
    let (interactive, bulk) = (json!("interactive"), json!("bulk"));
    let (available, scheduled) = (json!("available"), json!("scheduled"));
    assert_eq!(found, [(&interactive, &available), (&bulk, &available), (&bulk, &scheduled)]);
    let refused = json!({ "prompt": "x", "priority": "urgent", "start_at": "tomorrow" });
    assert_eq!(pointers(&studio.refused("/v1/generations", &refused, 400).await?), ["/priority", "/start_at"]);
    Ok(())
}

#[tokio::test]
async fn jobs_carry_the_trace_of_the_request_that_led_to_them() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let asked = studio.ann(Method::POST, "/v1/generations").json(&json!({ "prompt": "x" }));
    asked.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01")).send().await?.error_for_status()?;
    enlist(&studio).await?;
    let listed = studio.get("/v1/jobs").await?;
    assert_eq!(listed["items"][0]["trace_id"], trace, "{listed}");
    let job = &listed["items"][0]["id"];
    assert_eq!(studio.get(&format!("/v1/jobs/{job}")).await?["trace_id"], trace);
    Ok(())
}

#[tokio::test]
async fn a_replay_is_asked_for_once_waits_for_its_daemon_and_can_be_cancelled() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    for (body, at) in [
        (json!({}), "/consumer"),
        (json!({ "consumer": "thumbnails" }), "/consumer"),
        (json!({ "consumer": "site", "from": "backup" }), "/consumer"),
        (json!({ "consumer": "index", "from": "yesterday" }), "/from"),
        (json!({ "consumer": "index", "from": "backup", "fresh": true }), "/fresh"),
    ] {
        assert_eq!(pointers(&studio.refused("/v1/replays", &body, 400).await?), [at], "{body}");
    }
    let ask = json!({ "consumer": "index", "dry_run": true });
    let asked = studio.post("/v1/replays", &ask).await?;
    assert_eq!(
        (&asked["state"], &asked["asked_by"], &asked["dry_run"]),
        (&json!("waiting"), &json!("ann"), &json!(true))
    );
    let refused = studio.refused("/v1/replays", &ask, 409).await?;
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("is open")), "{refused}");
    // The other projection is another matter.
    let site = studio.post("/v1/replays", &json!({ "consumer": "site" })).await?;
    let listed = studio.get("/v1/replays").await?;
    assert_eq!(listed["items"], json!([site, asked]));
    assert_eq!(studio.get("/v1/replays?consumer=index").await?["items"], json!([asked]));
    problem(studio.ann(Method::GET, "/v1/replays?consumer=generate").send().await?, 400).await?;

    let path = format!("/v1/replays/{}", asked["id"]);
    let cancelled = order(&studio, &format!("{path}/cancel"), &json!({})).await?;
    assert_eq!((&cancelled["state"], &cancelled["error"]), (&json!("cancelled"), &json!("cancelled by ann")));
    assert_eq!(order(&studio, &format!("{path}/cancel"), &json!({})).await?, cancelled, "once is enough");
    assert_eq!(studio.get(&path).await?, cancelled);
    studio.post("/v1/replays", &ask).await?;
    for nothing in ["/v1/replays/0", "/v1/replays/x"] {
        problem(studio.ann(Method::GET, nothing).send().await?, 404).await?;
    }
    Ok(())
}
