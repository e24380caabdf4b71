//! Cutting again: which variants, a page at a time, and what the log says then.

use atelier_events::{Artwork, ArtworkId, Event, Recorded, Stream, VariantEvent, VariantId};
use reqwest::Method;
use serde_json::{Value, json};

use crate::studio::{RECIPE, Studio, answer, id, pointers};

const PATH: &str = "/v1/variants/recut";

/// Artworks of Ann's whose renditions are there, the oldest first.
async fn rendered(studio: &Studio, titles: &[&str]) -> anyhow::Result<Vec<(ArtworkId, VariantId)>> {
    let mut made = Vec::new();
    for title in titles {
        let accepted = studio.artwork(title).await?;
        let (artwork, variant) = (id(&accepted["id"])?, id(&accepted["variant_id"])?);
        studio.render(artwork, variant).await?;
        made.push((artwork, variant));
    }
    studio.index().await?;
    Ok(made)
}

/// A request that there is nothing to do for.
async fn nothing(studio: &Studio, body: &Value) -> anyhow::Result<Value> {
    answer(studio.ann(Method::POST, PATH).json(body).send().await?, reqwest::StatusCode::OK).await
}

async fn asked(studio: &Studio, artwork: ArtworkId) -> anyhow::Result<Vec<Recorded>> {
    let events = studio.log.read_stream(&Stream::artwork(artwork)).await?;
    Ok(events.into_iter().filter(|event| event.event_type == "variant.recut_requested").collect())
}

#[tokio::test]
async fn a_recut_is_asked_for_behind_everybody_who_waits_and_what_is_shown_stays() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let made = rendered(&studio, &["Harbour", "Peaks"]).await?;
    let (artwork, variant) = made[0];
    let accepted = studio.post(PATH, &json!({ "artwork_ids": [artwork] })).await?;
    assert_eq!((&accepted["variants"], &accepted["matching"]), (&json!([variant]), &json!(1)));
    assert_eq!(accepted["next_cursor"], json!(null));
    let events = asked(&studio, artwork).await?;
    assert_eq!(accepted["position"], events[0].position.0);
    assert_eq!(
        (events.len(), events[0].actor.as_str(), &events[0].data.to_value()["priority"]),
        (1, "ann", &json!("bulk"))
    );
    assert!(
        matches!(events[0].event()?, Event::Variant(VariantEvent::RecutRequested(asked)) if asked.variant_id == variant)
    );
    assert!(asked(&studio, made[1].0).await?.is_empty());
    let state = Artwork::of(&studio.log.read_stream(&Stream::artwork(artwork)).await?)?.expect("the artwork");
    assert!(state.cover().is_some_and(|cover| cover.rendered.is_some()));
    studio.index().await?;
    assert_eq!(studio.get(&format!("/v1/artworks/{artwork}")).await?["status"], "active");
    Ok(())
}

#[tokio::test]
async fn variants_are_chosen_by_owner_recipe_time_and_state() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    rendered(&studio, &["Harbour", "Peaks"]).await?;
    let accepted = studio.artwork("Broken").await?;
    studio.fail(id(&accepted["id"])?, id(&accepted["variant_id"])?, "no picture").await?;
    studio.index().await?;
    for (body, matching) in [
        (json!({ "all": true }), 2),
        (json!({ "all": true, "state": "failed" }), 1),
        (json!({ "owner": "ann" }), 2),
        (json!({ "owner": "bob" }), 0),
        (json!({ "other_than": RECIPE }), 0),
        (json!({ "other_than": "0123456789ab" }), 2),
        (json!({ "since": "2020-01-01T00:00:00Z" }), 2),
        (json!({ "until": "2020-01-01T00:00:00Z" }), 0),
    ] {
        let mut body = body;
        body["dry_run"] = true.into();
        let counted = nothing(&studio, &body).await?;
        assert_eq!(
            counted,
            json!({ "variants": [], "matching": matching, "next_cursor": null, "position": null }),
            "{body}"
        );
    }
    let head = studio.log.head().await?;
    nothing(&studio, &json!({ "owner": "bob" })).await?;
    assert_eq!(studio.log.head().await?, head, "nothing was asked for");
    Ok(())
}

#[tokio::test]
async fn to_mean_all_is_to_say_so_and_what_is_wrong_is_named() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    for (body, at) in [
        (json!({}), "/all"),
        (json!({ "state": "completed" }), "/all"),
        (json!({ "all": true, "state": "processing" }), "/state"),
        (json!({ "since": "yesterday" }), "/since"),
        (json!({ "artwork_ids": vec!["0199fd2e-3c5b-7cc1-b0f3-6f6f0a4c1d2e"; 1_001] }), "/artwork_ids"),
        (json!({ "all": true, "recipe": "x" }), "/recipe"),
    ] {
        assert_eq!(pointers(&studio.refused(PATH, &body, 400).await?), [at], "{body}");
    }
    let cursor = studio.refused(PATH, &json!({ "all": true, "cursor": "x" }), 400).await?;
    assert_eq!(cursor["type"], "urn:atelier:problem:unknown-cursor");
    Ok(())
}

#[tokio::test]
async fn the_same_order_under_the_same_key_is_one_order() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let made = rendered(&studio, &["Harbour"]).await?;
    let send =
        || studio.ann(Method::POST, PATH).header("Idempotency-Key", "again").json(&json!({ "all": true })).send();
    let first = answer(send().await?, reqwest::StatusCode::ACCEPTED).await?;
    let second = answer(send().await?, reqwest::StatusCode::ACCEPTED).await?;
    assert_eq!(first, second);
    assert_eq!(asked(&studio, made[0].0).await?.len(), 1);
    Ok(())
}
