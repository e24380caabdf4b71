//! What goes into an export, found in the log: which artworks, in which order, and which of those asked for cannot.
//!
//! The result follows from the log up to a position alone, so that it is the same however often, and whenever, the
//! export is packed. Only names are kept: what an artwork is, is read again when its turn comes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use atelier_events::export::{Missing, Selection};
use atelier_events::log::READ_LIMIT;
use atelier_events::{Artwork, ArtworkId, Log, Position, Stream};

/// Artworks that are folded at a time; a stream of an artwork is some ten events.
pub(crate) const FOLD_LIMIT: usize = 100;

/// What goes into an export.
#[derive(Debug, PartialEq)]
pub(crate) struct Selected {
    /// The artworks, in the order they were created.
    pub(crate) streams: Vec<Stream>,
    /// They are packed as they were here.
    pub(crate) up_to: Position,
    /// What was asked for and has no picture.
    pub(crate) missing: Vec<Missing>,
}

/// Finds what a selection means, for an export that was asked for at a position.
pub(crate) async fn select(log: &Log, selection: &Selection, asked_at: Position) -> anyhow::Result<Selected> {
    match selection {
        Selection::All(position) => all(log, *position).await,
        Selection::Artworks(ids) => these(log, ids, asked_at).await,
    }
}

/// Folds artworks as they were at a position, in the order given; none for a stream that is no artwork's.
pub(crate) async fn fold(
    log: &Log,
    streams: &[Stream],
    up_to: Position,
) -> anyhow::Result<Vec<(Stream, Option<Artwork>)>> {
    let mut found = log.read_streams(streams, up_to).await?;
    let folded = streams.iter().map(|stream| {
        let events = found.remove(stream).unwrap_or_default();
        let artwork = Artwork::of(&events).with_context(|| format!("stream {stream}"))?;
        Ok((stream.clone(), artwork))
    });
    folded.collect()
}

async fn all(log: &Log, up_to: Position) -> anyhow::Result<Selected> {
    let mut created: BTreeMap<Stream, Position> = BTreeMap::new();
    let mut rendered: BTreeSet<(Position, Stream)> = BTreeSet::new();
    let mut after = Position(0);
    while after < up_to {
        let events = log.read(after, READ_LIMIT).await?;
        let Some(last) = events.last() else { break };
        after = last.position;
        for event in events.into_iter().filter(|event| event.position <= up_to) {
            match event.event_type.as_str() {
                "artwork.created" => drop(created.insert(event.stream, event.position)),
                "variant.rendered" => {
                    if let Some(position) = created.get(&event.stream) {
                        rendered.insert((*position, event.stream));
                    }
                }
                _ => {}
            }
        }
    }
    let streams = rendered.into_iter().map(|(_, stream)| stream).collect();
    Ok(Selected { streams, up_to, missing: Vec::new() })
}

async fn these(log: &Log, ids: &[ArtworkId], up_to: Position) -> anyhow::Result<Selected> {
    let unique: BTreeSet<ArtworkId> = ids.iter().copied().collect();
    let unique: Vec<ArtworkId> = unique.into_iter().collect();
    let mut found: BTreeSet<(Position, Stream)> = BTreeSet::new();
    let mut missing = Vec::new();
    for ids in unique.chunks(FOLD_LIMIT) {
        let streams: Vec<Stream> = ids.iter().copied().map(Stream::artwork).collect();
        for (artwork_id, (stream, artwork)) in ids.iter().zip(fold(log, &streams, up_to).await?) {
            match artwork {
                Some(artwork) if artwork.cover().is_some() => drop(found.insert((artwork.created_position, stream))),
                Some(artwork) => missing.push(Missing {
                    artwork_id: *artwork_id,
                    reason: format!(
                        "artwork {artwork_id} has no picture yet: its status is {}",
                        artwork.status().as_str()
                    ),
                }),
                None => {
                    missing
                        .push(Missing { artwork_id: *artwork_id, reason: format!("there is no artwork {artwork_id}") });
                }
            }
        }
    }
    let streams = found.into_iter().map(|(_, stream)| stream).collect();
    Ok(Selected { streams, up_to, missing })
}
