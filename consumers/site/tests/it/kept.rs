//! How many artworks are kept in memory is nobody's business but the memory's.

use std::collections::BTreeMap;

use atelier_e2e::{Bucket, Database};
use atelier_events::artwork::Created;
use atelier_events::log::Write;
use atelier_events::variant::{Rendered, Uploaded};
use atelier_events::{
    Append, ArtworkEvent, ArtworkId, Blobs, Context, Details, Event, ExpectedVersion, Log, NewEvent, Position,
    Priority, Rendition, RenditionKind, Stream, VariantEvent, VariantId,
};
use atelier_runtime::Projection as _;
use atelier_site::publication::Publication;
use atelier_site::settings::SiteSettings;
use bytes::Bytes;
use serde_json::json;

use crate::sample;

pub(crate) const ARTWORKS: usize = 5;

pub(crate) async fn tell(log: &Log, artwork: ArtworkId, event: Event) -> anyhow::Result<()> {
    let events = vec![NewEvent::new(event, &Context::command("test"))];
    let write = Write { stream: Stream::artwork(artwork), expected: ExpectedVersion::Any, events };
    log.append(Append { key: None, writes: vec![write] }).await?;
    Ok(())
}

pub(crate) fn uploaded(artwork_id: ArtworkId, variant_id: VariantId) -> Event {
    Event::Variant(VariantEvent::Uploaded(Uploaded {
        artwork_id,
        variant_id,
        upload_key: "uploads/1/sea.png".to_owned(),
        filename: "sea.png".to_owned(),
        length: 7,
        recipe: None,
        lineage: Vec::new(),
        requested_at: None,
        priority: Priority::default(),
    }))
}

pub(crate) async fn rendered(blobs: &Blobs, variant_id: VariantId) -> anyhow::Result<Event> {
    let put = async |name: &str, media_type: &str| {
        let key = format!("{name}/test/{variant_id}");
        blobs.put(&key, Bytes::from(format!("{name} of {variant_id}")), media_type).await
    };
    let mut renditions = Vec::new();
    for kind in [RenditionKind::Display, RenditionKind::Thumb, RenditionKind::Icon, RenditionKind::Preview] {
        renditions.push(Rendition { kind, blob: put(kind.as_str(), "image/jpeg").await?, width: 30, height: 20 });
    }
    Ok(Event::Variant(VariantEvent::Rendered(Rendered {
        variant_id,
        original: put("originals", "image/png").await?,
        width: 300,
        height: 200,
        renditions,
        look: atelier_events::Look::Photo,
        palette: vec![atelier_events::Swatch { colour: "#102030".to_owned(), per_mille: 1000 }],
        placeholder: "3OcRJYB4d3h/iIeHeEh3eIhw+j2w".to_owned(),
        recipe_hash: None,
    })))
}

/// An artwork with one version.
pub(crate) async fn work(log: &Log, blobs: &Blobs, title: &str) -> anyhow::Result<ArtworkId> {
    let (artwork_id, variant_id) = (ArtworkId::new(), VariantId::new());
    let details: Details = serde_json::from_value(json!({ "title": title }))?;
    let created = Created::new(artwork_id, "test".to_owned(), details);
    tell(log, artwork_id, Event::Artwork(ArtworkEvent::Created(created))).await?;
    tell(log, artwork_id, uploaded(artwork_id, variant_id)).await?;
    tell(log, artwork_id, rendered(blobs, variant_id).await?).await?;
    Ok(artwork_id)
}

/// So many artworks with the same picture.
pub(crate) async fn alike(log: &Log, works: usize, picture: &Rendered) -> anyhow::Result<()> {
    let artworks = (0..works).map(|number| async move {
        let (artwork_id, variant_id) = (ArtworkId::new(), VariantId::new());
        let details: Details = serde_json::from_value(json!({ "title": format!("Alike {number}") }))?;
        let created = Event::Artwork(ArtworkEvent::Created(Created::new(artwork_id, "test".to_owned(), details)));
        let rendered = Event::Variant(VariantEvent::Rendered(Rendered { variant_id, ..picture.clone() }));
        let events = [created, uploaded(artwork_id, variant_id), rendered];
        let events = events.map(|event| NewEvent::new(event, &Context::command("test"))).into();
        let write = Write { stream: Stream::artwork(artwork_id), expected: ExpectedVersion::NoStream, events };
        log.append(Append { key: None, writes: vec![write] }).await?;
        anyhow::Ok(())
    });
    futures::future::try_join_all(artworks).await.map(drop)
}

/// Artworks whose events lie far apart, so that hardly one is in a memory that holds one.
pub(crate) async fn gallery(log: &Log, blobs: &Blobs) -> anyhow::Result<()> {
    let artworks: Vec<ArtworkId> = (0..ARTWORKS).map(|_| ArtworkId::new()).collect();
    for (number, artwork_id) in artworks.iter().copied().enumerate() {
        let details: Details = serde_json::from_value(json!({ "title": format!("Work {number}"), "tags": ["sea"] }))?;
        let created = Created::new(artwork_id, "test".to_owned(), details);
        tell(log, artwork_id, Event::Artwork(ArtworkEvent::Created(created))).await?;
    }
    // The second time around each has another variant, which becomes its cover.
    for _ in 0..2 {
        let variants: Vec<VariantId> = artworks.iter().map(|_| VariantId::new()).collect();
        for (artwork, variant) in artworks.iter().zip(&variants) {
            tell(log, *artwork, uploaded(*artwork, *variant)).await?;
        }
        for (artwork, variant) in artworks.iter().zip(&variants) {
            tell(log, *artwork, rendered(blobs, *variant).await?).await?;
        }
    }
    Ok(())
}

/// The files of the site that is built with so many artworks kept.
async fn site(log: &Log, blobs: &Blobs, kept_artworks: usize) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let folder = tempfile::tempdir()?;
    let settings =
        SiteSettings { dir: folder.path().join("site"), quiet_ms: 0, kept_artworks, ..SiteSettings::default() };
    let mut publication = Publication::new(log.clone(), blobs.clone(), settings)?;
    loop {
        let after: Position = publication.checkpoint().await?;
        let events = log.read(after, 3).await?;
        if events.is_empty() {
            break;
        }
        publication.apply(&events).await?;
    }
    publication.caught_up().await?;
    Ok(sample::files(&folder.path().join("site")))
}

#[tokio::test]
async fn however_few_artworks_are_kept_in_memory_the_site_is_the_same() -> anyhow::Result<()> {
    let (database, bucket) = (Database::create().await?, Bucket::create().await?);
    let log = database.log();
    gallery(&log, &bucket.blobs).await?;
    let expected = site(&log, &bucket.blobs, 1_000).await?;
    let pages = expected.keys().filter(|path| path.starts_with("artworks/") && path.ends_with("index.html")).count();
    assert_eq!(pages, ARTWORKS, "{:?}", expected.keys());
    for kept in [0, 1, 2] {
        assert!(site(&log, &bucket.blobs, kept).await? == expected, "the site differs with {kept} kept");
    }
    Ok(())
}
