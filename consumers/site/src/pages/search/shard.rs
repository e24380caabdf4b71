//! One file of the index: some works as columns, and which of their words occur in which of them.
//!
//! A reader loads several of these before anything is found, so they are made small: no name of a field is repeated, what
//! many works share is named once, and texts are kept as the words by which they are found. As JSON, compressed as zlib does;
//! `assets/shard.js` reads them.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Serialize;

use super::words::each_word;
use crate::catalogue::{Catalogue, Shown};
use crate::gallery::Artwork;
use crate::listings::Kind;
use crate::pages::frame::{Picture, tint_of, title};
use crate::untrusted::{colour, excerpt};

/// How much of a text is searched, in characters.
const SEARCHED_CHARS: usize = 400;

/// How many colours of a palette are searched.
const SEARCHED_SWATCHES: usize = 4;

/// What a character of [`Shard::found`] is above the distance it stands for: the first is `$`, so that a blank can be between.
const DISTANCE_ZERO: u32 = 0x23;

/// Columns have the works in one order, the newest first.
#[derive(Default, Serialize)]
pub(super) struct Shard<'a> {
    /// 22 characters each: the 16 bytes of the id in base64.
    ids: String,
    titles: Vec<String>,
    artists: Column<'a, Option<usize>>,
    categories: Column<'a, Option<usize>>,
    tags: Column<'a, Vec<usize>>,
    /// The preview's path below the site, percent-encoded: what stands between those two.
    pictures: Vec<String>,
    picture_start: String,
    picture_end: String,
    /// Width and height of each preview, one after the other.
    sizes: Vec<u32>,
    /// Places of those whose pixels stay squares.
    pixelated: Vec<usize>,
    /// Six hexadecimal digits each, or six blanks.
    tints: String,
    /// Eight hexadecimal digits for each swatch: the colour, and its share in 255ths.
    palettes: Vec<String>,
    /// All words, in the order of their UTF-16 codes, with blanks between.
    words: String,
    /// For each word the works that have it, with blanks between: each character is the distance from the one before,
    /// the first from the place before the first, above [`DISTANCE_ZERO`].
    found: String,
}

/// Names that occur, each once, and those of each work by their places.
#[derive(Default, Serialize)]
struct Column<'a, T> {
    names: Vec<&'a str>,
    #[serde(skip)]
    places: HashMap<&'a str, usize>,
    of: Vec<T>,
}

impl<'a> Shard<'a> {
    pub(super) fn new(catalogue: &'a Catalogue, works: impl Iterator<Item = &'a Shown>) -> Self {
        let mut shard = Self::default();
        let mut index = Words::default();
        for (place, shown) in works.enumerate() {
            shard.add(catalogue, place, shown);
            index.add(place, searched_texts(&shown.artwork, catalogue, shown));
        }
        shard.share_affixes();
        (shard.words, shard.found) = index.written();
        shard
    }

    fn add(&mut self, catalogue: &'a Catalogue, place: usize, shown: &'a Shown) {
        let artwork = &shown.artwork;
        let named = |kind: Kind| {
            let listings = shown.listings.iter().map(|id| catalogue.listing(*id));
            listings.filter(move |listing| listing.kind == kind).map(|listing| listing.name.as_str())
        };
        STANDARD_NO_PAD.encode_string(artwork.id.as_bytes(), &mut self.ids);
        self.titles.push(title(artwork));
        let artist = named(Kind::Artist).next().map(|name| self.artists.place(name));
        self.artists.of.push(artist);
        let category = named(Kind::Category).next().map(|name| self.categories.place(name));
        self.categories.of.push(category);
        let tags = named(Kind::Tag).map(|name| self.tags.place(name)).collect();
        self.tags.of.push(tags);
        let picture = Picture::new(&artwork.preview);
        self.pictures.push(picture.src);
        self.sizes.extend([picture.width, picture.height]);
        if artwork.pixelated {
            self.pixelated.push(place);
        }
        self.tints.push_str(tint_of(artwork).as_ref().map_or("      ", |tint| &tint[1..]));
        self.palettes.push(palette(artwork));
    }

    /// What all paths begin and end with is said once.
    fn share_affixes(&mut self) {
        let Some((first, others)) = self.pictures.split_first() else { return };
        let common = |pairs: &dyn Fn(&str) -> usize| others.iter().map(|other| pairs(other)).min();
        let start = common(&|other| first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count());
        let start = start.unwrap_or_default();
        let rest = &first[start..];
        let end =
            common(&|other| rest.bytes().rev().zip(other[start..].bytes().rev()).take_while(|(a, b)| a == b).count());
        let end = rest.len() - end.unwrap_or_default();
        (self.picture_start, self.picture_end) = (first[..start].to_owned(), rest[end..].to_owned());
        let ending = self.picture_end.len();
        for picture in &mut self.pictures {
            *picture = picture[start..picture.len() - ending].to_owned();
        }
    }
}

impl<'a, T> Column<'a, T> {
    fn place(&mut self, name: &'a str) -> usize {
        *self.places.entry(name).or_insert_with(|| {
            self.names.push(name);
            self.names.len() - 1
        })
    }
}

/// Which works have a word, by the word.
#[derive(Default)]
struct Words(HashMap<String, Vec<usize>>);

impl Words {
    fn add(&mut self, place: usize, texts: impl Iterator<Item = String>) {
        for text in texts {
            each_word(&text, |word| match self.0.get_mut(word) {
                Some(places) if places.last() == Some(&place) => {}
                Some(places) => places.push(place),
                None => {
                    self.0.insert(word.to_owned(), vec![place]);
                }
            });
        }
    }

    fn written(self) -> (String, String) {
        let mut words: Vec<(String, Vec<usize>)> = self.0.into_iter().collect();
        words.sort_unstable_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
        let (mut names, mut found) = (String::new(), String::new());
        for (word, places) in words {
            if !names.is_empty() {
                names.push(' ');
                found.push(' ');
            }
            names.push_str(&word);
            let mut next = 0;
            for place in places {
                let distance = u32::try_from(place + 1 - next).unwrap_or(u32::MAX);
                found.push(
                    char::from_u32(DISTANCE_ZERO + distance).expect("a shard is far smaller than the first surrogate"),
                );
                next = place + 1;
            }
        }
        (names, found)
    }
}

fn searched_texts<'a>(
    artwork: &'a Artwork,
    catalogue: &'a Catalogue,
    shown: &'a Shown,
) -> impl Iterator<Item = String> + 'a {
    let texts = [
        Some(&artwork.title),
        Some(&artwork.description),
        artwork.prompt.as_ref(),
        artwork.materials.as_ref(),
        artwork.provider.as_ref(),
        artwork.model.as_ref(),
    ];
    let texts = texts.into_iter().flatten().map(String::as_str);
    let names = shown.listings.iter().map(|id| catalogue.listing(*id).name.as_str());
    texts.chain(names).map(|text| excerpt(text, SEARCHED_CHARS))
}

fn palette(artwork: &Artwork) -> String {
    let swatches = artwork.palette.iter().filter_map(|swatch| {
        let share = u32::from(swatch.per_mille.min(1_000)) * 255 / 1_000;
        Some(format!("{}{share:02x}", &colour(&swatch.colour)?[1..]))
    });
    swatches.take(SEARCHED_SWATCHES).collect()
}
