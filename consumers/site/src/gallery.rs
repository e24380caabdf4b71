//! What there is to show of an artwork, and what the site says about itself.

use atelier_events::{Lineage, Swatch};
use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// What the site says about itself on every page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteMeta {
    /// What the gallery is called.
    pub title: String,
    /// One sentence about it; may be empty.
    pub description: String,
    /// Where the site is reached, `http` or `https`, without a trailing slash; may contain a path. Feeds, the sitemap
    /// and social cards need it; links between pages are relative and work wherever the folder is mounted.
    pub base_url: String,
    /// Whose gallery it is.
    pub author: String,
    /// A BCP 47 tag such as `en`.
    pub language: String,
    /// What its own page says about it: plain text, its line breaks are kept; may be empty.
    pub about: String,
    /// Where else its author is found; what is no web address is left out.
    pub links: Vec<String>,
    /// Which pictures keep their pixels squares when they are shown larger.
    pub pixel_rendering: PixelRendering,
    /// Whether readers can keep what they like, in their own browsers.
    pub likes: bool,
}

/// Which pictures keep their pixels squares when they are shown larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PixelRendering {
    /// Pixel art.
    #[default]
    Auto,
    /// All of them.
    Always,
    /// None of them.
    Never,
}

impl PixelRendering {
    /// Whether a picture's do, of which it is known whether it is pixel art.
    #[must_use]
    pub fn pixelated(self, is_pixel_art: bool) -> bool {
        match self {
            Self::Auto => is_pixel_art,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

impl SiteMeta {
    /// The absolute address of `path`, which is relative to the site and already percent-encoded.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        [self.base_url.as_str(), "/", path].concat()
    }
}

/// One published work with everything its page shows. All text is as it was written by people, unchecked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artwork {
    /// Names the page: `artworks/<id>/`.
    pub id: Uuid,
    /// Shown as "Untitled" when it is blank.
    pub title: String,
    /// Plain text; its line breaks are kept.
    pub description: String,
    /// Left out when it is blank.
    pub artist: String,
    /// In any spelling: see [`crate::listings`].
    pub tags: Vec<String>,
    /// One word for the kind of work.
    pub category: String,
    /// What it is made of.
    pub materials: Option<String>,
    /// How large the physical work is.
    pub dimensions: Option<String>,
    /// Whether the artist sets it apart.
    pub featured: bool,
    /// The post that inspired the work.
    pub source_url: Option<String>,
    /// A video file, a page of a known player, or any page.
    pub video_url: Option<String>,
    /// The day it was made, where that is not the day it was added.
    pub created_on: Option<Date>,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was first shown.
    #[serde(with = "time::serde::rfc3339")]
    pub published_at: OffsetDateTime,
    /// The recipe's prompt; none for an upload.
    pub prompt: Option<String>,
    /// Who made the picture from the prompt.
    pub provider: Option<String>,
    /// Which of the provider's models, where the recipe names one.
    pub model: Option<String>,
    /// What made it this picture and no other.
    pub seed: Option<u64>,
    /// Pixels of the original, as it is meant to be seen.
    pub width: u32,
    /// Pixels of the original, as it is meant to be seen.
    pub height: u32,
    /// The large picture of the work's own page.
    pub display: Image,
    /// A square.
    pub thumb: Image,
    /// A small square.
    pub icon: Image,
    /// The whole picture at the size of a listing.
    pub preview: Image,
    /// The same picture as JPEG between the preview and the display, the smallest first.
    pub mediums: Vec<Image>,
    /// The same as WebP.
    pub webp_mediums: Vec<Image>,
    /// The display without loss, of flat art.
    pub lossless: Option<Image>,
    /// What moves, of an animation.
    pub animation: Option<Image>,
    /// What a shared link shows.
    pub card: Option<Image>,
    /// Whether its pixels are to stay squares when it is shown larger.
    pub pixelated: bool,
    /// Most prominent first.
    pub palette: Vec<Swatch>,
    /// A thumbhash, base64: what stands in for the picture until it has loaded. See [`crate::backdrop`].
    pub placeholder: Option<String>,
    /// The variant that is shown large.
    pub cover: Uuid,
    /// Which variants that one came from, of this work or of others.
    pub lineage: Vec<Lineage>,
    /// Further variants of the same work, in the order in which they are shown.
    pub variants: Vec<Variant>,
}

/// Another version of a work, shown as a strip below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// The variant's own id.
    pub id: Uuid,
    /// What its thumb leads to.
    pub display: Image,
    /// A square.
    pub thumb: Image,
    /// Its recipe's prompt.
    pub prompt: Option<String>,
    /// Which variants it came from, of this work or of others.
    pub lineage: Vec<Lineage>,
}

/// A rendition in the bucket; on the site it lies at `media/<key>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The blob's key. Keys are immutable: one key means the same bytes for ever.
    pub key: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Such as `image/webp`.
    pub media_type: String,
    /// Bytes.
    pub length: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

impl Artwork {
    /// Every rendition that the site shows of this work.
    pub fn images(&self) -> impl Iterator<Item = &Image> {
        [&self.display, &self.thumb, &self.icon, &self.preview]
            .into_iter()
            .chain(self.mediums.iter().chain(&self.webp_mediums))
            .chain(self.lossless.iter().chain(&self.animation).chain(&self.card))
            .chain(self.variants.iter().flat_map(|variant| [&variant.display, &variant.thumb]))
    }

    /// Every version of this work with what it came from, the one that is shown large first.
    pub fn versions(&self) -> impl Iterator<Item = (Uuid, &[Lineage])> {
        let others = self.variants.iter().map(|variant| (variant.id, variant.lineage.as_slice()));
        [(self.cover, self.lineage.as_slice())].into_iter().chain(others)
    }

    /// The square picture of one of its versions.
    #[must_use]
    pub fn thumb_of(&self, version: Uuid) -> &Image {
        self.variants.iter().find(|variant| variant.id == version).map_or(&self.thumb, |variant| &variant.thumb)
    }
}
