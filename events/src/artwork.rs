//! An artwork: a work with its details and its variants.

use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};

use crate::event::{Event, Recorded, Unreadable};
use crate::id::{ArtworkId, Position, VariantId};
use crate::variant::{Variant, VariantState};

/// What can happen to an artwork itself; its variants have [`crate::VariantEvent`].
#[expect(clippy::large_enum_variant, reason = "events are held few at a time, and those about variants are no smaller")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum ArtworkEvent {
    /// The work exists; a variant follows in the same append.
    #[serde(rename = "artwork.created")]
    Created(Created),
    /// Its page is live. Told once for each time that the work becomes public.
    #[serde(rename = "artwork.published")]
    Published(Published),
}

impl ArtworkEvent {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Created(_) => "artwork.created",
            Self::Published(_) => "artwork.published",
        }
    }
}

/// The content of `artwork.created`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// The new artwork.
    pub artwork_id: ArtworkId,
    /// Whose it is: the folder of its blobs (`display/<owner>/…`).
    pub owner: String,
    /// What the owner says about it.
    pub details: Details,
    /// When it was added, of one that was in a gallery before and is taken back in. Of any other, that is when the log took
    /// this event.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub added_at: Option<OffsetDateTime>,
    /// When it could be shown for the first time, of one that was restored with its renditions.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub ready_at: Option<OffsetDateTime>,
}

impl Created {
    /// A new work.
    #[must_use]
    pub fn new(artwork_id: ArtworkId, owner: String, details: Details) -> Self {
        Self { artwork_id, owner, details, added_at: None, ready_at: None }
    }
}

/// The content of `artwork.published`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The release that shows it: the position that its `site.deployed` names.
    pub position: Position,
    /// Its page.
    pub url: String,
}

/// What the owner says about an artwork.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// At most 200 characters, no control characters.
    pub title: String,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// Who made it; drawn as the watermark. Empty: no watermark.
    #[serde(default)]
    pub artist: String,
    /// What it is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub materials: Option<String>,
    /// Its size as the owner writes it ("30 x 40 cm").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<String>,
    /// The day the work was made (`2026-11-21`), where that is not the day it was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_on: Option<Date>,
    /// One word; `other` where nothing is said.
    #[serde(default = "default_category")]
    pub category: String,
    /// Lower case, unique, in the order given.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Shown first where a page has a place for it.
    #[serde(default)]
    pub featured: bool,
    /// The post or page that inspired it (http or https).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_url: Option<String>,
    /// A video of it (http or https).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_url: Option<String>,
}

/// The category of an artwork about which nothing is said.
#[must_use]
pub fn default_category() -> String {
    "other".to_owned()
}

/// How far an artwork has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// No variant has been started.
    Pending,
    /// A variant is being made or cut.
    Processing,
    /// A variant is complete: the artwork can be shown.
    Active,
    /// No variant is complete and none is on its way.
    Failed,
}

impl Status {
    /// The serialised name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Active => "active",
            Self::Failed => "failed",
        }
    }
}

/// An artwork as its stream tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Artwork {
    /// Its id.
    pub id: ArtworkId,
    /// Whose it is.
    pub owner: String,
    /// What the owner says about it.
    pub details: Details,
    /// When it was added.
    pub created_at: OffsetDateTime,
    /// When it could be shown for the first time.
    pub ready_at: Option<OffsetDateTime>,
    /// Its place among all artworks: the position of `artwork.created`.
    pub created_position: Position,
    /// Its page, as it was told last.
    pub published: Option<Published>,
    /// In the order they were asked for, whenever the log learned of them; of one request, in the order of their ids.
    pub variants: Vec<Variant>,
}

impl Artwork {
    /// The next state. Pure and total: an event that does not belong here changes nothing.
    pub fn fold(state: Option<Self>, recorded: &Recorded) -> Result<Option<Self>, Unreadable> {
        let event = recorded.event()?;
        Ok(Self::apply(state, &event, recorded))
    }

    /// The same for an event that has been read already; `recorded` is where it lies in the log.
    #[must_use]
    pub fn apply(state: Option<Self>, event: &Event, recorded: &Recorded) -> Option<Self> {
        match event {
            Event::Artwork(ArtworkEvent::Created(created)) => state.or_else(|| {
                Some(Self {
                    id: created.artwork_id,
                    owner: created.owner.clone(),
                    details: created.details.clone(),
                    created_at: created.added_at.unwrap_or(recorded.occurred_at),
                    ready_at: created.ready_at,
                    created_position: recorded.position,
                    published: None,
                    variants: Vec::new(),
                })
            }),
            Event::Artwork(ArtworkEvent::Published(published)) => {
                let mut state = state?;
                if state.cover().is_some() {
                    state.published = Some(published.clone());
                }
                Some(state)
            }
            Event::Variant(event) => {
                let mut state = state?;
                let id = event.variant_id();
                let at = state.variants.iter().position(|variant| variant.id == id);
                let variant = at.map(|at| state.variants.remove(at));
                if let Some(variant) = Variant::apply(variant, event, recorded.occurred_at) {
                    let place = |variant: &Variant| (variant.requested_at, variant.id);
                    let next = state.variants.partition_point(|other| place(other) < place(&variant));
                    state.variants.insert(at.unwrap_or(next), variant);
                }
                if state.ready_at.is_none() && state.cover().is_some() {
                    state.ready_at = Some(recorded.occurred_at);
                }
                Some(state)
            }
            Event::Export(_) | Event::Site(_) => state,
        }
    }

    /// The state after all events of its stream, or none when there is no such artwork. What a newer version wrote is
    /// passed over: beside one, this version goes on with what it knows.
    pub fn of(events: &[Recorded]) -> Result<Option<Self>, Unreadable> {
        let mut state = None;
        for recorded in events {
            match recorded.event() {
                Ok(event) => state = Self::apply(state, &event, recorded),
                Err(Unreadable::UnknownType(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(state)
    }

    /// The variant that stands for the work: the newest complete one, by when it was asked for. One that is taken back in
    /// after a newer one does not take its place.
    #[must_use]
    pub fn cover(&self) -> Option<&Variant> {
        self.complete().max_by_key(|variant| variant.requested_at)
    }

    /// Its complete variants.
    pub fn complete(&self) -> impl Iterator<Item = &Variant> {
        self.variants.iter().filter(|variant| matches!(variant.state, VariantState::Completed))
    }

    /// One of its variants.
    #[must_use]
    pub fn variant(&self, id: VariantId) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.id == id)
    }

    /// How far it has come.
    #[must_use]
    pub fn status(&self) -> Status {
        let has = |state: VariantState| self.variants.iter().any(|variant| variant.state == state);
        if has(VariantState::Completed) {
            Status::Active
        } else if has(VariantState::Processing) {
            Status::Processing
        } else if has(VariantState::Pending) || self.variants.is_empty() {
            Status::Pending
        } else {
            Status::Failed
        }
    }
}
