//! What is sent to the API and what it answers, as far as it is used here. Fields that are not read are left out, so
//! that an API which says more than before is understood all the same.

use std::collections::BTreeMap;

use atelier_events::export::Missing;
use atelier_events::{ArtworkId, ExportId, GenerationId, Lineage, Position, Recipe, VariantId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Where a file is to be put.
#[derive(Clone, Debug, Deserialize)]
pub struct UploadSlot {
    /// The key under which an artwork is created from it.
    pub key: String,
    /// Signed: whoever holds it may put the file there.
    pub url: String,
    /// To be sent with exactly these values.
    pub headers: BTreeMap<String, String>,
}

/// An artwork to be created from an upload.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewArtwork {
    /// The upload's key.
    pub upload_key: String,
    /// At most 200 characters.
    pub title: String,
    /// Who made it: the watermark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artist: Option<String>,
    /// Free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The page that inspired it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_url: Option<String>,
    /// At most 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// `interactive` or `bulk`; none for what the API thinks best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<&'static str>,
    /// What it is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub materials: Option<String>,
    /// Its size in the owner's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<String>,
    /// The day it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_date: Option<String>,
    /// One word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Shown first where a page has a place for it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub featured: bool,
    /// A video of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_url: Option<String>,
    /// What it was elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<Restore>,
}

/// What an artwork was that is taken back in.
#[derive(Clone, Debug, Serialize)]
pub struct Restore {
    /// Its id.
    pub artwork_id: ArtworkId,
    /// Of the variant that the upload is.
    pub variant_id: VariantId,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the variant was asked for or uploaded.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub requested_at: Option<OffsetDateTime>,
    /// What made that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
    /// What that comes from.
    pub lineage: Vec<Lineage>,
    /// The name it had at its owner's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
}

/// A command that was taken.
pub(super) trait Accepted {
    /// The log holds it up to here.
    fn position(&self) -> Position;
}

/// An artwork that will be there.
#[derive(Clone, Debug, Deserialize)]
pub struct AcceptedArtwork {
    /// Its id.
    pub id: ArtworkId,
    /// Its first variant.
    pub variant_id: VariantId,
    /// Up to here the log holds it.
    pub position: Position,
    /// The page that will show it.
    pub page_url: String,
    /// Whether the command had been accepted before, so that nothing was added.
    #[serde(skip)]
    pub replayed: bool,
}

/// Pictures to be generated.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewGeneration {
    /// What to show, in words.
    pub prompt: String,
    /// Which provider; the API's default when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// How many; one when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Width in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// The first one's randomness; drawn by the API when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// At most 200 characters; made from the prompt when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// At most 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// Pictures that will be there.
#[derive(Clone, Debug, Deserialize)]
pub struct AcceptedGeneration {
    /// The request's id.
    pub id: GenerationId,
    /// One for each picture.
    pub artworks: Vec<Generating>,
    /// Up to here the log holds it.
    pub position: Position,
}

/// One picture of a generation.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Generating {
    /// The work.
    pub artwork_id: ArtworkId,
    /// The variant that is made.
    pub variant_id: VariantId,
}

/// Artworks to be packed into a ZIP.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewExport {
    /// These.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artwork_ids: Option<Vec<ArtworkId>>,
    /// All that are active.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// `originals`, or a kind of rendition; originals when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<String>,
    /// `cover` or `all`; none for what the API thinks best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variants: Option<String>,
}

impl NewExport {
    /// All that are active.
    #[must_use]
    pub fn all() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// These.
    #[must_use]
    pub fn of(artworks: Vec<ArtworkId>) -> Self {
        Self { artwork_ids: Some(artworks), ..Self::default() }
    }
}

/// A ZIP that will be there.
#[derive(Clone, Debug, Deserialize)]
pub struct AcceptedExport {
    /// Its id.
    pub id: ExportId,
    /// Up to here the log holds it.
    pub position: Position,
}

/// An artwork as it is now.
#[derive(Clone, Debug, Deserialize)]
pub struct Artwork {
    /// Its id.
    pub id: ArtworkId,
    /// What it is called.
    pub title: String,
    /// pending, processing, active or failed.
    pub status: String,
    /// Whether a release of the gallery shows it.
    pub published: bool,
    /// The page that shows it once it is published.
    pub page_url: String,
    /// Its versions.
    #[serde(default)]
    pub variants: Vec<Variant>,
}

/// A variant of an artwork.
#[derive(Clone, Debug, Deserialize)]
pub struct Variant {
    /// Its id.
    pub id: VariantId,
    /// The work it is a version of.
    pub artwork_id: ArtworkId,
    /// pending, processing, completed or failed.
    pub state: String,
    /// Why it failed, when it did.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// Its original, once there is one.
    #[serde(default)]
    pub original: Option<Original>,
}

/// What a variant was cut from.
#[derive(Clone, Debug, Deserialize)]
pub struct Original {
    /// Of the file.
    #[serde(default)]
    pub sha256: Option<String>,
}

/// Why a variant failed.
#[derive(Clone, Debug, Deserialize)]
pub struct Failure {
    /// In words for the owner.
    pub error: String,
}

impl Artwork {
    /// Why it will never be shown, when it failed.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let failed = self.status == "failed";
        let reasons = self.variants.iter().filter_map(|variant| variant.failure.as_ref());
        let reasons: Vec<&str> = reasons.map(|failure| failure.error.as_str()).collect();
        failed.then(|| if reasons.is_empty() { "failed".to_owned() } else { reasons.join("; ") })
    }
}

/// A generation as it is now.
#[derive(Clone, Debug, Deserialize)]
pub struct Generation {
    /// Its id.
    pub id: GenerationId,
    /// pending, processing, completed, failed, or partial when some of both.
    pub status: String,
    /// In the order they were asked for.
    pub variants: Vec<Variant>,
}

/// An export as it is now.
#[derive(Clone, Debug, Deserialize)]
pub struct Export {
    /// Its id.
    pub id: ExportId,
    /// pending, completed, failed or expired.
    pub state: String,
    /// Where the ZIP can be had for a while, once it is complete.
    #[serde(default)]
    pub download_url: Option<String>,
    /// Of the ZIP.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Bytes of the ZIP.
    #[serde(default)]
    pub length: Option<u64>,
    /// How many pictures are in it.
    #[serde(default)]
    pub pictures: Option<u64>,
    /// What was asked for and is not in it.
    #[serde(default)]
    pub missing: Vec<Missing>,
    /// Why it failed, when it did.
    #[serde(default)]
    pub error: Option<String>,
}

/// Jobs, and how many there are.
#[derive(Clone, Debug, Deserialize)]
pub struct Jobs {
    /// Newest first, one page of them.
    pub jobs: Vec<Job>,
    /// Of all, whatever was asked for.
    pub counts: Vec<JobCount>,
}

/// One job.
#[derive(Clone, Debug, Deserialize)]
pub struct Job {
    /// Whose it is.
    pub consumer: String,
    /// The event it is about.
    pub position: Position,
    /// available, scheduled, running, retryable, completed, cancelled or discarded.
    pub state: String,
    /// Tries so far.
    pub attempt: i32,
    /// What went wrong last.
    #[serde(default)]
    pub error: Option<String>,
}

/// How many jobs a consumer has in a state.
#[derive(Clone, Debug, Deserialize)]
pub struct JobCount {
    /// Whose they are.
    pub consumer: String,
    /// available, scheduled, running, retryable, completed, cancelled or discarded.
    pub state: String,
    /// How many.
    pub jobs: i64,
}

impl Accepted for AcceptedArtwork {
    fn position(&self) -> Position {
        self.position
    }
}

impl Accepted for AcceptedGeneration {
    fn position(&self) -> Position {
        self.position
    }
}

impl Accepted for AcceptedExport {
    fn position(&self) -> Position {
        self.position
    }
}
