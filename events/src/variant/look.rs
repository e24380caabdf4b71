//! What is said of a picture: its colours, how it looks, and what each of its renditions is for.
//!
//! Needs nothing else of this crate: those who cut pictures can be built with it alone.

use serde::{Deserialize, Serialize};

/// A colour of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swatch {
    /// `#rrggbb`.
    pub colour: String,
    /// How much of the picture it covers, in thousandths.
    pub per_mille: u16,
}

/// What kind of picture a variant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// Soft changes of colour: photographs and paintings.
    Photo,
    /// Areas of one colour with hard edges: drawings, screenshots.
    Flat,
    /// Flat and small: pixel art, whose pixels are to stay squares when it is shown larger.
    Pixels,
}

/// What a rendition is for. All that show the whole picture larger than a preview carry the watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RenditionKind {
    /// The page of the artwork: JPEG, longest side at most 2048.
    Display,
    /// The same without loss, as WebP: of flat art, where it is small enough.
    Lossless,
    /// The page on a smaller screen: JPEG, longest side at most 1280. Only of a larger original, as all of these.
    #[serde(rename = "medium_1280")]
    Medium1280,
    /// The same as WebP.
    #[serde(rename = "medium_1280_webp")]
    Medium1280Webp,
    /// The page on a telephone: JPEG, longest side at most 640.
    #[serde(rename = "medium_640")]
    Medium640,
    /// The same as WebP.
    #[serde(rename = "medium_640_webp")]
    Medium640Webp,
    /// Lists: JPEG, 300 x 300.
    Thumb,
    /// Small marks: JPEG, 128 x 128.
    Icon,
    /// The grid: WebP that fits 256 x 256.
    Preview,
    /// Shared links: JPEG, 1200 x 630, with title and artist.
    Card,
    /// What moves: animated WebP that fits 480 x 480, of an animated original.
    Animation,
}

impl RenditionKind {
    /// The serialised name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Display => "display",
            Self::Lossless => "lossless",
            Self::Medium1280 => "medium_1280",
            Self::Medium1280Webp => "medium_1280_webp",
            Self::Medium640 => "medium_640",
            Self::Medium640Webp => "medium_640_webp",
            Self::Thumb => "thumb",
            Self::Icon => "icon",
            Self::Preview => "preview",
            Self::Card => "card",
            Self::Animation => "animation",
        }
    }
}
