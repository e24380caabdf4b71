//! The style sheet and the script, under names that change with their content.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The service worker. Its name must stay: a browser asks for it again under the name that it was registered by.
pub(crate) const WORKER: &str = include_str!("../assets/worker.js");

/// A file whose name contains a digest of its bytes, so that browsers may keep it for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Relative to the site.
    pub path: String,
    /// Its text.
    pub content: &'static str,
}

impl Asset {
    /// The look of the pages.
    #[must_use]
    pub fn style() -> Self {
        Self::named("gallery", "css", include_str!("../assets/gallery.css"))
    }

    /// Search, keys, sharing, choosing at random, offline reading; everything else works without it.
    #[must_use]
    pub fn script() -> Self {
        Self::named("gallery", "js", include_str!("../assets/gallery.js"))
    }

    fn named(stem: &str, extension: &str, content: &'static str) -> Self {
        let digest = hex(&Sha256::digest(content.as_bytes())[..6]);
        Self { path: format!("assets/{stem}.{digest}.{extension}"), content }
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}
