//! The documents in the bucket: sidecars from which everything can be restored, and the list of all artworks.

use atelier_events::artwork::Created;
use atelier_events::blobs::PART_BYTES;
use atelier_events::gallery_metadata::GalleryMetadata;
use atelier_events::{ArtworkEvent, ArtworkId, Consumer, Details, Event, Stream, VariantId, VariantState, keys};
use atelier_index::gallery;
use atelier_index::metadata::Sidecar;
use atelier_index::rebuild::rebuild;
use atelier_index::{IndexSettings, Sidecars};
use atelier_runtime::{Attempt, Job, Outcome};
use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::gate::Gate;
use crate::story::{
    OWNER, RECIPE, Story, created, failed, recipe, rendered, requested, restored, started, titled, uploaded,
};
use atelier_e2e::Bucket;

const LIMIT: u64 = 1 << 20;
const MEDIA: &str = "https://media.example";

async fn run_all(story: &Story, bucket: &Bucket) -> anyhow::Result<()> {
    let job = Sidecars::new(story.log.clone(), bucket.blobs.clone());
    for event in story.log.read(atelier_events::Position(0), 1_000).await? {
        if Consumer::Sidecars.event_types().contains(&event.event_type.as_str()) {
            let attempt = Attempt::first(event);
            let outcome = job.run(&attempt).await?;
            assert!(matches!(&outcome, Outcome::Completed(writes) if writes.is_empty()), "{outcome:?}");
        }
    }
    Ok(())
}

async fn list(bucket: &Bucket) -> anyhow::Result<(Bytes, GalleryMetadata)> {
    let bytes = bucket.blobs.get(keys::GALLERY_METADATA, LIMIT).await?;
    let metadata = serde_json::from_slice(&bytes)?;
    Ok((bytes, metadata))
}

async fn sidecar(bucket: &Bucket, artwork: ArtworkId) -> anyhow::Result<Sidecar> {
    Ok(serde_json::from_slice(&bucket.blobs.get(&keys::sidecar(OWNER, artwork), LIMIT).await?)?)
}

#[tokio::test]
async fn a_sidecar_holds_all_that_restores_its_artwork() -> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    let details = Details {
        source_url: Some("https://post.example/1".to_owned()),
        video_url: Some("https://video.example/1".to_owned()),
        tags: vec!["sea".to_owned()],
        created_on: Some(time::Date::from_calendar_date(2020, time::Month::May, 4)?),
        ..titled("Harbour")
    };
    let (artwork, first) = story.complete(details.clone()).await?;
    let second = VariantId::new();
    let events = vec![requested(artwork, second, recipe("in the rain"), Vec::new()), rendered(second, 2)];
    story.tell(Stream::artwork(artwork), events).await?;
    run_all(&story, &bucket).await?;

    let json: serde_json::Value =
        serde_json::from_slice(&bucket.blobs.get(&keys::sidecar(OWNER, artwork), LIMIT).await?)?;
    for (name, value) in [
        ("id", artwork.to_string()),
        ("title", "Harbour".to_owned()),
        ("sourceUrl", "https://post.example/1".to_owned()),
        ("videoUrl", "https://video.example/1".to_owned()),
        ("createdOn", "2020-05-04".to_owned()),
        ("prompt", "in the rain".to_owned()),
        ("cover", second.to_string()),
    ] {
        assert_eq!(json[name], value, "{name}");
    }
    assert_eq!(json["tags"], serde_json::json!(["sea"]));

    let events = story.log.read_stream(&Stream::artwork(artwork)).await?;
    let folded = atelier_events::Artwork::of(&events)?.expect("it was created");
    let sidecar = sidecar(&bucket, artwork).await?;
    assert_eq!(sidecar.created_at, folded.created_at);
    assert_eq!((sidecar.category, sidecar.artist), (details.category, details.artist));
    for (kept, variant) in sidecar.variants.iter().zip(&folded.variants) {
        assert_eq!((kept.id, &kept.recipe, &kept.rendered), (variant.id, &variant.recipe, &variant.rendered));
        assert_eq!((&kept.original, &kept.filename), (&variant.original, &variant.filename));
    }
    assert_eq!(sidecar.variants.iter().map(|variant| variant.id).collect::<Vec<_>>(), [first, second]);
    Ok(())
}

#[tokio::test]
async fn the_list_has_active_artworks_newest_first_and_the_same_bytes_from_sidecars_alone() -> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    let mut shown = Vec::new();
    for number in 0..30 {
        let source_url = (number % 2 == 0).then(|| format!("https://post.example/{number}"));
        shown.push(story.complete(Details { source_url, ..titled(&format!("Work {number}")) }).await?);
    }
    let (hidden, variant) = (ArtworkId::new(), VariantId::new());
    let events = vec![created(hidden, titled("Hidden")), uploaded(hidden, variant), failed(variant, "no picture")];
    story.tell(Stream::artwork(hidden), events).await?;
    let (artwork, _) = shown[3];
    let other = VariantId::new();
    let events = vec![requested(artwork, other, recipe("again"), Vec::new()), started(other), rendered(other, 5)];
    let last = story.tell(Stream::artwork(artwork), events).await?;
    story.read_model().await?;
    run_all(&story, &bucket).await?;

    let written = gallery::write(&story.log, &bucket.blobs, MEDIA, false).await?;
    assert_eq!(written, Some(last));
    let (bytes, metadata) = list(&bucket).await?;
    let ids: Vec<ArtworkId> = metadata.artworks.iter().map(|entry| entry.id).collect();
    assert_eq!(ids, shown.iter().rev().map(|(artwork, _)| *artwork).collect::<Vec<_>>());
    let json: serde_json::Value = serde_json::from_slice(&bytes)?;
    let (artwork, variant) = shown[28];
    let entry = &json["artworks"][1];
    assert_eq!(entry["id"], artwork.to_string());
    assert_eq!(entry["imageUrl"], format!("{MEDIA}/display/{OWNER}/{variant}-0a0a0a0a0a0a0a0a-{RECIPE}.jpg"));
    assert_eq!(entry["title"], "Work 28");
    assert_eq!(entry["sourceUrl"], "https://post.example/28");
    assert_eq!(entry["videoUrl"], serde_json::Value::Null);
    assert_eq!(json["artworks"][26]["prompt"], "again");
    let events = story.log.read(atelier_events::Position(last.0 - 1), 1).await?;
    assert_eq!(metadata.last_updated, Some(events[0].occurred_at));

    bucket.blobs.delete(keys::GALLERY_METADATA).await?;
    let junk = format!("originals/{OWNER}/notes.json");
    bucket.blobs.put(&junk, Bytes::from_static(b"{\"not\": \"ours\"}"), "application/json").await?;
    let rebuilt = rebuild(&bucket.blobs, MEDIA).await?;
    assert_eq!(rebuilt.artworks, 30);
    assert_eq!(rebuilt.unreadable.iter().map(|(key, _)| key).collect::<Vec<_>>(), [&junk]);
    assert_eq!(list(&bucket).await?.0, bytes);
    Ok(())
}

#[tokio::test]
async fn a_list_longer_than_a_part_of_an_upload_is_whole_and_replaces_the_one_before() -> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    let mut shown = Vec::new();
    for number in 0..3 {
        let description = format!("{number}").repeat(PART_BYTES * 2 / 5);
        shown.push(story.complete(Details { description, ..titled("Long") }).await?.0);
        story.read_model().await?;
        gallery::write(&story.log, &bucket.blobs, MEDIA, false).await?;
        let bytes = bucket.blobs.get(keys::GALLERY_METADATA, 64 << 20).await?;
        assert_eq!(bytes.len() > PART_BYTES, number == 2);
        let metadata: GalleryMetadata = serde_json::from_slice(&bytes)?;
        assert!(metadata.artworks.iter().map(|entry| entry.id).eq(shown.iter().rev().copied()));
        assert_eq!(bytes, serde_json::to_vec(&metadata)?, "the same bytes as in one piece");
    }
    let head = bucket.blobs.head(keys::GALLERY_METADATA).await?;
    assert_eq!(head.map(|head| head.media_type).as_deref(), Some("application/json"));
    Ok(())
}

#[tokio::test]
async fn the_list_is_written_only_when_what_it_shows_has_changed() -> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    story.read_model().await?;
    assert_eq!(gallery::write(&story.log, &bucket.blobs, "", false).await?, None);
    let (artwork, _) = story.complete(titled("Harbour")).await?;
    story.read_model().await?;
    let ready = story.log.head().await?;
    assert_eq!(gallery::write(&story.log, &bucket.blobs, "", false).await?, Some(ready));
    let (bytes, _) = list(&bucket).await?;
    // Something happens that a gallery does not show.
    let events = vec![requested(artwork, VariantId::new(), recipe("later"), Vec::new())];
    story.tell(Stream::artwork(artwork), events).await?;
    story.read_model().await?;
    assert_eq!(gallery::write(&story.log, &bucket.blobs, "", false).await?, None);
    assert_eq!(gallery::write(&story.log, &bucket.blobs, "", true).await?, Some(ready));
    assert_eq!(list(&bucket).await?.0, bytes);
    Ok(())
}

#[tokio::test]
async fn the_end_of_a_burst_is_in_the_list() -> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    let mut read_model = story.read_model().await?;
    let shutdown = CancellationToken::new();
    let settings = IndexSettings { gallery_interval_ms: 20, ..IndexSettings::default() };
    let moved: watch::Receiver<_> = read_model.moved();
    let keeper =
        tokio::spawn(gallery::keep(story.log.clone(), bucket.blobs.clone(), settings, moved, shutdown.clone()));
    for number in 0..50 {
        story.complete(titled(&format!("Work {number}"))).await?;
        crate::story::catch_up(&mut read_model, &story.log, 10).await?;
    }
    atelier_e2e::until("all are in the list", async || {
        Ok(list(&bucket).await.is_ok_and(|(_, metadata)| metadata.artworks.len() == 50))
    })
    .await?;
    shutdown.cancel();
    keeper.await??;
    Ok(())
}

#[tokio::test]
async fn a_sidecar_that_is_overtaken_on_its_way_is_written_again() -> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    let gate = Gate::before(&bucket.settings).await?;
    let (artwork, _) = story.complete(titled("Harbour")).await?;
    let stream = Stream::artwork(artwork);
    let attempt = async || -> anyhow::Result<Attempt> {
        let event = story.log.read_stream(&stream).await?.pop().expect("it has events");
        Ok(Attempt::first(event))
    };
    let (slow, first) = (Sidecars::new(story.log.clone(), gate.blobs), attempt().await?);
    let slow = tokio::spawn(async move { slow.run(&first).await });
    gate.reached.await?;

    let variant = VariantId::new();
    let events = vec![requested(artwork, variant, recipe("again"), Vec::new()), rendered(variant, 1)];
    story.tell(stream.clone(), events).await?;
    Sidecars::new(story.log.clone(), bucket.blobs.clone()).run(&attempt().await?).await?;
    assert_eq!(sidecar(&bucket, artwork).await?.variants.len(), 2);

    gate.open.send(()).expect("the gate waits for it");
    slow.await??;
    assert_eq!(sidecar(&bucket, artwork).await?.cover, variant);
    Ok(())
}

#[tokio::test]
async fn a_variant_that_is_given_up_is_in_the_sidecar_of_what_is_shown_and_makes_none_where_nothing_is()
-> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    let (artwork, _) = story.complete(titled("Harbour")).await?;
    let (refused, hidden, variant) = (VariantId::new(), ArtworkId::new(), VariantId::new());
    let events = vec![
        requested(artwork, refused, recipe("again"), Vec::new()),
        started(refused),
        failed(refused, "the provider refused"),
    ];
    story.tell(Stream::artwork(artwork), events).await?;
    let events = vec![created(hidden, titled("Hidden")), uploaded(hidden, variant), failed(variant, "no picture")];
    story.tell(Stream::artwork(hidden), events).await?;
    run_all(&story, &bucket).await?;
    let sidecar = sidecar(&bucket, artwork).await?;
    let kept = &sidecar.variants[1];
    assert_eq!((kept.id, kept.state), (refused, VariantState::Failed));
    assert_eq!(kept.failure.as_ref().map(|failure| failure.error.as_str()), Some("the provider refused"));
    assert!(kept.requested_at <= kept.started_at.unwrap_or(sidecar.created_at) && kept.finished_at >= kept.started_at);
    assert_eq!(bucket.blobs.head(&keys::sidecar(OWNER, hidden)).await?, None);
    Ok(())
}

#[tokio::test]
async fn what_was_restored_is_listed_by_the_times_it_had() -> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    let artwork = ArtworkId::new();
    let (added_at, ready_at) =
        (time::macros::datetime!(2019-05-04 03:02:01.5 UTC), time::macros::datetime!(2019-06-04 03:02:01.5 UTC));
    let Event::Artwork(ArtworkEvent::Created(new)) = created(artwork, titled("Old")) else {
        anyhow::bail!("it is another event")
    };
    let new = Created { added_at: Some(added_at), ready_at: Some(ready_at), ..new };
    let states = [VariantState::Completed, VariantState::Failed, VariantState::Processing];
    let variants = states.map(|state| restored(artwork, VariantId::new(), state));
    let events = [Event::Artwork(ArtworkEvent::Created(new))].into_iter().chain(variants).collect();
    let last = story.tell(Stream::artwork(artwork), events).await?;
    story.read_model().await?;
    run_all(&story, &bucket).await?;
    gallery::write(&story.log, &bucket.blobs, MEDIA, false).await?;
    let (bytes, metadata) = list(&bucket).await?;
    let finished_at = time::macros::datetime!(2020-05-04 03:04:01.5 UTC);
    assert_eq!((metadata.artworks[0].created_at, metadata.last_updated), (added_at, Some(finished_at)));
    let sidecar = sidecar(&bucket, artwork).await?;
    assert_eq!((sidecar.position.0, sidecar.ready_position.0, sidecar.ready_at), (last.0 - 3, last.0 - 2, ready_at));
    let variants: Vec<_> = sidecar.variants.iter().map(|variant| (variant.state, variant.shown_position)).collect();
    let shown = [Some(sidecar.ready_position), None, None];
    assert_eq!(variants, states.into_iter().zip(shown).collect::<Vec<_>>());
    rebuild(&bucket.blobs, MEDIA).await?;
    assert_eq!(list(&bucket).await?.0, bytes);
    Ok(())
}
