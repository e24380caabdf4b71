//! A variant as another log knew it, taken over whole.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Failed, Lineage, Recipe, Rendered, VariantState};
use crate::blobs::Blob;
use crate::id::{ArtworkId, GenerationId, VariantId};

/// The content of `variant.restored`. What it names lies in the bucket already. Its times are those of the gallery that it
/// comes from; when the log learned of it is the event's own time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restored {
    /// The work it is a version of.
    pub artwork_id: ArtworkId,
    /// The variant, under the id it had.
    pub variant_id: VariantId,
    /// The request it was part of; none when it was uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation_id: Option<GenerationId>,
    /// What made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
    /// What it comes from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lineage: Vec<Lineage>,
    /// The name it had at the owner's, when it was uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// When it was asked for or uploaded.
    #[serde(with = "time::serde::rfc3339")]
    pub requested_at: OffsetDateTime,
    /// When the last attempt of a provider began.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    /// When it was complete or given up.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    /// The original, where one was made; also of one that is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Blob>,
    /// What came of it, when it was complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<Rendered>,
    /// Why it is not, when it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failed>,
    /// How long the provider took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
    /// What that cost, in millionths of a US dollar.
    #[serde(rename = "cost_usd_micros", default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
}

impl Restored {
    /// How far it had come.
    pub(super) fn state(&self) -> VariantState {
        if self.rendered.is_some() {
            VariantState::Completed
        } else if self.failure.is_some() {
            VariantState::Failed
        } else if self.original.is_some() {
            VariantState::Processing
        } else {
            VariantState::Pending
        }
    }
}
