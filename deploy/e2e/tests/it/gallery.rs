//! Whether the deployed folder shows every artwork, whole and once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, ensure};
use atelier_events::{Artwork, ArtworkId, RenditionKind, Stream};
use serde_json::Value;

use crate::history;

/// Entries that a feed carries.
const FEED_ENTRIES: usize = 10;

/// Checks that the folder holds a page, a display image and a thumbnail for each artwork that can be shown, an entry in
/// the feed for each of the newest, and no page more. Answers the artworks.
pub(crate) async fn check(site: &Path, log: &atelier_events::Log) -> anyhow::Result<Vec<Artwork>> {
    let artworks = shown(log).await?;
    let pages: BTreeSet<String> = std::fs::read_dir(site.join("artworks"))
        .with_context(|| format!("no pages below {}", site.display()))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<anyhow::Result<_>>()?;
    let expected: BTreeSet<String> = artworks.iter().map(|artwork| artwork.id.to_string()).collect();
    ensure!(pages == expected, "{} pages for {} artworks", pages.len(), expected.len());
    for artwork in &artworks {
        let page = std::fs::read_to_string(site.join(format!("artworks/{}/index.html", artwork.id)))?;
        ensure!(page.contains(&artwork.details.title), "the page of {} does not name it", artwork.id);
        let cover = artwork.cover().context("what is shown has a cover")?;
        for kind in [RenditionKind::Display, RenditionKind::Thumb] {
            let blob = &cover.rendition(kind).with_context(|| format!("{} has no {kind:?}", artwork.id))?.blob;
            let bytes = std::fs::read(site.join("media").join(&blob.key)).with_context(|| blob.key.clone())?;
            ensure!(atelier_events::blobs::sha256(&bytes) == blob.sha256, "{} is not what was rendered", blob.key);
        }
    }
    check_feed(site, &artworks)?;
    Ok(artworks)
}

/// The artworks that have a complete variant, those first that were the last to have one, as the log tells them.
async fn shown(log: &atelier_events::Log) -> anyhow::Result<Vec<Artwork>> {
    let mut streams: BTreeMap<Stream, Vec<_>> = BTreeMap::new();
    for event in history::events(log).await? {
        streams.entry(event.stream.clone()).or_default().push(event);
    }
    let mut shown = Vec::new();
    for events in streams.values() {
        let first = events.iter().find(|event| event.event_type == "variant.rendered").map(|event| event.position);
        let artwork = Artwork::of(events)?.filter(|artwork| artwork.cover().is_some());
        shown.extend(first.zip(artwork));
    }
    shown.sort_by_key(|(first, _)| std::cmp::Reverse(*first));
    Ok(shown.into_iter().map(|(_, artwork)| artwork).collect())
}

fn check_feed(site: &Path, artworks: &[Artwork]) -> anyhow::Result<()> {
    let atom = std::fs::read_to_string(site.join("feed.xml"))?;
    let feed: Value = serde_json::from_str(&std::fs::read_to_string(site.join("feed.json"))?)?;
    let items = feed["items"].as_array().context("a feed has items")?;
    let entries = artworks.len().min(FEED_ENTRIES);
    ensure!(items.len() == entries, "{} items in feed.json for {} artworks", items.len(), artworks.len());
    ensure!(atom.matches("<entry>").count() == entries, "feed.xml has not {entries} entries");
    for ArtworkId(id) in artworks.iter().take(entries).map(|artwork| artwork.id) {
        let page = format!("/artworks/{id}/");
        ensure!(atom.contains(&page), "{id} is not in feed.xml");
        ensure!(
            items.iter().any(|item| item["url"].as_str().is_some_and(|url| url.ends_with(&page))),
            "{id} is not in feed.json"
        );
    }
    Ok(())
}
