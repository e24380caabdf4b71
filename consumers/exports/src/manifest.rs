//! `manifest.json`: what is in the ZIP, so that it can be understood, checked and taken back in without Atelier.

use atelier_events::export::Missing;
use atelier_events::{Artwork, ArtworkId, ExportId, Lineage, Position, Recipe, Variant, VariantId};
use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};

/// Its name in the ZIP: the last file, after the pictures.
pub const MANIFEST: &str = "manifest.json";

/// The shape that is written today.
const SCHEMA: u32 = 1;

/// What the manifest says of a picture. Recipe and lineage are written as events write them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestEntry {
    /// Its name in the ZIP.
    pub file: String,
    /// Of the file: 64 hex digits.
    pub sha256: String,
    /// In bytes.
    pub length: u64,
    /// Such as `image/png`.
    pub media_type: String,
    /// The artwork.
    pub id: ArtworkId,
    /// Which variant of it the picture is: the one that stands for it.
    pub variant: VariantId,
    /// As the owner wrote it, and so on for the following.
    pub title: String,
    pub description: String,
    pub artist: String,
    pub owner: String,
    pub materials: Option<String>,
    pub dimensions: Option<String>,
    pub created_on: Option<Date>,
    pub category: String,
    pub tags: Vec<String>,
    pub featured: bool,
    pub source_url: Option<String>,
    pub video_url: Option<String>,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Of the picture as it is meant to be seen, in pixels.
    pub width: Option<u32>,
    pub height: Option<u32>,
    /// What made it; none for an upload.
    pub recipe: Option<Recipe>,
    /// What it comes from.
    pub lineage: Vec<Lineage>,
    /// The name an upload had at its owner's.
    pub filename: Option<String>,
}

impl ManifestEntry {
    /// What there is to say of an artwork whose picture is in the ZIP; none when the variant has no original.
    pub(crate) fn of(file: String, artwork: &Artwork, variant: &Variant) -> Option<Self> {
        let details = artwork.details.clone();
        let original = variant.original.clone()?;
        let rendered = variant.rendered.as_ref();
        Some(Self {
            file,
            sha256: original.sha256,
            length: original.length,
            media_type: original.media_type,
            id: artwork.id,
            variant: variant.id,
            title: details.title,
            description: details.description,
            artist: details.artist,
            owner: artwork.owner.clone(),
            materials: details.materials,
            dimensions: details.dimensions,
            created_on: details.created_on,
            category: details.category,
            tags: details.tags,
            featured: details.featured,
            source_url: details.source_url,
            video_url: details.video_url,
            created_at: artwork.created_at,
            width: rendered.map(|rendered| rendered.width),
            height: rendered.map(|rendered| rendered.height),
            recipe: variant.recipe.clone(),
            lineage: variant.lineage.clone(),
            filename: variant.filename.clone(),
        })
    }
}

/// The manifest in three kinds of pieces, one after the other, so that it need not be in memory.
pub(crate) fn head(export_id: ExportId, position: Position) -> String {
    format!("{{\n\"schema\": {SCHEMA},\n\"export\": \"{export_id}\",\n\"position\": {position},\n\"artworks\": [")
}

/// One line; `first` is the one without a comma before it.
pub(crate) fn entry(entry: &ManifestEntry, first: bool) -> serde_json::Result<String> {
    let comma = if first { "" } else { "," };
    Ok(format!("{comma}\n{}", serde_json::to_string(entry)?))
}

/// Closes what [`head`] opened.
pub(crate) fn tail(missing: &[Missing]) -> serde_json::Result<String> {
    Ok(format!("\n],\n\"missing\": {}\n}}\n", serde_json::to_string(missing)?))
}
