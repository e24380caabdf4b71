//! Commands become events, once.

use std::collections::HashSet;

use atelier_events::{Artwork, ArtworkId, Position, Stream, VariantState};
use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::studio::{PNG, Studio, answer, id, problem};

#[tokio::test]
async fn an_upload_becomes_an_artwork_with_all_its_addresses() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let key = studio.upload(PNG).await?;
    let body = json!({
        "upload_key": key, "title": "  Harbour ", "artist": "Ann", "materials": "oil", "dimensions": "30 x 40 cm",
        "created_date": "2024-02-29", "tags": ["Sea", "sea", "Night"], "featured": true,
        "source_url": "https://post.example/1", "video_url": null,
    });
    let accepted = studio.post("/v1/artworks", &body).await?;
    let artwork: ArtworkId = id(&accepted["id"])?;
    assert_eq!(accepted["position"], 2);
    assert_eq!(accepted["url"], format!("/v1/artworks/{artwork}"));
    assert_eq!(accepted["page_url"], format!("https://gallery.example/artworks/{artwork}/"));

    let events = studio.log.read_stream(&Stream::artwork(artwork)).await?;
    assert!(events.iter().all(|event| event.actor == "ann" && event.correlation_id == events[0].correlation_id));
    let state = Artwork::of(&events)?.expect("the artwork is in the log");
    assert_eq!((state.owner.as_str(), state.details.title.as_str()), ("ann", "Harbour"));
    assert_eq!(state.details.tags, ["sea", "night"]);
    assert_eq!(state.details.category, "other");
    assert_eq!(state.details.video_url, None);
    assert_eq!(state.details.created_on.map(|day| day.to_string()).as_deref(), Some("2024-02-29"));
    assert_eq!(state.variants[0].state, VariantState::Processing);
    assert_eq!(state.variants[0].filename.as_deref(), Some("harbour.png"));
    Ok(())
}

#[tokio::test]
async fn the_same_key_and_request_answer_the_same_and_make_nothing_new() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let body = json!({ "upload_key": studio.upload(PNG).await?, "title": "Harbour" });
    let send = async |body: &Value| {
        studio.ann(Method::POST, "/v1/artworks").header("idempotency-key", "\"one\"").json(body).send().await
    };
    let first = send(&body).await?;
    assert_eq!(first.headers().get("idempotency-replayed"), None);
    let location = first.headers().get("location").cloned();
    let first = answer(first, StatusCode::ACCEPTED).await?;
    let again = send(&body).await?;
    assert_eq!(again.headers().get("idempotency-replayed").map(HeaderValue::as_bytes), Some(&b"true"[..]));
    assert_eq!(again.headers().get("location"), location.as_ref());
    assert_eq!(answer(again, StatusCode::ACCEPTED).await?, first);
    assert_eq!(studio.log.head().await?, Position(2));

    let other = problem(send(&json!({ "upload_key": body["upload_key"], "title": "Else" })).await?, 422).await?;
    assert_eq!(other["type"], "urn:atelier:problem:idempotency-key-reused");
    assert_eq!(studio.log.head().await?, Position(2));
    Ok(())
}

#[tokio::test]
async fn a_key_of_one_caller_is_not_that_of_another() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let body = json!({ "prompt": "a harbour" });
    let mut ids = HashSet::new();
    for secret in ["of-ann", "of-bob"] {
        let request = studio.stranger(Method::POST, "/v1/generations").bearer_auth(secret);
        let response = request.header("idempotency-key", "one").json(&body).send().await?;
        ids.insert(answer(response, StatusCode::ACCEPTED).await?["id"].to_string());
    }
    assert_eq!(ids.len(), 2);
    Ok(())
}

#[tokio::test]
async fn thirty_two_requests_with_one_key_at_once_create_one_artwork() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let body = json!({ "upload_key": studio.upload(PNG).await?, "title": "Harbour" });
    let send = async || {
        let request = studio.ann(Method::POST, "/v1/artworks").header("idempotency-key", "one");
        answer(request.json(&body).send().await?, StatusCode::ACCEPTED).await
    };
    let answers = futures::future::try_join_all((0..32).map(|_| send())).await?;
    let ids: HashSet<String> = answers.iter().map(ToString::to_string).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(studio.log.head().await?, Position(2));
    Ok(())
}

#[tokio::test]
async fn asking_for_an_upload_again_with_its_key_names_the_same_place() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let ask = async |key: Option<&str>| -> anyhow::Result<String> {
        let body = json!({ "filename": "a.png", "content_type": "image/png", "size": 5 });
        let mut request = studio.ann(Method::POST, "/v1/uploads").json(&body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        Ok(answer(request.send().await?, StatusCode::CREATED).await?["key"].to_string())
    };
    assert_eq!(ask(Some("one")).await?, ask(Some("one")).await?);
    assert_ne!(ask(Some("one")).await?, ask(Some("two")).await?);
    assert_ne!(ask(None).await?, ask(None).await?);
    Ok(())
}
