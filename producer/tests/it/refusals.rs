//! What is wrong is refused with everything that is wrong with it, and leaves nothing in the log.

use std::collections::BTreeSet;

use atelier_events::Position;
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::studio::{PNG, Studio, pointers, problem};

#[tokio::test]
async fn missing_fields_are_named_all_at_once() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    for (path, expected) in [
        ("/v1/uploads", vec!["/content_type", "/filename", "/size"]),
        ("/v1/artworks", vec!["/title", "/upload_key"]),
        ("/v1/generations", vec!["/prompt"]),
        ("/v1/exports", vec!["/artwork_ids"]),
    ] {
        let refused = studio.refused(path, &json!({}), 400).await?;
        assert_eq!(pointers(&refused), expected, "{path}");
        assert_eq!(refused["type"], "urn:atelier:problem:invalid-request");
    }
    assert_eq!(studio.log.head().await?, Position(0));
    Ok(())
}

#[tokio::test]
async fn everything_wrong_with_an_artwork_is_named() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let key = studio.upload(PNG).await?;
    let with = |name: &str, value: Value| {
        let mut body = json!({ "upload_key": key, "title": "Harbour" });
        body[name] = value;
        body
    };
    for (body, at) in [
        (with("title", json!("x".repeat(10_000))), "/title"),
        (with("title", json!("a\u{7}b")), "/title"),
        (with("title", json!("a\nb")), "/title"),
        (with("title", json!(" \t ")), "/title"),
        (with("title", json!(7)), "/title"),
        (with("title", json!("a\0b")), "/title"),
        (with("tags", json!(vec!["t"; 21])), "/tags"),
        (with("tags", json!(["ok", "x".repeat(51)])), "/tags/1"),
        (with("created_date", json!("29.02.2024")), "/created_date"),
        (with("source_url", json!("javascript:alert(1)")), "/source_url"),
        (with("colour", json!("blue")), "/colour"),
        (with("upload_key", json!("exports/x.zip")), "/upload_key"),
        (with("upload_key", json!("uploads/../originals/ann/x.png")), "/upload_key"),
    ] {
        let refused = studio.refused("/v1/artworks", &body, 400).await?;
        assert_eq!(pointers(&refused), [at], "{refused}");
    }
    let several = json!({ "title": "a\u{7}b", "tags": 5, "source_url": "x", "nonsense": {} });
    let refused = studio.refused("/v1/artworks", &several, 400).await?;
    assert_eq!(pointers(&refused), ["/nonsense", "/source_url", "/tags", "/title", "/upload_key"]);
    assert_eq!(studio.log.head().await?, Position(0));
    Ok(())
}

#[tokio::test]
async fn an_artwork_needs_an_upload_that_is_there() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let slot =
        studio.post("/v1/uploads", &json!({ "filename": "a.png", "content_type": "image/png", "size": 5 })).await?;
    let body = json!({ "upload_key": slot["key"], "title": "Harbour" });
    let refused = studio.refused("/v1/artworks", &body, 422).await?;
    assert_eq!(pointers(&refused), ["/upload_key"]);
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("PUT the file first")), "{refused}");
    Ok(())
}

#[tokio::test]
async fn only_pictures_of_an_allowed_size_can_be_uploaded() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let upload = |media_type: &str, size: u64| json!({ "filename": "a", "content_type": media_type, "size": size });
    let refused = studio.refused("/v1/uploads", &upload("text/html", 5), 415).await?;
    assert_eq!(pointers(&refused), ["/content_type"]);
    let refused = studio.refused("/v1/uploads", &upload("image/png", 1_000_001), 413).await?;
    assert_eq!(pointers(&refused), ["/size"]);
    let refused = studio.refused("/v1/uploads", &upload("image/png", 0), 400).await?;
    assert_eq!(pointers(&refused), ["/size"]);
    Ok(())
}

#[tokio::test]
async fn a_body_that_cannot_be_read_says_why() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let post = || studio.ann(Method::POST, "/v1/generations");
    let json = |body: &'static str| post().header("content-type", "application/json").body(body);
    problem(json("{").send().await?, 400).await?;
    problem(json("[]").send().await?, 400).await?;
    problem(json("").send().await?, 400).await?;
    problem(post().body("prompt=x").send().await?, 415).await?;
    problem(post().json(&json!({ "prompt": "x".repeat(100_001) })).send().await?, 413).await?;
    Ok(())
}

#[tokio::test]
async fn an_idempotency_key_is_visible_ascii() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    for key in [&b""[..], b"a b", "ä".as_bytes(), "x".repeat(256).as_bytes()] {
        let request = studio.ann(Method::POST, "/v1/generations").header("idempotency-key", key);
        let refused = problem(request.json(&json!({ "prompt": "x" })).send().await?, 400).await?;
        assert_eq!(pointers(&refused), ["Idempotency-Key"], "{key:?}");
    }
    Ok(())
}

#[tokio::test]
async fn nobody_gets_in_without_a_key() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    for path in ["/v1/artworks", "/v1/jobs", "/v1/events", "/metrics", "/openapi.json"] {
        let response = studio.stranger(Method::GET, path).send().await?;
        assert_eq!(response.headers().get("www-authenticate").map(HeaderValue::as_bytes), Some(&b"Bearer"[..]));
        problem(response, 401).await?;
        problem(studio.stranger(Method::GET, path).bearer_auth("of-annn").send().await?, 401).await?;
        problem(studio.stranger(Method::GET, path).bearer_auth("ann:of-ann").send().await?, 401).await?;
    }
    for path in ["/v1/uploads", "/v1/artworks", "/v1/generations", "/v1/exports"] {
        problem(studio.stranger(Method::POST, path).json(&json!({})).send().await?, 401).await?;
    }
    let by_header = studio.stranger(Method::GET, "/v1/jobs").header("x-api-key", "of-bob").send().await?;
    assert!(by_header.status().is_success());
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    problem(studio.ann(Method::GET, "/v2/artworks").send().await?, 404).await?;
    let response = studio.ann(Method::DELETE, "/v1/artworks").send().await?;
    assert!(response.headers().contains_key("allow"));
    problem(response, 405).await?;
    for path in ["artworks", "generations", "exports"] {
        problem(studio.ann(Method::GET, &format!("/v1/{path}/nonsense")).send().await?, 404).await?;
        let unknown = format!("/v1/{path}/0199fd2e-3c5b-7cc1-b0f3-6f6f0a4c1d2e");
        problem(studio.ann(Method::GET, &unknown).send().await?, 404).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_method_that_is_not_for_a_path_is_a_problem_that_allows_those_that_are() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let description = serde_json::to_value(atelier_producer::openapi())?;
    let paths = description["paths"].as_object().cloned().unwrap_or_default();
    assert!(paths.contains_key("/v1/exports/{id}/download") && paths.len() > 20, "{paths:?}");
    for (path, described) in paths {
        let known = |method: &str| described.get(method.to_lowercase()).is_some();
        let filled = path.replace("{id}", "0199fd2e-3c5b-7cc1-b0f3-6f6f0a4c1d2e").replace("{name}", "index");
        for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            // What answers GET answers HEAD.
            if known(method.as_str()) || method == Method::HEAD && known("GET") {
                continue;
            }
            let response = studio.ann(method.clone(), &filled).send().await?;
            let allow = response.headers().get("allow").and_then(|allow| allow.to_str().ok()).unwrap_or_default();
            let allowed: BTreeSet<&str> = allow.split(',').collect();
            let expected = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
            let expected = expected.into_iter().filter(|method| known(method) || *method == "HEAD" && known("GET"));
            assert_eq!(allowed, expected.collect::<BTreeSet<_>>(), "{method} {path}");
            if method == Method::HEAD {
                assert_eq!(response.status(), 405, "{method} {path}");
            } else {
                problem(response, 405).await?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_named() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    for (path, at) in [
        ("/v1/artworks?cursor=nonsense", "cursor"),
        ("/v1/jobs?cursor=nonsense", "cursor"),
        ("/v1/artworks?limit=0", "limit"),
        ("/v1/artworks?limit=201", "limit"),
        ("/v1/artworks?limit=many", "limit"),
        ("/v1/artworks?status=blue", "status"),
        ("/v1/artworks?featured=maybe", "featured"),
        ("/v1/jobs?state=asleep", "state"),
        ("/v1/jobs?consumer=index", "consumer"),
        ("/v1/events?after=-1", "after"),
        ("/v1/events?limit=0", "limit"),
        ("/v1/generations/0199fd2e-3c5b-7cc1-b0f3-6f6f0a4c1d2e?wait=61s", "wait"),
        ("/v1/exports/0199fd2e-3c5b-7cc1-b0f3-6f6f0a4c1d2e?wait=soon", "wait"),
        ("/v1/artworks/0199fd2e-3c5b-7cc1-b0f3-6f6f0a4c1d2e?wait_for=ever", "wait_for"),
    ] {
        let refused = problem(studio.ann(Method::GET, path).send().await?, 400).await?;
        assert_eq!(pointers(&refused), [at], "{path}: {refused}");
    }
    problem(studio.ann(Method::GET, "/v1/artworks?q=%00").send().await?, 400).await?;
    problem(studio.ann(Method::GET, "/v1/artworks?colour=blue").send().await?, 400).await?;
    let last = studio.ann(Method::GET, "/v1/events").header("last-event-id", "x").send().await?;
    assert_eq!(pointers(&problem(last, 400).await?), ["Last-Event-ID"]);
    Ok(())
}
