//! An export: a selection of artworks as one ZIP.

use serde::{Deserialize, Serialize};

use crate::blobs::Blob;
use crate::event::{Event, Recorded, Unreadable};
use crate::id::{ArtworkId, ExportId, Position};

/// What can happen to an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum ExportEvent {
    /// It is to be written.
    #[serde(rename = "export.requested")]
    Requested(Requested),
    /// The ZIP lies in the bucket.
    #[serde(rename = "export.completed")]
    Completed(Completed),
    /// It cannot be written.
    #[serde(rename = "export.failed")]
    Failed(Failed),
}

impl ExportEvent {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Requested(_) => "export.requested",
            Self::Completed(_) => "export.completed",
            Self::Failed(_) => "export.failed",
        }
    }
}

/// The content of `export.requested`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requested {
    /// The new export.
    pub export_id: ExportId,
    /// What goes in.
    pub selection: Selection,
}

/// What goes into an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// Every artwork that was active when it was asked for: as of this position of the log.
    All(Position),
    /// These.
    Artworks(Vec<ArtworkId>),
}

/// The content of `export.completed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completed {
    /// Which export.
    pub export_id: ExportId,
    /// The ZIP.
    pub archive: Blob,
    /// How many pictures are in it.
    pub pictures: u64,
    /// The artworks that were asked for and are not in it, each with the reason.
    #[serde(default)]
    pub missing: Vec<Missing>,
}

/// An artwork that was asked for and is not in the ZIP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Which artwork.
    pub artwork_id: ArtworkId,
    /// Why, in words.
    pub reason: String,
}

/// The content of `export.failed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Which export.
    pub export_id: ExportId,
    /// Why, in words.
    pub error: String,
}

/// An export as its stream tells it.
#[derive(Clone, Debug, PartialEq)]
pub enum Export {
    /// Asked for.
    Pending(Requested),
    /// Written.
    Completed(Completed),
    /// Given up.
    Failed(Failed),
}

impl Export {
    /// The next state. Pure and total; what is complete stays complete.
    pub fn fold(state: Option<Self>, recorded: &Recorded) -> Result<Option<Self>, Unreadable> {
        Ok(Self::apply(state, &recorded.event()?))
    }

    /// The same for an event that has been read already.
    #[must_use]
    pub fn apply(state: Option<Self>, event: &Event) -> Option<Self> {
        match event {
            Event::Export(ExportEvent::Requested(requested)) => {
                state.or_else(|| Some(Self::Pending(requested.clone())))
            }
            Event::Export(ExportEvent::Completed(completed)) => Some(Self::Completed(completed.clone())),
            Event::Export(ExportEvent::Failed(failed)) => match state {
                Some(Self::Completed(completed)) => Some(Self::Completed(completed)),
                Some(Self::Pending(_) | Self::Failed(_)) | None => Some(Self::Failed(failed.clone())),
            },
            Event::Artwork(_) | Event::Variant(_) | Event::Site(_) => state,
        }
    }
}
