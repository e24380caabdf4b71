//! The event feed: every event after a position, in order, once.

use std::time::Duration;

use anyhow::Context as _;
use atelier_events::{ArtworkId, Recorded};
use reqwest::{Method, Response};
use serde_json::json;

use crate::studio::{Studio, id};

/// Reads events off a response until there are so many; fewer when it ends.
async fn events(mut response: Response, count: usize) -> anyhow::Result<Vec<Recorded>> {
    let mut text = String::new();
    let mut events: Vec<Recorded> = Vec::new();
    while events.len() < count {
        let chunk =
            tokio::time::timeout(Duration::from_secs(30), response.chunk()).await.context("the feed is silent")??;
        let Some(chunk) = chunk else { break };
        text.push_str(std::str::from_utf8(&chunk)?);
        while let Some((block, rest)) = text.split_once("\n\n") {
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim_start().to_owned())
            };
            if let Some(data) = field("data:") {
                let event: Recorded = serde_json::from_str(&data)?;
                assert_eq!(field("id:"), Some(event.position.to_string()));
                assert_eq!(field("event:").as_deref(), Some(event.event_type.as_str()));
                events.push(event);
            }
            text = rest.to_owned();
        }
    }
    Ok(events)
}

fn positions(events: &[Recorded]) -> Vec<i64> {
    events.iter().map(|event| event.position.0).collect()
}

#[tokio::test]
async fn a_feed_from_the_beginning_has_no_gap_while_events_are_appended() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    studio.post("/v1/generations", &json!({ "prompt": "before", "count": 16 })).await?;
    let feed = studio.ann(Method::GET, "/v1/events?after=0").send().await?;
    assert_eq!(feed.headers()["content-type"], "text/event-stream");
    let appending = async {
        for number in 0..40 {
            studio.post("/v1/generations", &json!({ "prompt": format!("during {number}"), "count": 4 })).await?;
        }
        anyhow::Ok(())
    };
    let expected = 32 + 40 * 8;
    let (events, appended) = tokio::join!(events(feed, expected), appending);
    appended?;
    let expected: Vec<i64> = (1..=i64::try_from(expected)?).collect();
    assert_eq!(positions(&events?), expected);
    Ok(())
}

#[tokio::test]
async fn a_feed_goes_on_after_the_last_event_that_a_client_has_seen() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    studio.post("/v1/generations", &json!({ "prompt": "x", "count": 3 })).await?;
    let request = studio.ann(Method::GET, "/v1/events?after=0&follow=false").header("last-event-id", "4");
    assert_eq!(positions(&events(request.send().await?, usize::MAX).await?), [5, 6]);
    Ok(())
}

#[tokio::test]
async fn a_finite_read_ends() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let empty = studio.ann(Method::GET, "/v1/events?follow=false").send().await?;
    assert_eq!(positions(&events(empty, usize::MAX).await?), [0; 0]);
    studio.post("/v1/generations", &json!({ "prompt": "x", "count": 3 })).await?;
    let all = studio.ann(Method::GET, "/v1/events?follow=false").send().await?;
    assert_eq!(positions(&events(all, usize::MAX).await?), [1, 2, 3, 4, 5, 6]);
    let limited = studio.ann(Method::GET, "/v1/events?after=1&limit=2").send().await?;
    assert_eq!(positions(&events(limited, usize::MAX).await?), [2, 3]);
    Ok(())
}

#[tokio::test]
async fn a_feed_may_be_of_one_type_of_all_streams_or_of_one() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    studio.post("/v1/generations", &json!({ "prompt": "x", "count": 3 })).await?;
    let read = async |query: &str| {
        let path = format!("/v1/events?follow=false&{query}");
        events(studio.ann(Method::GET, &path).send().await?, usize::MAX).await
    };
    let requested = read("type=variant.requested").await?;
    assert_eq!(requested.len(), 3);
    assert!(requested.iter().all(|event| event.event_type == "variant.requested"), "{requested:?}");
    assert_eq!(read("type=variant.requested&limit=2").await?.len(), 2);
    let stream = &requested[0].stream;
    assert_eq!(read(&format!("type=artwork.created&stream={stream}")).await?.len(), 1);
    assert_eq!(read("type=site.deployed").await?.len(), 0);

    let refused = studio.ann(Method::GET, "/v1/events?type=variant.requestd").send().await?;
    let refused = crate::studio::problem(refused, 400).await?;
    let said = refused["errors"][0]["detail"].as_str().unwrap_or_default();
    assert!(said.contains("there are:") && said.contains("variant.requested"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_feed_of_one_stream_has_its_events_alone_then_and_now() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let accepted = studio.post("/v1/generations", &json!({ "prompt": "x", "count": 3 })).await?;
    let one = &accepted["artworks"][1];
    let artwork: ArtworkId = id(&one["artwork_id"])?;
    let feed = studio.ann(Method::GET, &format!("/v1/events?stream=artwork-{artwork}")).send().await?;
    studio.post("/v1/generations", &json!({ "prompt": "y" })).await?;
    studio.render(artwork, id(&one["variant_id"])?).await?;
    assert_eq!(positions(&events(feed, 3).await?), [3, 4, 9]);
    let finite =
        studio.ann(Method::GET, &format!("/v1/events?stream=artwork-{artwork}&after=3&follow=false")).send().await?;
    assert_eq!(positions(&events(finite, usize::MAX).await?), [4, 9]);
    Ok(())
}

#[tokio::test]
async fn a_shutdown_ends_feeds_and_waiting_reads() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let accepted = studio.post("/v1/generations", &json!({ "prompt": "x" })).await?;
    studio.index().await?;
    let mut feed = studio.ann(Method::GET, "/v1/events").send().await?;
    feed.chunk().await?.context("the feed has begun")?;
    let path = format!("/v1/generations/{}?wait=60s", accepted["id"].as_str().unwrap_or_default());
    let waiting = tokio::spawn(studio.ann(Method::GET, &path).send());
    studio.shutdown.cancel();
    assert!(events(feed, usize::MAX).await?.len() <= 2);
    // Answered early, or, when it came after the shutdown, refused: it does not hang.
    drop(tokio::time::timeout(Duration::from_secs(20), waiting).await?);
    Ok(())
}
