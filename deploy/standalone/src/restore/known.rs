//! What the log knows already, so that a restoration adds nothing twice and overwrites nothing.

use std::collections::{HashMap, HashSet};

use anyhow::Context as _;
use atelier_events::log::{Filter, READ_LIMIT};
use atelier_events::{Artwork, ArtworkId, Event, Log, Position, Stream, Unreadable, VariantId, Version};
use atelier_index::metadata::{Sidecar, SidecarVariant};

/// Which artworks and variants there are. An id takes some 50 bytes.
pub(super) struct Known {
    pub(super) artworks: HashSet<ArtworkId>,
    /// Of which artwork each variant is.
    pub(super) variants: HashMap<VariantId, ArtworkId>,
}

/// How an artwork in the log stands to its sidecar.
pub(super) enum Standing {
    /// It is not in the log.
    Absent,
    /// It is, but not all of its variants are: a restoration was broken off.
    Begun(Begun),
    /// It is what the sidecar says, whatever has happened to it since.
    There,
    /// It is another, in words.
    Other(String),
}

/// An artwork that is in the log in part.
#[derive(Default)]
pub(super) struct Begun {
    /// The last event of its stream.
    pub(super) version: Version,
    /// The variants that are there.
    pub(super) there: HashSet<VariantId>,
}

impl Known {
    pub(super) async fn read(log: &Log) -> anyhow::Result<Self> {
        let begins = ["artwork.created", "variant.requested", "variant.uploaded", "variant.restored"];
        let filter = Filter { stream: None, types: begins.map(str::to_owned).to_vec() };
        let (mut artworks, mut variants) = (HashSet::new(), HashMap::new());
        let mut after = Position(0);
        loop {
            let events = log.find(&filter, after, READ_LIMIT).await?;
            let Some(last) = events.last() else { return Ok(Self { artworks, variants }) };
            after = last.position;
            for recorded in events {
                let Some(artwork) = recorded.stream.artwork_id() else { continue };
                match recorded.event() {
                    Ok(Event::Variant(event)) => drop(variants.insert(event.variant_id(), artwork)),
                    Ok(_) | Err(Unreadable::UnknownType(_)) => drop(artworks.insert(artwork)),
                    Err(error) => {
                        return Err(error).with_context(|| format!("event at position {}", recorded.position));
                    }
                }
            }
        }
    }
}

/// Compares with what the log says now.
pub(super) async fn standing(log: &Log, sidecar: &Sidecar) -> anyhow::Result<Standing> {
    let events = log.read_stream(&Stream::artwork(sidecar.id)).await.context("reading the log")?;
    let Some(artwork) = Artwork::of(&events)? else { return Ok(Standing::Absent) };
    let differs = |what: &str| Ok(Standing::Other(format!("artwork {} has {what} in the log", sidecar.id)));
    if artwork.owner != sidecar.owner {
        return differs("another owner");
    }
    if artwork.details != sidecar.details() {
        return differs("other details");
    }
    if artwork.created_at != sidecar.created_at {
        return differs("another time");
    }
    let mut there = HashSet::new();
    for kept in &sidecar.variants {
        let Some(variant) = artwork.variant(kept.id) else { continue };
        if !is_same(kept, variant) {
            return differs(&format!("another variant {}", kept.id));
        }
        there.insert(kept.id);
    }
    let Some(last) = events.last().filter(|_| there.len() < sidecar.variants.len()) else { return Ok(Standing::There) };
    Ok(Standing::Begun(Begun { version: last.version, there }))
}

/// Whether it is the same version of the work. How far it has come, and what was cut from it, may have changed.
fn is_same(kept: &SidecarVariant, variant: &atelier_events::Variant) -> bool {
    let digest = |blob: &atelier_events::Blob| blob.sha256.clone();
    let (old, new) = (kept.original.as_ref().map(digest), variant.original.as_ref().map(digest));
    (kept.generation_id, &kept.recipe, &kept.lineage, &kept.filename)
        == (variant.generation_id, &variant.recipe, &variant.lineage, &variant.filename)
        && (old.is_none() || new.is_none() || old == new)
}
