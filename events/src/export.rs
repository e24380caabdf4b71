//! An export: a selection of artworks as one ZIP.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::blobs::Blob;
use crate::event::{Event, Recorded, Unreadable};
use crate::id::{ArtworkId, ExportId, Position, VariantId};
use crate::variant::RenditionKind;

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
    /// Its time is over: the ZIP has been deleted.
    #[serde(rename = "export.expired")]
    Expired(Expired),
}

impl ExportEvent {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Requested(_) => "export.requested",
            Self::Completed(_) => "export.completed",
            Self::Failed(_) => "export.failed",
            Self::Expired(_) => "export.expired",
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
    /// Which file of each.
    #[serde(default, skip_serializing_if = "Files::is_default")]
    pub files: Files,
    /// Which variants of each.
    pub variants: Variants,
}

/// What goes into an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// Every artwork that was active when it was asked for: as of this position of the log.
    All(Position),
    /// These.
    Artworks(Vec<ArtworkId>),
    /// Those that a query found: too many for an event, so they lie in the bucket, an id a line.
    Listed(Blob),
}

/// Which file of each artwork goes into an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Files {
    /// What its owner uploaded or a provider made.
    #[default]
    Originals,
    /// What was cut from it, of one kind.
    Rendition(RenditionKind),
}

impl Files {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Which variants of each artwork go into an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variants {
    /// The one that stands for it.
    Cover,
    /// Every complete one.
    All,
}

impl Variants {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Cover, Self::All];

    /// The serialised name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cover => "cover",
            Self::All => "all",
        }
    }
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
    /// What was asked for and is not in it, each with the reason.
    #[serde(default)]
    pub missing: Vec<Missing>,
    /// Digest of what was to go in, and of how it is packed: whoever asks for the same gets the same ZIP. None where some of
    /// it could not be packed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<String>,
    /// When the ZIP is to be deleted; none: never.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub kept_until: Option<OffsetDateTime>,
}

/// An artwork that was asked for and is not in the ZIP, or a variant of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Which artwork.
    pub artwork_id: ArtworkId,
    /// Which variant; none where the artwork as a whole has no picture or is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant_id: Option<VariantId>,
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

/// The content of `export.expired`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {
    /// Which export.
    pub export_id: ExportId,
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
    /// It was written, and its ZIP has been deleted since.
    Expired(Completed),
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
                Some(Self::Completed(_) | Self::Expired(_)) => state,
                Some(Self::Pending(_) | Self::Failed(_)) | None => Some(Self::Failed(failed.clone())),
            },
            Event::Export(ExportEvent::Expired(_)) => match state {
                Some(Self::Completed(completed)) => Some(Self::Expired(completed)),
                Some(Self::Pending(_) | Self::Failed(_) | Self::Expired(_)) | None => state,
            },
            Event::Artwork(_) | Event::Variant(_) | Event::Site(_) => state,
        }
    }
}
