//! `gallery-metadata.json` from the sidecars alone: when the database is gone, the bucket is enough.

use atelier_events::blobs::Blobs;
use atelier_events::keys;
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;

use crate::gallery;
use crate::metadata::{GalleryMetadata, Sidecar};

/// Where [`keys::sidecar`] puts them.
const ORIGINALS: &str = "originals/";

/// How their names end.
const SIDECAR: &str = ".json";

/// Sidecars read at the same time.
const READS_LIMIT: usize = 16;

/// The longest sidecar that is read, in bytes: an artwork with thousands of variants.
const SIDECAR_LIMIT: u64 = 16 * 1024 * 1024;

/// What a rebuild found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    /// How many artworks the list has now.
    pub artworks: usize,
    /// The keys that look like sidecars and are none, each with the reason. They are not in the list.
    pub unreadable: Vec<(String, String)>,
}

/// Lists the bucket's originals a page at a time, reads every sidecar and writes the list of all artworks, newest first.
pub async fn rebuild(blobs: &Blobs, media_url: &str) -> anyhow::Result<Rebuilt> {
    let mut sidecars: Vec<Sidecar> = Vec::new();
    let mut unreadable = Vec::new();
    let mut next = None;
    loop {
        let page = blobs.page(ORIGINALS, next).await?;
        let keys = page.entries.into_iter().map(|entry| entry.key);
        let found = keys.filter(|key| key.strip_suffix(SIDECAR).is_some());
        let read = futures::stream::iter(found).map(|key| read(blobs, key)).buffered(READS_LIMIT);
        for (key, sidecar) in read.try_collect::<Vec<_>>().await? {
            match sidecar {
                Ok(sidecar) => sidecars.push(sidecar),
                Err(error) => unreadable.push((key, error.to_string())),
            }
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    sidecars.sort_by_key(|sidecar| std::cmp::Reverse((sidecar.position, sidecar.id)));
    let last_updated = sidecars.iter().map(|sidecar| sidecar.updated_at).max();
    let artworks: Vec<_> = sidecars.iter().filter_map(|sidecar| sidecar.entry(media_url)).collect();
    let count = artworks.len();
    let bytes = gallery::bytes(&GalleryMetadata { artworks, last_updated })?;
    blobs.put_mutable(keys::GALLERY_METADATA, bytes, "application/json").await?;
    Ok(Rebuilt { artworks: count, unreadable })
}

async fn read(blobs: &Blobs, key: String) -> anyhow::Result<(String, serde_json::Result<Sidecar>)> {
    let bytes = blobs.get(&key, SIDECAR_LIMIT).await?;
    Ok((key, serde_json::from_slice(&bytes)))
}
