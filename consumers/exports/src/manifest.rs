//! `manifest.json`: what is in the ZIP, so that it can be understood, checked and taken back in without Atelier.

use atelier_events::export::{Files, Missing, Variants};
use atelier_events::{ArtworkId, ExportId, Lineage, Position, Recipe, RenditionKind, Variant, VariantId};
use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};

use crate::contents::{Order, Picture};

/// Its name in the ZIP: the last file, after the pictures.
pub const MANIFEST: &str = "manifest.json";

/// The shape that is written today. Schema 1 had one picture of each artwork.
const SCHEMA: u32 = 2;

/// The whole of it, for whoever reads it back.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Manifest {
    schema: u32,
    /// Which export the ZIP was packed for.
    pub export: ExportId,
    /// Everything in it is as it was at this position of the log.
    pub position: Position,
    /// Which file of each variant it holds.
    pub files: Files,
    /// Which variants of each artwork it holds.
    pub variants: Variants,
    /// Its pictures: artworks in the order they were created, and of each its variants in the order they were asked for.
    pub artworks: Vec<ManifestEntry>,
    /// What was asked for and is not in it.
    pub missing: Vec<Missing>,
}

/// Why a manifest cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is no manifest, or a damaged one.
    #[error("{MANIFEST} is not the manifest of an export")]
    Foreign(#[from] serde_json::Error),
    /// A newer version wrote it.
    #[error("{MANIFEST} has schema {0}, and this version knows {SCHEMA}: import it with a newer one")]
    Newer(u32),
}

impl Manifest {
    /// Reads one as [`MANIFEST`] holds it.
    pub fn read(reader: impl std::io::Read) -> Result<Self, ManifestError> {
        let manifest: Self = serde_json::from_reader(reader)?;
        if manifest.schema > SCHEMA { Err(ManifestError::Newer(manifest.schema)) } else { Ok(manifest) }
    }
}

/// What the manifest says of a picture and of the artwork that it shows. Recipe and lineage are written as events write them.
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
    /// Which rendition of the variant it is; none of an original.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendition: Option<RenditionKind>,
    /// The artwork.
    pub id: ArtworkId,
    /// Which variant of it the picture is.
    pub variant: VariantId,
    /// Whether that is the one that stands for the artwork.
    #[serde(default = "always")]
    pub cover: bool,
    /// The artwork's other complete variants, where the export was asked for covers alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_variants: Vec<VariantId>,
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
    /// When the variant was asked for or uploaded, as far as the manifest says it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub requested_at: Option<OffsetDateTime>,
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
    /// What there is to say of a picture that is in the ZIP, of an export of these variants.
    pub(crate) fn of(picture: &Picture, variants: Variants) -> Self {
        let (artwork, variant, blob) = (&picture.artwork, picture.variant(), &picture.blob);
        let details = artwork.details.clone();
        let is_left_out = |other: &&Variant| variants == Variants::Cover && other.id != variant.id;
        let others = artwork.complete().filter(is_left_out);
        Self {
            file: picture.name.clone(),
            sha256: blob.sha256.clone(),
            length: blob.length,
            media_type: blob.media_type.clone(),
            rendition: picture.rendition,
            id: artwork.id,
            variant: variant.id,
            cover: picture.is_cover,
            other_variants: others.map(|other| other.id).collect(),
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
            requested_at: Some(variant.requested_at),
            width: Some(picture.size.0),
            height: Some(picture.size.1),
            recipe: variant.recipe.clone(),
            lineage: variant.lineage.clone(),
            filename: variant.filename.clone(),
        }
    }
}

/// The one picture of an artwork was its cover.
fn always() -> bool {
    true
}

/// The manifest in three kinds of pieces, one after the other, so that it need not be in memory.
pub(crate) fn head(order: &Order) -> serde_json::Result<String> {
    let (export, position, files) = (order.export_id, order.selection.up_to, serde_json::to_string(&order.files)?);
    let variants = serde_json::to_string(&order.variants)?;
    Ok(format!(
        "{{\n\"schema\": {SCHEMA},\n\"export\": \"{export}\",\n\"position\": {position},\n\"files\": {files},\n\
         \"variants\": {variants},\n\"artworks\": ["
    ))
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

/// What it costs to name what is missing, at the most.
pub(crate) fn bytes_of(missing: &Missing) -> u64 {
    // Two ids, field names, and a reason whose characters may all be written as escapes.
    150 + 6 * missing.reason.len() as u64
}
