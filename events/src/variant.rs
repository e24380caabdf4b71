//! A variant: one version of an artwork, uploaded or made from a recipe, with its renditions.

mod look;
mod rendition;
mod restored;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::blobs::Blob;
use crate::id::{ArtworkId, GenerationId, VariantId};
pub use look::{Look, RenditionKind, Swatch};
pub use rendition::{Rendered, Rendition};
pub use restored::Restored;

/// What can happen to a variant. Lies on the stream of its artwork.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum VariantEvent {
    /// A variant is to be generated: the placeholder appears at once.
    #[serde(rename = "variant.requested")]
    Requested(Requested),
    /// Its original lies in the bucket, put there by the owner.
    #[serde(rename = "variant.uploaded")]
    Uploaded(Uploaded),
    /// A provider has begun to make it.
    #[serde(rename = "variant.started")]
    Started(Started),
    /// Its original lies in the bucket, made by a provider.
    #[serde(rename = "variant.generated")]
    Generated(Generated),
    /// All its renditions lie in the bucket: it is complete. Of one that was complete before, these take their place.
    #[serde(rename = "variant.rendered")]
    Rendered(Rendered),
    /// An operator wants its renditions cut by the recipe of today. Those there are stay until the others are there.
    #[serde(rename = "variant.recut_requested")]
    RecutRequested(RecutRequested),
    /// It cannot be completed.
    #[serde(rename = "variant.failed")]
    Failed(Failed),
    /// It was in a gallery before, and is as it was there: nothing is made again for it.
    #[serde(rename = "variant.restored")]
    Restored(Box<Restored>),
}

impl VariantEvent {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Requested(_) => "variant.requested",
            Self::Uploaded(_) => "variant.uploaded",
            Self::Started(_) => "variant.started",
            Self::Generated(_) => "variant.generated",
            Self::Rendered(_) => "variant.rendered",
            Self::RecutRequested(_) => "variant.recut_requested",
            Self::Failed(_) => "variant.failed",
            Self::Restored(_) => "variant.restored",
        }
    }

    /// The variant it happened to.
    #[must_use]
    pub fn variant_id(&self) -> VariantId {
        match self {
            Self::Requested(event) => event.variant_id,
            Self::Uploaded(event) => event.variant_id,
            Self::Started(event) => event.variant_id,
            Self::Generated(event) => event.variant_id,
            Self::Rendered(event) => event.variant_id,
            Self::RecutRequested(event) => event.variant_id,
            Self::Failed(event) => event.variant_id,
            Self::Restored(event) => event.variant_id,
        }
    }
}

/// Whose jobs go first. Follows a variant from step to step; an event that says nothing is interactive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Somebody waits for it.
    #[default]
    Interactive,
    /// Nobody does: whatever is interactive goes first.
    Bulk,
}

impl Priority {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Interactive, Self::Bulk];

    /// The serialised name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Bulk => "bulk",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The content of `variant.requested`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Requested {
    /// The work it is a version of.
    pub artwork_id: ArtworkId,
    /// The new variant.
    pub variant_id: VariantId,
    /// The request it is part of.
    pub generation_id: GenerationId,
    /// What to make.
    pub recipe: Recipe,
    /// What it comes from.
    #[serde(default)]
    pub lineage: Vec<Lineage>,
    /// Whether somebody waits for it.
    #[serde(default, skip_serializing_if = "Priority::is_default")]
    pub priority: Priority,
    /// It is not to be begun before this.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub not_before: Option<OffsetDateTime>,
}

/// What makes a variant; running it again asks for the same thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Which provider: `sketch`, ….
    pub provider: String,
    /// What to show, in words.
    pub prompt: String,
    /// The provider's randomness.
    pub seed: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// What else the provider understands; an object.
    #[serde(default)]
    pub params: Value,
}

/// Where a variant comes from. Never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The variant it comes from.
    pub parent: VariantId,
    /// How.
    pub relation: Relation,
}

/// How a variant comes from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Made with the other as a reference, into a work of its own.
    Derived,
    /// A further version of the same work.
    Refined,
    /// The start of a new work from an old one.
    Forked,
}

impl Relation {
    /// The serialised name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Derived => "derived",
            Self::Refined => "refined",
            Self::Forked => "forked",
        }
    }
}

/// The content of `variant.uploaded`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Uploaded {
    /// The work it is a version of.
    pub artwork_id: ArtworkId,
    /// The new variant.
    pub variant_id: VariantId,
    /// Where the owner put it. Its content is checked when it is cut.
    pub upload_key: String,
    /// The name it had at the owner's; empty where it had none, since it was made and is taken back in.
    pub filename: String,
    /// Bytes.
    pub length: u64,
    /// What made it, elsewhere: of one that was exported and is taken back in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
    /// What it comes from, as its recipe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lineage: Vec<Lineage>,
    /// When it was asked for or uploaded, elsewhere, as its recipe. Of any other, that is when the log took this event.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub requested_at: Option<OffsetDateTime>,
    /// Whether somebody waits for it.
    #[serde(default, skip_serializing_if = "Priority::is_default")]
    pub priority: Priority,
}

/// The content of `variant.started`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// Which variant.
    pub variant_id: VariantId,
    /// Which attempt of the job, from 1.
    pub attempt: i32,
}

/// The content of `variant.generated`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generated {
    /// Which variant.
    pub variant_id: VariantId,
    /// What the provider made.
    pub original: Blob,
    /// How long the provider took, in milliseconds.
    pub elapsed_ms: u64,
    /// Cost in millionths of a US dollar, 0 for a built-in provider.
    #[serde(rename = "cost_usd_micros")]
    pub cost_micros: u64,
    /// As it was requested.
    #[serde(default, skip_serializing_if = "Priority::is_default")]
    pub priority: Priority,
}

/// The content of `variant.recut_requested`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecutRequested {
    /// Which variant.
    pub variant_id: VariantId,
    /// Bulk, where whole galleries are cut again.
    #[serde(default, skip_serializing_if = "Priority::is_default")]
    pub priority: Priority,
}

/// The content of `variant.failed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// Which variant.
    pub variant_id: VariantId,
    /// Which step gave up.
    pub stage: Stage,
    /// Why, in words for the owner.
    pub error: String,
}

/// A step on a variant's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The provider.
    Generate,
    /// Cutting the renditions.
    Renditions,
}

impl Stage {
    /// The serialised name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Renditions => "renditions",
        }
    }
}

/// How far a variant has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VariantState {
    /// Asked for.
    Pending,
    /// Being made or cut.
    Processing,
    /// All renditions are there.
    Completed,
    /// Given up.
    Failed,
}

impl VariantState {
    /// The serialised name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// A variant as its artwork's stream tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its id.
    pub id: VariantId,
    /// When it was asked for or uploaded.
    pub requested_at: OffsetDateTime,
    /// The request it is part of; none when it was uploaded.
    pub generation_id: Option<GenerationId>,
    /// What made it; none when it was uploaded, unless it had been exported before.
    pub recipe: Option<Recipe>,
    /// What it comes from.
    pub lineage: Vec<Lineage>,
    /// The name it had at the owner's, when it was uploaded.
    pub filename: Option<String>,
    /// How far it has come.
    pub state: VariantState,
    /// The original, once its content is known.
    pub original: Option<Blob>,
    /// What came of it, once complete.
    pub rendered: Option<Rendered>,
    /// Why it failed, when it did.
    pub failure: Option<Failed>,
    /// How long the provider took, in milliseconds.
    pub elapsed_ms: Option<u64>,
}

impl Variant {
    /// The next state after an event of this time. Pure and total: an event of a variant that was never asked for changes
    /// nothing, and what is complete stays complete (an outcome that arrives twice, or late, is not news).
    #[must_use]
    pub fn apply(state: Option<Self>, event: &VariantEvent, occurred_at: OffsetDateTime) -> Option<Self> {
        let Some(mut state) = state else {
            return Self::begin(event, occurred_at);
        };
        let complete = state.state == VariantState::Completed;
        match event {
            VariantEvent::Requested(_) | VariantEvent::Uploaded(_) | VariantEvent::Restored(_) => {}
            VariantEvent::Started(_) | VariantEvent::Generated(_) | VariantEvent::Failed(_) if complete => {}
            // What is complete is shown on meanwhile, and what is on its way ends as it would have.
            VariantEvent::RecutRequested(_) if !state.failed_in_renditions() => {}
            VariantEvent::Started(_) | VariantEvent::RecutRequested(_) => {
                state.state = VariantState::Processing;
                state.failure = None;
            }
            VariantEvent::Generated(generated) => {
                state.state = VariantState::Processing;
                state.original = Some(generated.original.clone());
                state.elapsed_ms = Some(generated.elapsed_ms);
                state.failure = None;
            }
            VariantEvent::Rendered(rendered) => {
                state.state = VariantState::Completed;
                state.original = Some(rendered.original.clone());
                state.rendered = Some(rendered.clone());
                state.failure = None;
            }
            VariantEvent::Failed(failed) => {
                state.state = VariantState::Failed;
                state.failure = Some(failed.clone());
            }
        }
        Some(state)
    }

    fn begin(event: &VariantEvent, occurred_at: OffsetDateTime) -> Option<Self> {
        let blank = Self {
            id: event.variant_id(),
            requested_at: occurred_at,
            generation_id: None,
            recipe: None,
            lineage: Vec::new(),
            filename: None,
            state: VariantState::Pending,
            original: None,
            rendered: None,
            failure: None,
            elapsed_ms: None,
        };
        match event {
            VariantEvent::Requested(requested) => Some(Self {
                generation_id: Some(requested.generation_id),
                recipe: Some(requested.recipe.clone()),
                lineage: requested.lineage.clone(),
                ..blank
            }),
            VariantEvent::Uploaded(uploaded) => Some(Self {
                requested_at: uploaded.requested_at.unwrap_or(occurred_at),
                recipe: uploaded.recipe.clone(),
                lineage: uploaded.lineage.clone(),
                filename: Some(uploaded.filename.clone()).filter(|name| !name.is_empty()),
                state: VariantState::Processing,
                ..blank
            }),
            VariantEvent::Restored(restored) => Some(Self {
                requested_at: restored.requested_at,
                generation_id: restored.generation_id,
                recipe: restored.recipe.clone(),
                lineage: restored.lineage.clone(),
                filename: restored.filename.clone(),
                state: restored.state(),
                original: restored.original.clone(),
                rendered: restored.rendered.clone(),
                // Of one that is complete it is no matter what went wrong before.
                failure: restored.failure.clone().filter(|_| restored.rendered.is_none()),
                elapsed_ms: restored.elapsed_ms,
                ..blank
            }),
            VariantEvent::Started(_)
            | VariantEvent::Generated(_)
            | VariantEvent::Rendered(_)
            | VariantEvent::RecutRequested(_)
            | VariantEvent::Failed(_) => None,
        }
    }

    /// Whether it has an original and no renditions: cutting it again may succeed, by other limits.
    #[must_use]
    pub fn failed_in_renditions(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.stage == Stage::Renditions)
    }

    /// One of its renditions.
    #[must_use]
    pub fn rendition(&self, kind: RenditionKind) -> Option<&Rendition> {
        self.rendered.as_ref()?.renditions.iter().find(|rendition| rendition.kind == kind)
    }
}
