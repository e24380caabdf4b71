//! What is derived from a variant: its set of renditions, and what is known about the picture since.

use serde::{Deserialize, Serialize};

use super::look::{Look, RenditionKind, Swatch};
use crate::blobs::Blob;
use crate::id::VariantId;

/// The content of `variant.rendered`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rendered {
    /// Which variant.
    pub variant_id: VariantId,
    /// The original, at its immutable key.
    pub original: Blob,
    /// Width of the original in pixels, as seen (EXIF orientation applied).
    pub width: u32,
    /// Height of the original in pixels, as seen.
    pub height: u32,
    /// All of them: a set is committed whole or not at all.
    pub renditions: Vec<Rendition>,
    /// What kind of picture it is, which says how to enlarge it.
    pub look: Look,
    /// Up to six colours, the most present first.
    pub palette: Vec<Swatch>,
    /// What to show until the picture is there: a thumbhash, base64.
    pub placeholder: String,
    /// By which recipe they were cut: two sets of one original by one recipe are the same. None of those that were cut
    /// before recipes had a hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe_hash: Option<String>,
}

/// A file derived from a variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendition {
    /// What it is for.
    pub kind: RenditionKind,
    /// The file.
    pub blob: Blob,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}
