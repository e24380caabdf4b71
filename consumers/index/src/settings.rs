//! What only this daemon has of the settings; see `atelier_runtime::Settings` for the rest.

use serde::{Deserialize, Serialize};

use crate::applier::KEPT_LIMIT;

/// The section that concerns this daemon alone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What is written into the bucket.
    pub index: IndexSettings,
}

/// Section `index`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IndexSettings {
    /// What the URLs in `gallery-metadata.json` start with: where the bucket can be read by everyone, such as
    /// `https://media.example.com`. Empty: they are relative to the file itself.
    pub media_url: String,
    /// `gallery-metadata.json` is written at most this often, in milliseconds: what happens in between goes into one
    /// write.
    pub gallery_interval_ms: u64,
    /// Artworks that are kept in memory, those with the newest events, at about 10 KiB each. What happens to another reads
    /// its stream again.
    pub kept_artworks: usize,
}

impl Default for IndexSettings {
    fn default() -> Self {
        Self { media_url: String::new(), gallery_interval_ms: 2_000, kept_artworks: KEPT_LIMIT }
    }
}
