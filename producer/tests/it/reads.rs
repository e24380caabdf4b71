//! Reads: pages without duplicates, filters, and answers that wait for what was commanded.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Context as _;
use atelier_events::artwork::Published;
use atelier_events::{ArtworkEvent, ArtworkId, Event, Position, Stream, VariantId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::studio::{PNG, RECIPE, Studio, answer, id, problem};

fn titles(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|artwork| artwork["title"].as_str()).collect()
}

#[tokio::test]
async fn pages_are_newest_first_without_duplicates_while_artworks_are_added() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    for number in 0..7 {
        studio
            .post("/v1/generations", &json!({ "prompt": "x", "title": format!("Work {number}"), "tags": ["a b"] }))
            .await?;
    }
    studio.index().await?;
    let mut path = "/v1/artworks?limit=3&tag=a%20b".to_owned();
    let mut seen: Vec<String> = Vec::new();
    loop {
        let response = studio.ann(Method::GET, &path).send().await?;
        let link = response.headers().get("link").and_then(|link| link.to_str().ok()).map(str::to_owned);
        let page = answer(response, StatusCode::OK).await?;
        seen.extend(titles(&page).into_iter().map(str::to_owned));
        studio.post("/v1/generations", &json!({ "prompt": "x", "title": "Late", "tags": ["a b"] })).await?;
        studio.index().await?;
        assert_eq!(link.is_some(), page["next_cursor"].is_string());
        let Some(link) = link else { break };
        path = link.split(['<', '>']).nth(1).context("a link")?.to_owned();
    }
    assert_eq!(seen, ["Work 6", "Work 5", "Work 4", "Work 3", "Work 2", "Work 1", "Work 0"]);
    Ok(())
}

/// The ids of a list, following its cursors.
async fn ids_by_page(studio: &Studio, list: &str, limit: usize) -> anyhow::Result<Vec<Value>> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = studio.get(&format!("{list}?limit={limit}{cursor}")).await?;
        let items = page["items"].as_array().context("a page has items")?;
        anyhow::ensure!(items.len() <= limit, "a page of {} where {limit} were asked for", items.len());
        ids.extend(items.iter().map(|item| item["id"].clone()));
        let Some(next) = page["next_cursor"].as_str() else { return Ok(ids) };
        anyhow::ensure!(items.len() == limit, "a page of {} of {limit} says that there are more", items.len());
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn every_artwork_and_every_job_comes_once_whatever_the_size_of_the_pages() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    // Those of one request are of the same moment.
    for count in [3, 2] {
        studio.post("/v1/generations", &json!({ "prompt": "x", "count": count })).await?;
    }
    studio.index().await?;
    let head = studio.log.head().await?;
    atelier_events::jobs::enlist(studio.log.pool(), Position(0), head).await?;
    for list in ["/v1/artworks", "/v1/jobs"] {
        let all = ids_by_page(&studio, list, 100).await?;
        let distinct: HashSet<String> = all.iter().map(Value::to_string).collect();
        assert_eq!((all.len(), distinct.len()), (5, 5), "{list}: {all:?}");
        for limit in 1..=6 {
            assert_eq!(ids_by_page(&studio, list, limit).await?, all, "{list} by {limit}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list_alone() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    studio.post("/v1/generations", &json!({ "prompt": "x", "count": 2 })).await?;
    studio.index().await?;
    let page = studio.get("/v1/artworks?limit=1").await?;
    let cursor = page["next_cursor"].as_str().context("a cursor")?;
    studio.get(&format!("/v1/artworks?limit=1&cursor={cursor}")).await?;
    let other = studio.ann(Method::GET, &format!("/v1/artworks?limit=1&tag=a&cursor={cursor}")).send().await?;
    assert_eq!(problem(other, 400).await?["type"], "urn:atelier:problem:unknown-cursor");
    Ok(())
}

#[tokio::test]
async fn filters_find_what_they_say() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let key = studio.upload(PNG).await?;
    let harbour = json!({
        "upload_key": key, "title": "Harbour", "description": "boats and gulls", "tags": ["Sea"], "category": "Painting",
        "featured": true,
    });
    let accepted = studio.post("/v1/artworks", &harbour).await?;
    studio.post("/v1/generations", &json!({ "prompt": "mountains in snow", "title": "Peaks" })).await?;
    studio.render(id(&accepted["id"])?, id(&accepted["variant_id"])?).await?;
    studio.index().await?;
    for (query, expected) in [
        ("", vec!["Peaks", "Harbour"]),
        ("?tag=SEA", vec!["Harbour"]),
        ("?category=painting", vec!["Harbour"]),
        ("?featured=true", vec!["Harbour"]),
        ("?featured=false", vec!["Peaks"]),
        ("?status=active", vec!["Harbour"]),
        ("?status=pending", vec!["Peaks"]),
        ("?q=gull", vec!["Harbour"]),
        ("?q=snow", vec!["Peaks"]),
        ("?q=snow&tag=sea", vec![]),
        ("?q=%22%27%29%20%26%20%7C%20%21%3A%2A", vec![]),
        ("?owner=ann", vec!["Peaks", "Harbour"]),
        ("?owner=bob", vec![]),
    ] {
        assert_eq!(titles(&studio.get(&format!("/v1/artworks{query}")).await?), expected, "{query}");
    }
    Ok(())
}

#[tokio::test]
async fn an_artwork_says_all_that_is_known_about_it() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let accepted = studio.artwork("Harbour").await?;
    let (artwork, variant): (ArtworkId, VariantId) = (id(&accepted["id"])?, id(&accepted["variant_id"])?);
    let rendered = studio.render(artwork, variant).await?;
    atelier_events::jobs::enlist(studio.log.pool(), Position(0), rendered).await?;
    studio.index().await?;
    let page = studio.get(&format!("/v1/artworks/{artwork}")).await?;
    assert_eq!((&page["status"], &page["published"], &page["owner"]), (&json!("active"), &json!(false), &json!("ann")));
    let display = format!("https://cdn.example/display/ann/{variant}-0a0a0a0a0a0a0a0a-{RECIPE}.jpg");
    assert_eq!(page["renditions"]["display"]["url"], display);
    assert_eq!(page["variants"][0]["recipe_hash"], RECIPE);
    assert_eq!((&page["width"], &page["palette"]), (&json!(30), &json!([{ "colour": "#102030", "per_mille": 1000 }])));
    let only = &page["variants"][0];
    assert_eq!((&only["state"], &only["filename"]), (&json!("completed"), &json!("harbour.png")));
    assert!(only["original"]["url"].as_str().is_some_and(|url| url.contains("X-Amz-Signature")), "{only}");
    let consumers: HashSet<&str> = page["jobs"]
        .as_array()
        .map(|jobs| jobs.iter().filter_map(|job| job["consumer"].as_str()).collect())
        .unwrap_or_default();
    assert_eq!(consumers, HashSet::from(["thumbnails", "sidecars"]));
    Ok(())
}

#[tokio::test]
async fn a_read_waits_until_an_artwork_is_ready_or_published() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let accepted = studio.artwork("Harbour").await?;
    let (artwork, variant): (ArtworkId, VariantId) = (id(&accepted["id"])?, id(&accepted["variant_id"])?);
    studio.index().await?;
    let not_yet = studio.get(&format!("/v1/artworks/{artwork}?wait=50ms")).await?;
    assert_eq!(not_yet["status"], "processing");
    let wait = |what: &str| {
        tokio::spawn(studio.ann(Method::GET, &format!("/v1/artworks/{artwork}?wait=30s&wait_for={what}")).send())
    };
    let (ready, published) = (wait("ready"), wait("published"));
    let position = studio.render(artwork, variant).await?;
    studio.index().await?;
    let ready = tokio::time::timeout(Duration::from_secs(20), ready).await???;
    assert_eq!(answer(ready, StatusCode::OK).await?["status"], "active");
    let told = Published { position, url: format!("https://gallery.example/artworks/{artwork}/") };
    studio.tell(Stream::artwork(artwork), Event::Artwork(ArtworkEvent::Published(told))).await?;
    studio.index().await?;
    let published = tokio::time::timeout(Duration::from_secs(20), published).await???;
    assert_eq!(answer(published, StatusCode::OK).await?["published"], true);
    Ok(())
}

#[tokio::test]
async fn a_failed_artwork_ends_the_wait_and_says_why() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let accepted = studio.artwork("Harbour").await?;
    let artwork: ArtworkId = id(&accepted["id"])?;
    studio.fail(artwork, id(&accepted["variant_id"])?, "not an image").await?;
    studio.index().await?;
    let page = studio.get(&format!("/v1/artworks/{artwork}?wait=60s&wait_for=published")).await?;
    assert_eq!(page["status"], "failed");
    assert_eq!(page["variants"][0]["failure"]["error"], "not an image");
    Ok(())
}

#[tokio::test]
async fn a_read_after_a_position_sees_what_was_commanded() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let accepted = studio.post("/v1/generations", &json!({ "prompt": "x" })).await?;
    let path = format!("/v1/artworks?after={}", accepted["position"]);
    let behind = studio.ann(Method::GET, &path).send().await?;
    assert!(behind.headers().contains_key("retry-after"));
    assert_eq!(problem(behind, 503).await?["type"], "urn:atelier:problem:index-behind");
    let waiting = tokio::spawn(studio.ann(Method::GET, &path).send());
    studio.index().await?;
    assert_eq!(titles(&answer(waiting.await??, StatusCode::OK).await?), ["x"]);
    Ok(())
}

#[tokio::test]
async fn what_the_index_has_not_seen_yet_is_not_called_missing() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let accepted = studio.post("/v1/generations", &json!({ "prompt": "x" })).await?;
    for path in [
        format!("/v1/generations/{}", accepted["id"].as_str().unwrap_or_default()),
        format!("/v1/artworks/{}", accepted["artworks"][0]["artwork_id"].as_str().unwrap_or_default()),
    ] {
        problem(studio.ann(Method::GET, &path).send().await?, 503).await?;
    }
    Ok(())
}

#[tokio::test]
async fn without_an_index_reads_say_what_to_start_and_commands_are_taken() -> anyhow::Result<()> {
    let studio = Studio::without_index().await?;
    let accepted = studio.post("/v1/generations", &json!({ "prompt": "x" })).await?;
    for path in ["/v1/artworks".to_owned(), accepted["status_url"].as_str().unwrap_or_default().to_owned()] {
        let refused = problem(studio.ann(Method::GET, &path).send().await?, 503).await?;
        assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("start atelier-index")), "{refused}");
    }
    Ok(())
}
