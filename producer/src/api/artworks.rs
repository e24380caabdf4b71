//! Artworks: created from an upload, listed, and each with all that is known about it.

pub(super) mod create;
pub(super) mod list;
pub(super) mod read;
mod restore;

use atelier_events::artwork::default_category;

use crate::input::{check_line, check_tags, check_text};
use crate::problem::Flaws;

/// What an owner may say about an artwork, by field, in characters.
pub(super) const TITLE_CHARS: usize = 200;
const LINE_CHARS: usize = 200;
const DESCRIPTION_CHARS: usize = 10_000;
const CATEGORY_CHARS: usize = 50;

/// A title as it is kept.
pub(super) fn check_title(title: &str, flaws: &mut Flaws) {
    if title.trim().is_empty() {
        flaws.at("/title", "is empty");
    }
    check_line("/title", title.trim(), TITLE_CHARS, flaws);
}

/// What is said about artworks wherever they come from.
pub(super) fn check_about(artist: &str, description: &str, category: Option<&str>, tags: &[String], flaws: &mut Flaws) {
    check_line("/artist", artist.trim(), LINE_CHARS, flaws);
    check_text("/description", description, DESCRIPTION_CHARS, flaws);
    if let Some(category) = category {
        check_line("/category", category.trim(), CATEGORY_CHARS, flaws);
    }
    check_tags("/tags", tags, flaws);
}

/// One lower-case word or a few; `other` where nothing is said.
pub(super) fn tidy_category(category: Option<&str>) -> String {
    let category = category.unwrap_or_default().trim().to_lowercase();
    if category.is_empty() { default_category() } else { category }
}
