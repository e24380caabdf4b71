//! An artwork folded from its stream, together with when things happened to it. What happened is decided by
//! [`Artwork::apply`] alone; here only positions and times are added.

use std::collections::BTreeMap;

use atelier_events::variant::VariantEvent;
use atelier_events::{Artwork, ArtworkId, Event, Position, Recorded, Unreadable, Variant, VariantId, VariantState};
use time::OffsetDateTime;

/// An artwork and when it became what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldedArtwork {
    /// The artwork.
    pub artwork: Artwork,
    /// The last event of its stream.
    pub updated_position: Position,
    /// The `variant.rendered` or `variant.restored` that made it active.
    pub ready_position: Option<Position>,
    /// The last event that changed what a gallery shows of it, and the latest time of any of them.
    pub shown: Option<(Position, OffsetDateTime)>,
    /// When things happened to each of its variants.
    pub moments: BTreeMap<VariantId, Moments>,
}

/// When things happened to a variant that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Where it was asked for or uploaded.
    pub requested_position: Position,
    /// Where it was complete for the first time, and could be shown.
    pub shown_position: Option<Position>,
    /// When the last attempt of a provider began.
    pub started_at: Option<OffsetDateTime>,
    /// When it was complete or given up.
    pub finished_at: Option<OffsetDateTime>,
    /// What making its original cost, in millionths of a US dollar.
    pub cost_micros: Option<u64>,
}

/// A variant of a folded artwork.
#[derive(Clone, Copy, Debug)]
pub struct FoldedVariant<'a> {
    /// Whose variant.
    pub artwork_id: ArtworkId,
    /// The variant.
    pub variant: &'a Variant,
    /// When things happened to it.
    pub moments: &'a Moments,
}

impl FoldedArtwork {
    /// The state after all events of a stream, or none when there is no such artwork. Events of types that this version
    /// does not know are passed over.
    pub fn of(events: &[Recorded]) -> Result<Option<Self>, Unreadable> {
        let mut state = None;
        for recorded in events {
            match recorded.event() {
                Ok(event) => state = Self::fold(state, &event, recorded),
                Err(Unreadable::UnknownType(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(state)
    }

    /// The next state. Pure and total.
    #[must_use]
    pub fn fold(state: Option<Self>, event: &Event, recorded: &Recorded) -> Option<Self> {
        let Some(state) = state else {
            let artwork = Artwork::apply(None, event, recorded)?;
            let updated_position = recorded.position;
            return Some(Self {
                artwork,
                updated_position,
                ready_position: None,
                shown: None,
                moments: BTreeMap::new(),
            });
        };
        let Self { artwork, mut ready_position, mut shown, mut moments, .. } = state;
        if let Event::Variant(event) = event {
            let known = artwork.variant(event.variant_id());
            note(&mut moments, known, event, recorded);
            if let Some(since) = shown_since(known, event, recorded) {
                if let Some(moments) = moments.get_mut(&event.variant_id()) {
                    moments.shown_position.get_or_insert(recorded.position);
                }
                ready_position.get_or_insert(recorded.position);
                // Events tell when their transaction began, which need not be in the order of their positions; and of restored
                // variants the one that was complete last may come first.
                shown = Some((recorded.position, shown.map_or(since, |(_, before)| before.max(since))));
            }
        }
        let artwork = Artwork::apply(Some(artwork), event, recorded)?;
        Some(Self { artwork, updated_position: recorded.position, ready_position, shown, moments })
    }

    /// Its variants, in order.
    pub fn variants(&self) -> impl Iterator<Item = FoldedVariant<'_>> {
        self.artwork.variants.iter().filter_map(|variant| self.folded(variant))
    }

    /// One of its variants.
    #[must_use]
    pub fn variant(&self, id: VariantId) -> Option<FoldedVariant<'_>> {
        self.folded(self.artwork.variant(id)?)
    }

    fn folded<'a>(&'a self, variant: &'a Variant) -> Option<FoldedVariant<'a>> {
        let moments = self.moments.get(&variant.id)?;
        Some(FoldedVariant { artwork_id: self.artwork.id, variant, moments })
    }
}

/// Since when something else is to be shown of the artwork, where the event says so.
fn shown_since(variant: Option<&Variant>, event: &VariantEvent, recorded: &Recorded) -> Option<OffsetDateTime> {
    match event {
        VariantEvent::Rendered(_) => variant.map(|_| recorded.occurred_at),
        VariantEvent::Restored(restored) if variant.is_none() => {
            restored.rendered.as_ref().map(|_| restored.finished_at.unwrap_or(recorded.occurred_at))
        }
        VariantEvent::Restored(_)
        | VariantEvent::Requested(_)
        | VariantEvent::Uploaded(_)
        | VariantEvent::Started(_)
        | VariantEvent::Generated(_)
        | VariantEvent::RecutRequested(_)
        | VariantEvent::Failed(_) => None,
    }
}

/// Mirrors when [`Variant::apply`] takes an event: it begins with a request, an upload or a restoration, and complete stays
/// complete.
fn note(
    moments: &mut BTreeMap<VariantId, Moments>,
    variant: Option<&Variant>,
    event: &VariantEvent,
    recorded: &Recorded,
) {
    let variant_id = event.variant_id();
    let Some(known) = moments.get_mut(&variant_id) else {
        let begun = Moments {
            requested_position: recorded.position,
            shown_position: None,
            started_at: None,
            finished_at: None,
            cost_micros: None,
        };
        match event {
            VariantEvent::Requested(_) | VariantEvent::Uploaded(_) => drop(moments.insert(variant_id, begun)),
            VariantEvent::Restored(restored) => {
                let moments_before = Moments {
                    started_at: restored.started_at,
                    finished_at: restored.finished_at,
                    cost_micros: restored.cost_micros,
                    ..begun
                };
                moments.insert(variant_id, moments_before);
            }
            VariantEvent::Started(_)
            | VariantEvent::Generated(_)
            | VariantEvent::Rendered(_)
            | VariantEvent::RecutRequested(_)
            | VariantEvent::Failed(_) => {}
        }
        return;
    };
    let done = variant.is_some_and(|variant| variant.state == VariantState::Completed);
    match event {
        VariantEvent::Requested(_) | VariantEvent::Uploaded(_) | VariantEvent::Restored(_) => {}
        VariantEvent::Started(_) | VariantEvent::Generated(_) | VariantEvent::Failed(_) if done => {}
        VariantEvent::Started(_) => {
            known.started_at = Some(recorded.occurred_at);
            known.finished_at = None;
        }
        VariantEvent::Generated(generated) => {
            known.cost_micros = Some(generated.cost_micros);
            known.finished_at = None;
        }
        VariantEvent::RecutRequested(_) => {
            if variant.is_some_and(Variant::failed_in_renditions) {
                known.finished_at = None;
            }
        }
        VariantEvent::Rendered(_) | VariantEvent::Failed(_) => known.finished_at = Some(recorded.occurred_at),
    }
}
