//! A generation: placeholders at once, in one append, and an end for each.

use std::collections::HashSet;
use std::time::Duration;

use atelier_events::{Artwork, ArtworkId, Position, Relation, Stream, VariantId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::studio::{Studio, answer, id, pointers, problem};

fn made(accepted: &Value, index: usize) -> anyhow::Result<(ArtworkId, VariantId)> {
    let one = &accepted["artworks"][index];
    Ok((id(&one["artwork_id"])?, id(&one["variant_id"])?))
}

#[tokio::test]
async fn a_generation_makes_its_placeholders_in_one_append() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let body = json!({
        "prompt": "a harbour\nat dusk", "count": 3, "seed": u64::MAX - 1, "width": 640, "params": { "style": "ink" },
        "tags": ["Sea"],
    });
    let accepted = studio.post("/v1/generations", &body).await?;
    assert_eq!(accepted["position"], 6);
    assert_eq!(accepted["status_url"], format!("/v1/generations/{}", accepted["id"].as_str().unwrap_or_default()));
    let mut seeds = Vec::new();
    for index in 0..3 {
        let (artwork, variant) = made(&accepted, index)?;
        let events = studio.log.read_stream(&Stream::artwork(artwork)).await?;
        let state = Artwork::of(&events)?.expect("the artwork is in the log");
        assert_eq!(state.details.title, "a harbour at dusk");
        let recipe = state.variant(variant).and_then(|variant| variant.recipe.clone()).expect("it has a recipe");
        assert_eq!((recipe.provider.as_str(), recipe.width, recipe.height), ("sketch", 640, 1_024));
        assert_eq!(recipe.params, json!({ "style": "ink" }));
        seeds.push(recipe.seed);
    }
    assert_eq!(seeds, [u64::MAX - 1, u64::MAX, 0]);
    studio.index().await?;
    let seen = studio.get(&format!("/v1/generations/{}", accepted["id"].as_str().unwrap_or_default())).await?;
    assert_eq!((&seen["state"], &seen["counts"]["total"]), (&json!("pending"), &json!(3)));
    assert_eq!(seen["variants"][1]["seed"], u64::MAX);
    Ok(())
}

#[tokio::test]
async fn a_waiting_read_answers_as_soon_as_all_have_ended() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let accepted = studio.post("/v1/generations", &json!({ "prompt": "x", "count": 2 })).await?;
    studio.index().await?;
    let path = format!("/v1/generations/{}?wait=30s", accepted["id"].as_str().unwrap_or_default());
    let waiting = tokio::spawn(studio.ann(Method::GET, &path).send());
    let (artwork, variant) = made(&accepted, 0)?;
    studio.render(artwork, variant).await?;
    studio.index().await?;
    let (artwork, variant) = made(&accepted, 1)?;
    studio.fail(artwork, variant, "no paint").await?;
    studio.index().await?;
    let response = tokio::time::timeout(Duration::from_secs(20), waiting).await???;
    let seen = answer(response, StatusCode::OK).await?;
    assert_eq!(seen["state"], "partial");
    assert_eq!(seen["counts"], json!({ "total": 2, "pending": 0, "processing": 0, "completed": 1, "failed": 1 }));
    assert_eq!(seen["variants"][1]["failure"], json!({ "stage": "renditions", "error": "no paint" }));
    assert!(seen["variants"][0]["renditions"]["thumb"]["url"].is_string(), "{seen}");
    Ok(())
}

#[tokio::test]
async fn variants_are_added_to_an_artwork_by_its_owner_alone() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let accepted = studio.post("/v1/generations", &json!({ "prompt": "x" })).await?;
    let (artwork, parent) = made(&accepted, 0)?;
    let body = json!({ "prompt": "in the rain", "artwork_id": artwork, "parent": parent, "count": 2 });
    let refined = studio.post("/v1/generations", &body).await?;
    let events = studio.log.read_stream(&Stream::artwork(artwork)).await?;
    let state = Artwork::of(&events)?.expect("the artwork is in the log");
    assert_eq!(state.variants.len(), 3);
    let (_, variant) = made(&refined, 1)?;
    let lineage = &state.variant(variant).expect("it is there").lineage;
    assert_eq!((lineage[0].parent, lineage[0].relation), (parent, Relation::Refined));

    let bob = studio.stranger(Method::POST, "/v1/generations").bearer_auth("of-bob").json(&body);
    assert_eq!(pointers(&problem(bob.send().await?, 403).await?), ["/artwork_id"]);
    let stranger = json!({ "prompt": "x", "artwork_id": artwork, "parent": VariantId::new() });
    assert_eq!(pointers(&studio.refused("/v1/generations", &stranger, 422).await?), ["/parent"]);
    let nowhere = json!({ "prompt": "x", "artwork_id": ArtworkId::new() });
    assert_eq!(pointers(&studio.refused("/v1/generations", &nowhere, 422).await?), ["/artwork_id"]);
    let both = json!({ "prompt": "x", "artwork_id": artwork, "title": "New", "tags": ["a"] });
    assert_eq!(pointers(&studio.refused("/v1/generations", &both, 400).await?), ["/tags", "/title"]);
    Ok(())
}

#[tokio::test]
async fn what_a_variant_comes_from_must_be_there_and_is_kept() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let first = studio.post("/v1/generations", &json!({ "prompt": "x" })).await?;
    let (origin, reference) = made(&first, 0)?;
    studio.index().await?;
    let unknown = VariantId::new();
    let body = json!({ "prompt": "y", "references": [reference, unknown] });
    assert_eq!(pointers(&studio.refused("/v1/generations", &body, 422).await?), ["/references/1"]);
    assert_eq!(studio.log.head().await?, Position(2));

    let body = json!({ "prompt": "y", "references": [reference, reference], "parent": reference });
    let (artwork, variant) = made(&studio.post("/v1/generations", &body).await?, 0)?;
    studio.index().await?;
    let page = studio.get(&format!("/v1/artworks/{artwork}")).await?;
    let relations: HashSet<&str> = page["variants"][0]["lineage"]
        .as_array()
        .map(|lineage| lineage.iter().filter_map(|one| one["relation"].as_str()).collect())
        .unwrap_or_default();
    assert_eq!(relations, HashSet::from(["derived", "forked"]));
    assert_eq!(page["variants"][0]["lineage"][0]["artwork_id"], json!(origin));
    let page = studio.get(&format!("/v1/artworks/{origin}")).await?;
    assert_eq!(page["variants"][0]["children"], json!([variant]));
    Ok(())
}

#[tokio::test]
async fn limits_of_a_generation_are_named() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let body = json!({
        "prompt": "x".repeat(4_001), "count": 17, "width": 63, "height": 2_049, "seed": -1, "params": [],
        "references": ["nonsense"],
    });
    let refused = studio.refused("/v1/generations", &body, 400).await?;
    let expected = ["/count", "/height", "/params", "/prompt", "/references/0", "/seed", "/width"];
    assert_eq!(pointers(&refused), expected);
    let large = json!({ "prompt": "x", "params": { "a": "b".repeat(16_384) } });
    assert_eq!(pointers(&studio.refused("/v1/generations", &large, 400).await?), ["/params"]);
    let nul = json!({ "prompt": "x", "params": { "deep": [{ "a": "\0" }] } });
    assert_eq!(pointers(&studio.refused("/v1/generations", &nul, 400).await?), ["/params/deep/0/a"]);
    Ok(())
}
