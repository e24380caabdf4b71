//! `gallery-metadata.json` from the sidecars alone: when the database is gone, the bucket is enough.

use std::pin::pin;

use atelier_events::blobs::Blobs;
use futures::TryStreamExt as _;
use serde::Serialize;

use crate::found;
use crate::gallery::List;
use crate::metadata::Sidecar;

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
    let mut all = pin!(found::all(blobs));
    while let Some((key, sidecar)) = all.try_next().await? {
        match sidecar {
            Ok(sidecar) => sidecars.push(sidecar),
            Err(unfit) => unreadable.push((key, format!("{:#}", anyhow::Error::from(unfit)))),
        }
    }
    sidecars.sort_by_key(|sidecar| std::cmp::Reverse((sidecar.position, sidecar.id)));
    let mut list = List::begin(blobs)?;
    let mut artworks = 0;
    for sidecar in &sidecars {
        if let Some(entry) = sidecar.entry(media_url) {
            list.add(sidecar.updated_at, &entry).await?;
            artworks += 1;
        }
    }
    list.finish().await?;
    Ok(Rebuilt { artworks, unreadable })
}
