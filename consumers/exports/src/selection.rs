//! What goes into an export, found in the log: which artworks, in which order, and which of those asked for cannot.
//!
//! The result follows from the log up to a position alone, so that it is the same however often, and whenever, the
//! export is packed. Only ids are kept, 16 bytes for each: what an artwork is, is read again when its turn comes.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use atelier_events::export::{Missing, Selection};
use atelier_events::log::READ_LIMIT;
use atelier_events::{Artwork, ArtworkId, Blob, Blobs, Log, Position, Stream};
use sha2::{Digest, Sha256};

/// Artworks that are folded at a time; a stream of an artwork is some ten events.
pub(crate) const FOLD_LIMIT: usize = 100;

/// What goes into an export.
#[derive(Debug, PartialEq)]
pub(crate) struct Selected {
    /// The artworks, in the order they were created; of all, also those that have no picture.
    pub(crate) artworks: Vec<ArtworkId>,
    /// They are packed as they were here.
    pub(crate) up_to: Position,
    /// What was asked for and has no picture.
    pub(crate) missing: Vec<Missing>,
}

/// Finds what a selection means, for an export that was asked for at a position.
pub(crate) async fn select(
    log: &Log,
    blobs: &Blobs,
    selection: &Selection,
    asked_at: Position,
) -> anyhow::Result<Selected> {
    match selection {
        Selection::All(position) => all(log, *position).await,
        Selection::Artworks(ids) => these(log, ids.iter().copied().collect(), asked_at).await,
        Selection::Listed(list) => these(log, listed(blobs, list).await?, asked_at).await,
    }
}

/// Folds artworks as they were at a position, in the order given; none where there is none.
pub(crate) async fn fold(log: &Log, ids: &[ArtworkId], up_to: Position) -> anyhow::Result<Vec<Option<Artwork>>> {
    let streams: Vec<Stream> = ids.iter().copied().map(Stream::artwork).collect();
    let mut found = log.read_streams(&streams, up_to).await?;
    let folded = streams.iter().map(|stream| {
        let events = found.remove(stream).unwrap_or_default();
        Artwork::of(&events).with_context(|| format!("stream {stream}"))
    });
    folded.collect()
}

async fn all(log: &Log, up_to: Position) -> anyhow::Result<Selected> {
    let mut artworks = Vec::new();
    let mut after = Position(0);
    while after < up_to {
        let events = log.read(after, READ_LIMIT).await?;
        let Some(last) = events.last() else { break };
        after = last.position;
        let created = events.iter().filter(|event| event.position <= up_to && event.event_type == "artwork.created");
        artworks.extend(created.filter_map(|event| event.stream.artwork_id()));
    }
    Ok(Selected { artworks, up_to, missing: Vec::new() })
}

/// The ids of a list in the bucket, read piece by piece.
async fn listed(blobs: &Blobs, list: &Blob) -> anyhow::Result<BTreeSet<ArtworkId>> {
    let mut download = blobs.stream(&list.key).await?;
    let (mut ids, mut sha256, mut line) = (BTreeSet::new(), Sha256::new(), Vec::new());
    while let Some(bytes) = download.chunk().await? {
        sha256.update(&bytes);
        for byte in bytes {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            let id = std::str::from_utf8(&line).ok().and_then(|id| id.parse().ok());
            ids.insert(id.with_context(|| format!("the list {:?} holds what is no id", list.key))?);
            line.clear();
        }
    }
    let sha256 = format!("{:x}", bytes::Bytes::copy_from_slice(&sha256.finalize()));
    ensure!(sha256 == list.sha256, "the list {:?} is not what its event says", list.key);
    Ok(ids)
}

async fn these(log: &Log, ids: BTreeSet<ArtworkId>, up_to: Position) -> anyhow::Result<Selected> {
    let ids: Vec<ArtworkId> = ids.into_iter().collect();
    let mut found: Vec<(Position, ArtworkId)> = Vec::new();
    let mut missing = Vec::new();
    for ids in ids.chunks(FOLD_LIMIT) {
        for (artwork_id, artwork) in ids.iter().copied().zip(fold(log, ids, up_to).await?) {
            let reason = match artwork {
                Some(artwork) if artwork.cover().is_some() => {
                    found.push((artwork.created_position, artwork_id));
                    continue;
                }
                Some(artwork) => {
                    format!("artwork {artwork_id} has no picture yet: its status is {}", artwork.status().as_str())
                }
                None => format!("there is no artwork {artwork_id}"),
            };
            missing.push(Missing { artwork_id, variant_id: None, reason });
        }
    }
    found.sort_unstable();
    Ok(Selected { artworks: found.into_iter().map(|(_, id)| id).collect(), up_to, missing })
}
