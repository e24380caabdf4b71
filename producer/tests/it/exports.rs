//! Exports: asked for, followed, downloaded.

use atelier_events::export::{Completed, Selection};
use atelier_events::{ArtworkId, Blob, Event, ExportEvent, ExportId, Position, Stream, keys};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::studio::{Studio, answer, id, pointers};

#[tokio::test]
async fn an_export_of_all_is_as_of_now_and_links_to_its_zip() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    studio.artwork("Harbour").await?;
    let accepted = studio.post("/v1/exports", &json!({ "all": true })).await?;
    let export: ExportId = id(&accepted["id"])?;
    let events = studio.log.read_stream(&Stream::export(export)).await?;
    assert_eq!(events[0].data.to_value()["selection"], json!(Selection::All(Position(2))));
    studio.index().await?;
    let path = format!("/v1/exports/{export}");
    let pending = studio.get(&path).await?;
    assert_eq!((&pending["state"], &pending["download_url"]), (&json!("pending"), &json!(null)));

    let waiting = tokio::spawn(studio.ann(Method::GET, &format!("{path}?wait=30s")).send());
    let archive = Blob {
        key: keys::export(export),
        sha256: "0a".repeat(32),
        media_type: "application/zip".to_owned(),
        length: 9,
    };
    let completed = Completed { export_id: export, archive, pictures: 1, missing: Vec::new() };
    studio.tell(Stream::export(export), Event::Export(ExportEvent::Completed(completed))).await?;
    studio.index().await?;
    let done = answer(waiting.await??, StatusCode::OK).await?;
    assert_eq!((&done["state"], &done["pictures"], &done["length"]), (&json!("completed"), &json!(1), &json!(9)));
    let url = done["download_url"].as_str().unwrap_or_default();
    assert!(url.contains(&keys::export(export)) && url.contains("X-Amz-Signature"), "{url}");
    assert!(url.contains("response-content-disposition"), "{url}");
    Ok(())
}

#[tokio::test]
async fn an_export_names_artworks_that_are_there_each_once() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    // Not yet in the index: what counts is the log.
    let artwork: ArtworkId = id(&studio.artwork("Harbour").await?["id"])?;
    let accepted = studio.post("/v1/exports", &json!({ "artwork_ids": [artwork, artwork] })).await?;
    let events = studio.log.read_stream(&Stream::export(id(&accepted["id"])?)).await?;
    assert_eq!(events[0].data.to_value()["selection"], json!(Selection::Artworks(vec![artwork])));

    let unknown = json!({ "artwork_ids": [artwork, ArtworkId::new()] });
    assert_eq!(pointers(&studio.refused("/v1/exports", &unknown, 422).await?), ["/artwork_ids/1"]);
    for (body, at) in [
        (json!({ "artwork_ids": [] }), "/artwork_ids"),
        (json!({ "artwork_ids": [artwork], "all": true }), "/all"),
        (json!({ "all": false }), "/artwork_ids"),
        (json!({ "artwork_ids": vec![artwork; 1_001] }), "/artwork_ids"),
    ] {
        assert_eq!(pointers(&studio.refused("/v1/exports", &body, 400).await?), [at], "{body}");
    }
    Ok(())
}
