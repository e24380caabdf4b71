//! The two documents that the bucket holds beside the pictures: an artwork's sidecar, from which it can be restored, and
//! the list of all artworks, from which a front end can be built. Names are those that front ends have always read.

use std::collections::BTreeMap;

use atelier_events::variant::{Failed, Rendered};
use atelier_events::{
    ArtworkId, Blob, Details, GenerationId, Lineage, Position, Recipe, RenditionKind, Swatch, VariantId, VariantState,
};
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
            requested_at: moments.requested_at,
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

/// `gallery-metadata.json`: the active artworks, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GalleryMetadata {
    pub artworks: Vec<Entry>,
    /// When one of them changed last; none while there is none.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_updated: Option<OffsetDateTime>,
}

/// What the list says of an artwork.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub id: ArtworkId,
    #[serde(flatten)]
    pub images: Images,
    pub title: String,
    pub source_url: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    pub video_url: Option<String>,
    pub artist: String,
    pub description: String,
    pub category: String,
    pub tags: Vec<String>,
    pub featured: bool,
    pub prompt: Option<String>,
    /// Of the original, in pixels.
    pub width: i64,
    pub height: i64,
    /// The most present first.
    pub palette: Vec<Swatch>,
    /// What to show until the picture is there.
    pub placeholder: String,
}

/// Where the pictures of an artwork are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Images {
    /// The display rendition.
    pub image_url: Option<String>,
    pub thumbnail_url: Option<String>,
    pub icon_url: Option<String>,
    pub preview_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_url: Option<String>,
    /// The renditions between preview and display, the smallest first, for `srcset`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium_640_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium_640_webp_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium_1280_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium_1280_webp_url: Option<String>,
    /// The display without loss, of flat art.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lossless_url: Option<String>,
    /// What moves, of an animation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub animation_url: Option<String>,
}

impl Images {
    /// The URLs of these keys.
    #[must_use]
    pub fn of(media_url: &str, keys: &BTreeMap<RenditionKind, String>) -> Self {
        let url = |kind| keys.get(&kind).map(|key| media_address(media_url, key));
        Self {
            image_url: url(RenditionKind::Display),
            thumbnail_url: url(RenditionKind::Thumb),
            icon_url: url(RenditionKind::Icon),
            preview_url: url(RenditionKind::Preview),
            card_url: url(RenditionKind::Card),
            medium_640_url: url(RenditionKind::Medium640),
            medium_640_webp_url: url(RenditionKind::Medium640Webp),
            medium_1280_url: url(RenditionKind::Medium1280),
            medium_1280_webp_url: url(RenditionKind::Medium1280Webp),
            lossless_url: url(RenditionKind::Lossless),
            animation_url: url(RenditionKind::Animation),
        }
    }
}

/// A key as a URL below `media_url`, or relative when that is empty. An owner's name in a key may hold anything.
fn media_address(media_url: &str, key: &str) -> String {
    let key = key.bytes().map(|byte| {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    let key: String = key.collect();
    match media_url.trim_end_matches('/') {
        "" => key,
        base => format!("{base}/{key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_url_whatever_the_owner_is_called() {
        assert_eq!(media_address("", "display/ann/1.jpg"), "display/ann/1.jpg");
        assert_eq!(
            media_address("https://m.example/", "display/ann?b c/1.jpg"),
            "https://m.example/display/ann%3Fb%20c/1.jpg"
        );
    }
}
