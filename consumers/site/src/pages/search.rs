//! What the script in the page searches: chunks numbered from the oldest place, and for those places that do not fill one
//! yet, parts of it, so that an addition rewrites little. A chunk that is full takes the place of its parts.

use serde::Serialize;
use serde_json::json;

use super::frame::{Card, Framed, timestamp};
use super::{RenderError, Site};
use crate::archive::chunk_of;
use crate::catalogue::{Shown, Slot};
use crate::gallery::Artwork;
use crate::untrusted::excerpt;

/// Places in one chunk: ten thousand artworks make 20 of them, and 19 parts at most.
pub const SEARCH_CHUNK: u32 = 500;

/// Places in one part.
pub const SEARCH_PART: u32 = 25;

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

pub(super) fn chunk_path(number: u32) -> String {
    format!("search/{number}.json")
}

pub(super) fn part_path(number: u32) -> String {
    format!("search/part-{number}.json")
}

/// The chunk that takes the place of this part.
pub(super) fn chunk_of_part(number: u32) -> u32 {
    chunk_of((number - 1) * SEARCH_PART, SEARCH_CHUNK)
}

impl Site {
    pub(super) fn search_page(&self) -> Result<String, RenderError> {
        let mut frame = self.frame("search/", "Search".to_owned(), format!("Search {}", self.meta.title));
        frame.section = "search";
        Ok(self.templates.render("search.html", Framed { page: frame })?)
    }

    /// The chunks there are, oldest first.
    pub(super) fn search_chunks(&self) -> impl DoubleEndedIterator<Item = u32> {
        self.catalogue.all().chunks(SEARCH_CHUNK).filter(|number| self.has_search_chunk(*number))
    }

    /// The parts there are, oldest first.
    pub(super) fn search_parts(&self) -> impl DoubleEndedIterator<Item = u32> {
        let given = self.catalogue.all().given();
        let begun = given / SEARCH_CHUNK * SEARCH_CHUNK;
        (chunk_of(begun, SEARCH_PART)..=given.div_ceil(SEARCH_PART)).filter(|number| self.has_search_part(*number))
    }

    pub(super) fn has_search_chunk(&self, number: u32) -> bool {
        let all = self.catalogue.all();
        all.is_full(number, SEARCH_CHUNK) && all.chunk(number, SEARCH_CHUNK).next().is_some()
    }

    pub(super) fn has_search_part(&self, number: u32) -> bool {
        let all = self.catalogue.all();
        !all.is_full(chunk_of_part(number), SEARCH_CHUNK) && all.chunk(number, SEARCH_PART).next().is_some()
    }

    /// Names chunks and parts, newest first.
    pub(super) fn search_index(&self) -> Result<String, RenderError> {
        let parts = self.search_parts().rev().map(part_path);
        let chunks: Vec<String> = parts.chain(self.search_chunks().rev().map(chunk_path)).collect();
        Ok(serde_json::to_string(&json!({ "version": 1, "chunks": chunks }))?)
    }

    /// Of a chunk or a part.
    pub(super) fn search_entries(&self, number: u32, size: u32) -> Result<String, RenderError> {
        let slots = self.catalogue.all().chunk(number, size);
        let entries: Vec<Entry<'_>> = slots.map(|slot| self.entry(slot)).collect();
        Ok(serde_json::to_string(&entries)?)
    }

    fn entry(&self, slot: Slot) -> Entry<'_> {
        let Shown { artwork, tags } = self.shown(slot);
        Entry {
            card: Card::new(artwork),
            tags: tags.iter().map(|tag| self.catalogue.tag(*tag).name.as_str()).collect(),
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
