//! What the script in the page searches: chunks numbered from the oldest place, and for those places that do not fill one
//! yet, parts of it, so that an addition rewrites little. A chunk that is full takes the place of its parts.
//!
//! Each is compressed here, whatever a server does: a shelf of a bucket serves what it was given. Scripts read it with the
//! browser's own `DecompressionStream`, and always the same program makes it, so that the same works give the same bytes.

mod shard;
mod words;

use miniz_oxide::deflate::compress_to_vec_zlib;
use serde::Serialize;
use serde_json::json;

use super::frame::Frame;
use super::{RenderError, Site};
use crate::archive::chunk_of;
use crate::catalogue::SEARCH_CHUNK;
use crate::colours::Family;
use shard::Shard;

/// Places in one part: 13 of them are a chunk.
pub const SEARCH_PART: u32 = 29;
const _: () = assert!(SEARCH_CHUNK.is_multiple_of(SEARCH_PART), "a chunk takes the place of whole parts");

/// Of the levels up to 10 that above which a shard takes three times as long for a fiftieth less.
const COMPRESSION: u8 = 2;

#[derive(Serialize)]
struct SearchView<'a> {
    page: Frame<'a>,
    colours: Vec<Colour>,
}

#[derive(Serialize)]
struct Colour {
    name: &'static str,
    sample: String,
    href: String,
}

pub(super) fn chunk_path(number: u32) -> String {
    format!("search/{number}.bin")
}

pub(super) fn part_path(number: u32) -> String {
    format!("search/part-{number}.bin")
}

/// The chunk that takes the place of this part.
pub(super) fn chunk_of_part(number: u32) -> u32 {
    chunk_of((number - 1) * SEARCH_PART, SEARCH_CHUNK)
}

/// The address of a search for works of this family, relative to the root.
pub(super) fn colour_href(family: Family) -> String {
    format!("search/?c={}", &family.sample()[1..])
}

impl Site {
    pub(super) fn search_page(&self) -> Result<String, RenderError> {
        let mut frame = self.frame("search/", "Search".to_owned(), format!("Search {}", self.meta.title));
        frame.section = "search";
        let colours = Family::ALL.map(|family| Colour {
            name: family.name(),
            sample: family.sample(),
            href: colour_href(family),
        });
        let context = SearchView { page: frame, colours: colours.into() };
        Ok(self.templates.render("search.html", context)?)
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
        let shards: Vec<String> = parts.chain(self.search_chunks().rev().map(chunk_path)).collect();
        Ok(serde_json::to_string(&json!({ "shards": shards }))?)
    }

    /// A chunk or a part.
    pub(super) fn search_shard(&self, number: u32, size: u32) -> Result<Vec<u8>, RenderError> {
        let works = self.catalogue.all().chunk(number, size).map(|slot| self.shown(slot));
        let shard = serde_json::to_vec(&Shard::new(&self.catalogue, works))?;
        Ok(compress_to_vec_zlib(&shard, COMPRESSION))
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::assets::hex;

    /// What another compressor makes of the same shard is as good, and not the same bytes.
    #[test]
    fn the_same_text_is_compressed_to_the_same_bytes() {
        let words = (0_u32..4_000).map(|number| number.wrapping_mul(0x9e37_79b9) % 1_000);
        let text = words.map(|word| word.to_string()).collect::<Vec<_>>().join(" ");
        let digest = hex(&Sha256::digest(compress_to_vec_zlib(text.as_bytes(), COMPRESSION))[..8]);
        assert_eq!(
            digest, "7f408dfa61c559da",
            "count up LAYOUT in pages.rs, so that it is another edition, and write what it is here"
        );
    }
}
