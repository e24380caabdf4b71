//! What the bucket holds beside an artwork's pictures: its sidecar, from which it can be restored, and from which its entry in
//! the list of all artworks follows. Names are those that front ends have always read.

use atelier_events::gallery_metadata::{Entry, Images};
use atelier_events::variant::{Failed, Rendered};
use atelier_events::{ArtworkId, Blob, Details, GenerationId, Lineage, Position, Recipe, VariantId, VariantState};
use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};

use crate::folded::{FoldedArtwork, FoldedVariant};

/// The shape of [`Sidecar`] that is written today.
pub const SIDECAR_SCHEMA: u32 = 2;

/// An artwork as it lies beside its originals: everything that the log knows of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sidecar {
    /// [`SIDECAR_SCHEMA`] of the writer.
    pub schema: u32,
    /// The artwork.
    pub id: ArtworkId,
    /// Its place among all artworks.
    pub position: Position,
    /// Whose it is.
    pub owner: String,
    /// As the owner wrote it, and so on for the following.
    pub title: String,
    pub description: String,
    pub artist: String,
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
    /// Its place in the order in which artworks could be shown for the first time.
    pub ready_position: Position,
    /// When that was.
    #[serde(with = "time::serde::rfc3339")]
    pub ready_at: OffsetDateTime,
    /// When what a gallery shows of it changed last.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Of the variant that stands for it; none for an upload.
    pub prompt: Option<String>,
    /// The variant that stands for it.
    pub cover: VariantId,
    /// In the order they were asked for.
    pub variants: Vec<SidecarVariant>,
}

/// A variant in a sidecar. Recipe, lineage and what came of it are written as events write them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SidecarVariant {
    pub id: VariantId,
    pub generation_id: Option<GenerationId>,
    pub state: VariantState,
    pub filename: Option<String>,
    pub recipe: Option<Recipe>,
    pub lineage: Vec<Lineage>,
    pub original: Option<Blob>,
    pub rendered: Option<Rendered>,
    pub failure: Option<Failed>,
    /// Its place in the order in which variants could be shown for the first time.
    pub shown_position: Option<Position>,
    /// When it was asked for or uploaded, when the last attempt of a provider began, and when it was complete or given up.
    #[serde(with = "time::serde::rfc3339")]
    pub requested_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    /// How long the provider took, in milliseconds, and what it cost, in millionths of a US dollar.
    pub elapsed_ms: Option<u64>,
    pub cost_usd_micros: Option<u64>,
}

impl From<FoldedVariant<'_>> for SidecarVariant {
    fn from(FoldedVariant { variant, moments, .. }: FoldedVariant<'_>) -> Self {
        Self {
            id: variant.id,
            generation_id: variant.generation_id,
            state: variant.state,
            filename: variant.filename.clone(),
            recipe: variant.recipe.clone(),
            lineage: variant.lineage.clone(),
            original: variant.original.clone(),
            rendered: variant.rendered.clone(),
            failure: variant.failure.clone(),
            shown_position: moments.shown_position,
            requested_at: variant.requested_at,
            started_at: moments.started_at,
            finished_at: moments.finished_at,
            elapsed_ms: variant.elapsed_ms,
            cost_usd_micros: moments.cost_micros,
        }
    }
}

impl Sidecar {
    /// The sidecar of an artwork; none before it is active.
    #[must_use]
    pub fn of(folded: &FoldedArtwork) -> Option<Self> {
        let artwork = &folded.artwork;
        let details = artwork.details.clone();
        let cover = artwork.cover()?;
        let (_, updated_at) = folded.shown?;
        Some(Self {
            schema: SIDECAR_SCHEMA,
            id: artwork.id,
            position: artwork.created_position,
            owner: artwork.owner.clone(),
            title: details.title,
            description: details.description,
            artist: details.artist,
            materials: details.materials,
            dimensions: details.dimensions,
            created_on: details.created_on,
            category: details.category,
            tags: details.tags,
            featured: details.featured,
            source_url: details.source_url,
            video_url: details.video_url,
            created_at: artwork.created_at,
            ready_position: folded.ready_position?,
            ready_at: artwork.ready_at?,
            updated_at,
            prompt: cover.recipe.as_ref().map(|recipe| recipe.prompt.clone()),
            cover: cover.id,
            variants: folded.variants().map(SidecarVariant::from).collect(),
        })
    }

    /// What the owner says about it.
    #[must_use]
    pub fn details(&self) -> Details {
        Details {
            title: self.title.clone(),
            description: self.description.clone(),
            artist: self.artist.clone(),
            materials: self.materials.clone(),
            dimensions: self.dimensions.clone(),
            created_on: self.created_on,
            category: self.category.clone(),
            tags: self.tags.clone(),
            featured: self.featured,
            source_url: self.source_url.clone(),
            video_url: self.video_url.clone(),
        }
    }

    /// What the list of all artworks says of it; none when it names a cover that it does not hold.
    #[must_use]
    pub fn entry(&self, media_url: &str) -> Option<Entry> {
        let cover = self.variants.iter().find(|variant| variant.id == self.cover)?;
        let rendered = cover.rendered.as_ref()?;
        // Of two of a kind the first counts, so the first is entered last.
        let keys = rendered.renditions.iter().rev().map(|rendition| (rendition.kind, rendition.blob.key.clone()));
        Some(Entry {
            id: self.id,
            title: self.title.clone(),
            source_url: self.source_url.clone(),
            created_at: self.created_at,
            video_url: self.video_url.clone(),
            artist: self.artist.clone(),
            description: self.description.clone(),
            category: self.category.clone(),
            tags: self.tags.clone(),
            featured: self.featured,
            prompt: self.prompt.clone(),
            width: rendered.width.into(),
            height: rendered.height.into(),
            palette: rendered.palette.clone(),
            placeholder: rendered.placeholder.clone(),
            images: Images::of(media_url, &keys.collect()),
        })
    }
}
