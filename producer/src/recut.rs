//! Cutting renditions again: which variants, and the events that ask for it.
//!
//! Chosen are variants of the read model, so what the index has not applied yet is not among them: it is being cut by the
//! recipe of today anyway. Asking twice does no harm, since a set that is there is not cut again.

use std::collections::BTreeMap;

use atelier_events::log::Write;
use atelier_events::variant::RecutRequested;
use atelier_events::{
    ArtworkId, Context, Event, ExpectedVersion, NewEvent, Position, Priority, Stream, VariantEvent, VariantId,
};
use serde_json::json;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

/// The states in which a variant can be cut again: with renditions, or refused when they were cut.
pub const STATES: [&str; 2] = ["completed", "failed"];

/// Which variants; a filter that is not set is off.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Of these artworks.
    pub artworks: Option<Vec<ArtworkId>>,
    /// Of this owner's artworks.
    pub owner: Option<String>,
    /// In this one of [`STATES`]; completed when nothing is said.
    pub state: Option<String>,
    /// Cut by another recipe than these.
    pub other_than: Option<Recipes>,
    /// Of artworks added at this time or later.
    pub since: Option<OffsetDateTime>,
    /// Of artworks added before this time.
    pub until: Option<OffsetDateTime>,
}

/// Hashes of recipes.
#[derive(Clone, Debug, Default)]
pub struct Recipes {
    /// Of all owners that are not named.
    pub everywhere: String,
    /// Of owners by name.
    pub owners: BTreeMap<String, String>,
}

/// A variant that is to be cut again.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Chosen {
    /// Which.
    pub variant_id: Uuid,
    /// Whose.
    pub artwork_id: Uuid,
    /// Its place among all: the next page begins after it.
    pub requested_position: Position,
    /// How many there are from the begin of this page on.
    pub matching: i64,
}

/// A page of them, in the order in which they were asked for.
pub async fn choose(pool: &PgPool, selection: &Selection, after: Position, limit: i64) -> sqlx::Result<Vec<Chosen>> {
    let artworks = selection.artworks.as_ref().map(|ids| ids.iter().map(|id| id.0).collect::<Vec<Uuid>>());
    sqlx::query_as(include_str!("../sql/choose_recuts.sql"))
        .bind(after)
        .bind(selection.state.as_deref().unwrap_or(STATES[0]))
        .bind(artworks)
        .bind(&selection.owner)
        .bind(selection.other_than.as_ref().map(|recipes| &recipes.everywhere))
        .bind(selection.other_than.as_ref().map(|recipes| json!(recipes.owners)))
        .bind(selection.since)
        .bind(selection.until)
        .bind(limit)
        .persistent(false)
        .fetch_all(pool)
        .await
}

/// The events that ask for them to be cut again, behind everybody who waits.
#[must_use]
pub fn requests(chosen: &[Chosen], context: &Context) -> Vec<Write> {
    let mut streams: BTreeMap<ArtworkId, Vec<NewEvent>> = BTreeMap::new();
    for one in chosen {
        let asked = RecutRequested { variant_id: VariantId(one.variant_id), priority: Priority::Bulk };
        let event = NewEvent::new(Event::Variant(VariantEvent::RecutRequested(asked)), context);
        streams.entry(ArtworkId(one.artwork_id)).or_default().push(event);
    }
    let write = |(artwork, events)| Write { stream: Stream::artwork(artwork), expected: ExpectedVersion::Any, events };
    streams.into_iter().map(write).collect()
}
