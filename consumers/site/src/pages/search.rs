//! What the script in the page searches: chunks numbered from the oldest artwork, of which all but the last are sealed.

use serde::Serialize;
use serde_json::json;

use super::frame::{Card, Framed, timestamp};
use super::{RenderError, Site};
use crate::archive::Archive;
use crate::gallery::Artwork;
use crate::untrusted::excerpt;

/// Artworks in one chunk: ten thousand make 34 files, and an addition rewrites about a hundred kilobytes at most.
pub const SEARCH_CHUNK: usize = 300;

/// How much of a text is searched, in characters.
const SEARCHED_CHARS: usize = 160;

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    card: Card,
    /// Names as on the tags' pages.
    tags: Vec<&'a str>,
    /// Everything else that is searched.
    text: String,
    created: String,
}

pub(super) fn chunk_path(number: usize) -> String {
    format!("search/{number}.json")
}

impl Site {
    pub(super) fn search_page(&self) -> Result<String, RenderError> {
        let mut frame = self.frame("search/", "Search".to_owned(), format!("Search {}", self.meta.title));
        frame.section = "search";
        Ok(self.templates.render("search.html", Framed { page: frame })?)
    }

    /// Names the chunks, newest first.
    pub(super) fn search_index(&self) -> Result<String, RenderError> {
        let chunks: Vec<String> = (1..=self.search_chunks().pages()).rev().map(chunk_path).collect();
        Ok(serde_json::to_string(&json!({ "version": 1, "chunks": chunks }))?)
    }

    pub(super) fn search_chunk(&self, number: usize) -> Result<String, RenderError> {
        let entries: Vec<Entry<'_>> = self.search_chunks().page(number).map(|index| self.entry(index)).collect();
        Ok(serde_json::to_string(&entries)?)
    }

    fn search_chunks(&self) -> Archive {
        Archive::new(self.gallery.artworks().len(), SEARCH_CHUNK)
    }

    fn entry(&self, index: usize) -> Entry<'_> {
        let artwork = &self.gallery.artworks()[index];
        Entry {
            card: Card::new(artwork),
            tags: self.tags_of_artwork[index].iter().map(|tag| self.tags[*tag].name.as_str()).collect(),
            text: searched_text(artwork),
            created: timestamp(artwork.created_at),
        }
    }
}

fn searched_text(artwork: &Artwork) -> String {
    let texts = [
        Some(&artwork.description),
        artwork.prompt.as_ref(),
        Some(&artwork.category),
        artwork.materials.as_ref(),
        artwork.provider.as_ref(),
    ];
    let excerpts = texts.into_iter().flatten().map(|text| excerpt(text, SEARCHED_CHARS));
    excerpts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}
