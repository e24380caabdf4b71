//! Style sheets, scripts and whatever else pages need that does not depend on what is shown.

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// The service worker. Its name must stay: a browser asks for it again under the name that it was registered by.
pub(crate) const WORKER: &str = include_str!("../assets/worker.js");

/// The built-in files by the name that templates call them by: the look of the pages; keys, sharing, choosing at random and offline
/// reading; what a reader likes; the page of the search, and what it searches.
pub(crate) const BUILT_IN: &[(&str, &[u8])] = &[
    ("gallery.css", include_bytes!("../assets/gallery.css")),
    ("gallery.js", include_bytes!("../assets/gallery.js")),
    ("likes.js", include_bytes!("../assets/likes.js")),
    ("search.js", include_bytes!("../assets/search.js")),
    ("shard.js", include_bytes!("../assets/shard.js")),
];

/// A file that is the same on every page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// What templates call it: its path in the theme's `assets/`.
    pub name: String,
    /// The whole file.
    pub bytes: Bytes,
}

/// The folder of these files, relative to the site. Its name changes with any byte of any of them, so that browsers may keep
/// what is in it for ever, and files in it can name each other by the names they have in the theme.
pub(crate) fn folder(assets: &[Asset]) -> String {
    let mut digest = Sha256::new();
    for Asset { name, bytes } in assets {
        for part in [name.as_bytes(), bytes] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
    }
    format!("assets/{}", hex(&digest.finalize()[..6]))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from_digit(digit.into(), 16).expect("four bits are a digit")).collect()
}
