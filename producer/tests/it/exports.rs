//! Exports: asked for, followed, cancelled, downloaded.

use atelier_events::export::{Completed, Expired, Files, Requested, Selection, Variants};
use atelier_events::{
    ArtworkId, Blob, Consumer, Event, ExportEvent, ExportId, Position, RenditionKind, Stream, VariantId, jobs, keys,
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::studio::{Studio, answer, id, pointers, problem};

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
    let completed =
        Completed { export_id: export, archive, pictures: 1, missing: Vec::new(), contents: None, kept_until: None };
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
        (json!({ "artwork_ids": [artwork], "matching": {} }), "/matching"),
        (json!({ "all": true, "matching": {} }), "/all"),
        (json!({ "matching": { "status": "sold" } }), "/matching/status"),
        (json!({ "matching": { "q": "x".repeat(201) } }), "/matching/q"),
        (json!({ "all": true, "files": "poster" }), "/files"),
        (json!({ "all": true, "variants": "every" }), "/variants"),
        (json!({ "artwork_ids": vec![artwork; 1_001] }), "/artwork_ids"),
    ] {
        assert_eq!(pointers(&studio.refused("/v1/exports", &body, 400).await?), [at], "{body}");
    }
    Ok(())
}

async fn requested(studio: &Studio, accepted: &serde_json::Value) -> anyhow::Result<(ExportId, Requested)> {
    let export: ExportId = id(&accepted["id"])?;
    let events = studio.log.read_stream(&Stream::export(export)).await?;
    let Event::Export(ExportEvent::Requested(requested)) = events[0].event()? else { anyhow::bail!("{events:?}") };
    Ok((export, requested))
}

#[tokio::test]
async fn everything_s_originals_are_exported_with_all_variants_and_anything_else_with_covers() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let artwork = studio.artwork("Harbour").await?["id"].clone();
    studio.index().await?;
    for (body, expected) in [
        (json!({ "all": true }), Variants::All),
        (json!({ "all": true, "files": "originals" }), Variants::All),
        (json!({ "all": true, "files": "display" }), Variants::Cover),
        (json!({ "all": true, "variants": "cover" }), Variants::Cover),
        (json!({ "all": true, "files": "display", "variants": "all" }), Variants::All),
        (json!({ "artwork_ids": [artwork] }), Variants::Cover),
        (json!({ "artwork_ids": [artwork], "variants": "all" }), Variants::All),
        (json!({ "matching": { "q": "harbour" } }), Variants::Cover),
        (json!({ "matching": { "q": "harbour" }, "variants": "all" }), Variants::All),
    ] {
        let (export, requested) = requested(&studio, &studio.post("/v1/exports", &body).await?).await?;
        assert_eq!(requested.variants, expected, "{body}");
        studio.index().await?;
        let read = studio.get(&format!("/v1/exports/{export}")).await?;
        assert_eq!(read["variants"], expected.as_str(), "{body}");
    }
    Ok(())
}

#[tokio::test]
async fn an_export_of_a_query_has_all_that_the_list_has_at_that_moment() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let mut expected = Vec::new();
    for title in ["Harbour at dusk", "Harbour at dawn", "Mountain"] {
        let artwork: ArtworkId = id(&studio.artwork(title).await?["id"])?;
        if title.contains("Harbour") {
            expected.insert(0, artwork);
        }
    }
    studio.index().await?;
    let body = json!({ "matching": { "q": "harbour", "owner": "ann" }, "files": "medium_1280_webp" });
    let (export, requested) = requested(&studio, &studio.post("/v1/exports", &body).await?).await?;
    assert_eq!(requested.files, Files::Rendition(RenditionKind::Medium1280Webp));
    let Selection::Listed(list) = requested.selection else { anyhow::bail!("{:?}", requested.selection) };
    assert_eq!(list.key, keys::export_list(export));
    let found = studio.bucket.blobs.get(&list.key, 1_000).await?;
    let found: Vec<ArtworkId> = std::str::from_utf8(&found)?.lines().map(str::parse).collect::<Result<_, _>>()?;
    assert_eq!(found, expected);
    studio.index().await?;
    let nothing = json!({ "matching": { "tag": "none has it" } });
    assert_eq!(pointers(&studio.refused("/v1/exports", &nothing, 422).await?), ["/matching"]);
    Ok(())
}

/// An export of everything with its job, before anybody has begun it.
async fn waiting(studio: &Studio) -> anyhow::Result<ExportId> {
    studio.artwork("Harbour").await?;
    let export: ExportId = id(&studio.post("/v1/exports", &json!({ "all": true })).await?["id"])?;
    jobs::enlist(studio.log.pool(), Position(0), studio.log.head().await?).await?;
    studio.index().await?;
    Ok(export)
}

#[tokio::test]
async fn whoever_waits_sees_how_far_packing_is_until_it_has_ended() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let export = waiting(&studio).await?;
    let path = format!("/v1/exports/{export}");
    assert_eq!(studio.get(&path).await?["progress"], json!(null));
    let claimed = jobs::claim(studio.log.pool(), Consumer::Exports, 1, "worker", 60_000).await?;
    let progress = json!({ "pictures": 1, "total_pictures": 3, "bytes": 7, "total_bytes": 20 });
    jobs::report_progress(studio.log.pool(), vec![(claimed[0].job, claimed[0].fence, progress.clone())]).await?;
    // A lease that is another's by now tells nothing.
    jobs::report_progress(studio.log.pool(), vec![(claimed[0].job, claimed[0].fence + 1, json!(null))]).await?;
    let read = studio.get(&path).await?;
    assert_eq!((&read["state"], &read["progress"]), (&json!("pending"), &progress));
    let listed = studio.get("/v1/jobs?consumer=exports").await?;
    assert_eq!(listed["items"][0]["progress"], progress);

    let mut follower = studio.ann(Method::GET, &format!("{path}/progress")).send().await?;
    let mut told = String::new();
    while !told.contains("\n\n") {
        told += std::str::from_utf8(&follower.chunk().await?.unwrap_or_default())?;
    }
    assert!(told.starts_with("event: pending\n") && told.contains("\"total_pictures\":3"), "{told}");
    complete(&studio, export).await?;
    while let Some(more) = follower.chunk().await? {
        told += std::str::from_utf8(&more)?;
    }
    assert!(told.contains("event: completed\n") && told.contains("\"download_url\":\"http"), "{told}");
    Ok(())
}

/// Its ZIP is there, and the index knows.
async fn complete(studio: &Studio, export: ExportId) -> anyhow::Result<()> {
    let archive = studio.bucket.blobs.put(&keys::export(export), "0123456789".into(), "application/zip").await?;
    let completed =
        Completed { export_id: export, archive, pictures: 1, missing: Vec::new(), contents: None, kept_until: None };
    studio.tell(Stream::export(export), Event::Export(ExportEvent::Completed(completed))).await?;
    studio.index().await
}

#[tokio::test]
async fn a_download_leads_to_the_zip_takes_ranges_and_is_gone_when_its_time_is_over() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let export = waiting(&studio).await?;
    let download = || studio.ann(Method::GET, &format!("/v1/exports/{export}/download"));
    let early = problem(download().send().await?, 409).await?;
    assert!(early["detail"].as_str().is_some_and(|detail| detail.contains("is not completed yet")), "{early}");
    complete(&studio, export).await?;
    // The client follows to the bucket.
    let whole = download().send().await?;
    let etag = whole.headers()["etag"].clone();
    assert_eq!((whole.status(), whole.text().await?.as_str()), (StatusCode::OK, "0123456789"));
    let part = download().header("range", "bytes=2-4").header("if-range", etag).send().await?;
    assert_eq!(part.headers()["content-range"], "bytes 2-4/10");
    assert_eq!((part.status(), part.text().await?.as_str()), (StatusCode::PARTIAL_CONTENT, "234"));
    // A link is signed for one method: the API answers this one itself.
    let head = studio.ann(Method::HEAD, &format!("/v1/exports/{export}/download")).send().await?;
    assert_eq!((head.status(), head.headers()["content-length"].to_str()?), (StatusCode::OK, "10"));
    assert_eq!(head.headers()["content-type"], "application/zip");
    let beyond = download().header("range", "bytes=10-").send().await?;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);

    let expired = Expired { export_id: export };
    studio.tell(Stream::export(export), Event::Export(ExportEvent::Expired(expired))).await?;
    studio.index().await?;
    let read = studio.get(&format!("/v1/exports/{export}")).await?;
    assert_eq!((&read["state"], &read["download_url"]), (&json!("expired"), &json!(null)));
    let gone = problem(download().send().await?, 410).await?;
    assert_eq!(gone["type"], "urn:atelier:problem:gone");
    problem(studio.ann(Method::GET, &format!("/v1/exports/{}/download", ExportId::new())).send().await?, 404).await?;
    Ok(())
}

#[tokio::test]
async fn an_export_is_cancelled_by_who_asked_for_it_and_its_later_deletion_is_not() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let export = waiting(&studio).await?;
    let path = format!("/v1/exports/{export}/cancel");
    let stranger = studio.stranger(Method::POST, &path).bearer_auth("of-bob").send().await?;
    problem(stranger, 403).await?;
    let cancel = || studio.ann(Method::POST, &path).send();
    assert_eq!(answer(cancel().await?, StatusCode::OK).await?["cancelled"], true);
    studio.index().await?;
    let read = studio.get(&format!("/v1/exports/{export}")).await?;
    assert_eq!((&read["state"], &read["error"]), (&json!("failed"), &json!("cancelled by ann")));
    assert_eq!(answer(cancel().await?, StatusCode::OK).await?, json!({ "cancelled": false, "position": null }));

    let done = waiting(&studio).await?;
    complete(&studio, done).await?;
    jobs::enlist(studio.log.pool(), Position(0), studio.log.head().await?).await?;
    let cancel_done = studio.ann(Method::POST, &format!("/v1/exports/{done}/cancel")).send().await?;
    answer(cancel_done, StatusCode::OK).await?;
    let filter =
        jobs::Filter { stream: Some(Stream::export(done)), state: Some("available".to_owned()), ..Default::default() };
    let left = jobs::list(studio.log.pool(), &filter, 10).await?;
    let mut left: Vec<&str> = left.iter().map(|job| job.consumer.as_str()).collect();
    left.sort_unstable();
    assert_eq!(left, ["exports", "webhooks"], "what deletes it in its time, and what tells of it, is left alone");
    Ok(())
}

#[tokio::test]
async fn an_artwork_is_taken_back_in_under_its_ids_once() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let (artwork, variant) = (ArtworkId::new(), VariantId::new());
    let recipe =
        json!({ "provider": "sketch", "prompt": "a harbour", "seed": 7, "width": 30, "height": 20, "params": {} });
    let parent = VariantId::new();
    let restore = json!({
        "artwork_id": artwork, "variant_id": variant, "created_at": "2020-05-04T03:02:01.5Z", "recipe": recipe,
        "lineage": [{ "parent": parent, "relation": "refined" }],
    });
    let body =
        json!({ "upload_key": studio.upload(crate::studio::PNG).await?, "title": "Harbour", "restore": restore });
    let accepted = studio.post("/v1/artworks", &body).await?;
    assert_eq!((&accepted["id"], &accepted["variant_id"]), (&json!(artwork), &json!(variant)));
    studio.index().await?;
    let read = studio.get(&format!("/v1/artworks/{artwork}")).await?;
    assert_eq!(read["created_at"], "2020-05-04T03:02:01.5Z");
    assert_eq!(read["variants"][0]["recipe"], recipe);
    assert_eq!(read["variants"][0]["lineage"][0]["parent"], json!(parent));

    // The very same again is the same command, and anything else meets what is there.
    assert_eq!(studio.post("/v1/artworks", &body).await?["position"], accepted["position"]);
    let other = json!({ "artwork_id": ArtworkId::new(), "variant_id": variant });
    for (restore, title) in [(restore, "Another title"), (other, "Harbour")] {
        let body = json!({ "upload_key": body["upload_key"], "title": title, "restore": restore });
        studio.refused("/v1/artworks", &body, 422).await?;
    }
    let tomorrow = "9999-12-31T00:00:00Z";
    let yet = json!({ "artwork_id": ArtworkId::new(), "variant_id": parent, "created_at": tomorrow });
    let yet = json!({ "upload_key": body["upload_key"], "title": "Harbour", "restore": yet });
    let refused = studio.refused("/v1/artworks", &yet, 400).await?;
    assert_eq!(pointers(&refused), ["/restore/created_at"]);
    let ancient =
        json!({ "artwork_id": ArtworkId::new(), "variant_id": parent, "requested_at": "0000-12-31T00:00:00Z" });
    let ancient = json!({ "upload_key": body["upload_key"], "title": "Harbour", "restore": ancient });
    let refused = studio.refused("/v1/artworks", &ancient, 400).await?;
    assert_eq!(pointers(&refused), ["/restore/requested_at"]);
    Ok(())
}

#[tokio::test]
async fn a_variant_that_is_taken_back_in_is_added_to_its_artwork_by_its_owner_once() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let (artwork, newer, older) = (ArtworkId::new(), VariantId::new(), VariantId::new());
    let upload_key = studio.upload(crate::studio::PNG).await?;
    let restore = |variant: VariantId, at: &str| {
        let restore = json!({
            "artwork_id": artwork, "variant_id": variant, "created_at": "2020-01-01T00:00:00Z", "requested_at": at,
        });
        json!({ "upload_key": upload_key, "title": format!("Harbour, {at}"), "restore": restore })
    };
    studio.post("/v1/artworks", &restore(newer, "2020-03-01T00:00:00Z")).await?;
    let second = restore(older, "2020-02-01T00:00:00Z");
    let stranger = studio.stranger(Method::POST, "/v1/artworks").bearer_auth("of-bob").json(&second).send().await?;
    let refused = problem(stranger, 403).await?;
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("is not yours")), "{refused}");
    studio.index().await?;
    let accepted = studio.post("/v1/artworks", &second).await?;
    assert_eq!((&accepted["id"], &accepted["variant_id"]), (&json!(artwork), &json!(older)));
    // The very same again is the same command.
    assert_eq!(studio.post("/v1/artworks", &second).await?["position"], accepted["position"]);

    let events = studio.log.read_stream(&Stream::artwork(artwork)).await?;
    let types: Vec<&str> = events.iter().map(|event| event.event_type.as_str()).collect();
    assert_eq!(types, ["artwork.created", "variant.uploaded", "variant.uploaded"]);
    studio.index().await?;
    let read = studio.get(&format!("/v1/artworks/{artwork}")).await?;
    assert_eq!(read["title"], "Harbour, 2020-03-01T00:00:00Z", "what is said of the artwork is left as it is");
    let said = |at: usize| (read["variants"][at]["id"].clone(), read["variants"][at]["requested_at"].clone());
    assert_eq!(said(0), (json!(older), json!("2020-02-01T00:00:00Z")));
    assert_eq!(said(1), (json!(newer), json!("2020-03-01T00:00:00Z")));
    assert_eq!(read["variants"][0]["filename"], json!(null));

    // What is there as something else is left alone.
    let native = studio.artwork("Native").await?;
    studio.index().await?;
    let its_own = json!({ "artwork_id": native["id"], "variant_id": native["variant_id"] });
    let of_another = json!({ "artwork_id": artwork, "variant_id": native["variant_id"] });
    for (restore, said) in [(its_own, "is there already, with variant"), (of_another, "is there already, of another")] {
        let body = json!({ "upload_key": upload_key, "title": "Harbour", "restore": restore });
        let refused = studio.refused("/v1/artworks", &body, 409).await?;
        assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains(said)), "{refused}");
    }
    Ok(())
}
