//! `gallery-metadata.json`: the list of all artworks, from which a front end can be built. The index keeps it in the bucket,
//! and the site hands it to the command that it is brought to. Names are those that front ends have always read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::id::ArtworkId;
use crate::percent::encode_path;
use crate::variant::{RenditionKind, Swatch};

/// The whole file: the active artworks, newest first.
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
    let key = encode_path(key);
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
