//! Streams, whole and one after the other, into lines of rows.

use std::collections::BTreeMap;

use atelier_events::site::{Deployed, SiteEvent};
use atelier_events::{Event, Position, Recorded, Stream};

use crate::copy::{Lines, NotCopyable};
use crate::folded::FoldedArtwork;
use crate::rows::{ArtworkRow, ExportRow, FoldedExport, LineageRow, RenditionRow, VariantRow};
use crate::vocabulary::Unknown;

/// The rows of streams that are complete, and what must be written together with them.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) artworks: Lines,
    pub(super) variants: Lines,
    pub(super) lineage: Lines,
    pub(super) renditions: Lines,
    pub(super) exports: Lines,
    /// The release that is live, where the site's stream is among them.
    pub(super) site: Option<(Recorded, Deployed)>,
    /// The first event of each type that this version does not know.
    pub(super) unknown: BTreeMap<Unknown, Position>,
    /// The last stream of them.
    pub(super) last_stream: Option<Stream>,
    /// Their events.
    pub(super) events: i64,
}

/// The stream that is being folded: no event of another is looked at before its last.
#[derive(Default)]
pub(super) struct Folding {
    stream: Option<Stream>,
    artwork: Option<FoldedArtwork>,
    export: Option<FoldedExport>,
    unknown: BTreeMap<Unknown, Position>,
    events: i64,
}

impl Folding {
    /// Folds an event; the rows of the stream before it are written when it begins another. No event: its type is not
    /// known.
    pub(super) fn fold(
        &mut self,
        recorded: &Recorded,
        event: Option<&Event>,
        rows: &mut Rows,
    ) -> Result<(), NotCopyable> {
        if self.stream.as_ref() != Some(&recorded.stream) {
            self.finish(rows)?;
            self.stream = Some(recorded.stream.clone());
        }
        self.events += 1;
        match event {
            Some(event @ (Event::Artwork(_) | Event::Variant(_))) => {
                self.artwork = FoldedArtwork::fold(self.artwork.take(), event, recorded);
            }
            Some(event @ Event::Export(_)) => {
                self.export = FoldedExport::fold(self.export.take(), event, recorded);
            }
            Some(Event::Site(SiteEvent::Deployed(deployed))) => rows.deploy(recorded, deployed),
            None => {
                let first = self.unknown.entry(Unknown::of(recorded)).or_insert(recorded.position);
                *first = recorded.position.min(*first);
            }
        }
        Ok(())
    }

    /// Writes the rows of the stream, which is at its end.
    pub(super) fn finish(&mut self, rows: &mut Rows) -> Result<(), NotCopyable> {
        let Self { stream, artwork, export, unknown, events } = std::mem::take(self);
        if let Some(folded) = artwork {
            rows.add_artwork(&folded)?;
        }
        if let Some(folded) = export {
            rows.exports.line(&ExportRow::of(&folded))?;
        }
        for (unknown, position) in unknown {
            let first = rows.unknown.entry(unknown).or_insert(position);
            *first = position.min(*first);
        }
        rows.events += events;
        rows.last_stream = stream.or(rows.last_stream.take());
        Ok(())
    }
}

impl Rows {
    fn add_artwork(&mut self, folded: &FoldedArtwork) -> Result<(), NotCopyable> {
        self.artworks.line(&ArtworkRow::of(folded))?;
        for variant in folded.variants() {
            self.variants.line(&VariantRow::of(&variant))?;
            for row in LineageRow::of(variant.variant) {
                self.lineage.line(&row)?;
            }
            for row in RenditionRow::of(variant.variant) {
                self.renditions.line(&row)?;
            }
        }
        Ok(())
    }

    /// A release never goes back.
    fn deploy(&mut self, recorded: &Recorded, deployed: &Deployed) {
        if self.site.as_ref().is_none_or(|(_, live)| live.position <= deployed.position) {
            self.site = Some((recorded.clone(), deployed.clone()));
        }
    }

    /// Empties them, to be filled again.
    pub(super) fn clear(&mut self) {
        for lines in
            [&mut self.artworks, &mut self.variants, &mut self.lineage, &mut self.renditions, &mut self.exports]
        {
            lines.clear();
        }
        self.site = None;
        self.unknown.clear();
        self.last_stream = None;
        self.events = 0;
    }
}
