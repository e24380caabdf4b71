//! What the index of the search says, read as the script in the page reads it.

use std::collections::BTreeMap;

use atelier_site::catalogue::SEARCH_CHUNK;
use atelier_site::gallery::Artwork;
use atelier_site::pages::SEARCH_PART;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use miniz_oxide::inflate::decompress_to_vec_zlib;
use serde_json::Value;
use uuid::Uuid;

use crate::sample;

/// A work as its shard tells it.
#[derive(Debug)]
struct Found {
    id: Uuid,
    title: String,
    picture: String,
    artist: Option<String>,
    category: Option<String>,
    tags: Vec<String>,
    palette: String,
    words: Vec<String>,
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().expect("an array").iter().map(|text| text.as_str().expect("a text")).collect()
}

fn index(value: &Value) -> Option<usize> {
    value.as_u64().map(|at| usize::try_from(at).expect("a place in a list"))
}

fn read(shard: &[u8]) -> Vec<Found> {
    let shard = decompress_to_vec_zlib(shard).expect("a shard is compressed");
    let shard: Value = serde_json::from_slice(&shard).expect("a shard is JSON");
    let text = |name: &str| shard[name].as_str().expect("a text");
    let words: Vec<&str> = text("words").split(' ').collect();
    let found: Vec<&str> = text("found").split(' ').collect();
    assert_eq!(words.len(), found.len());
    assert!(words.windows(2).all(|pair| pair[0].encode_utf16().lt(pair[1].encode_utf16())), "{words:?}");
    let titles = texts(&shard["titles"]);
    let mut words_of = vec![vec![]; titles.len()];
    for (word, places) in words.iter().zip(found) {
        let mut next = 0;
        for distance in places.chars() {
            next += u32::from(distance) as usize - 0x23;
            words_of[next - 1].push((*word).to_owned());
        }
    }
    let column = |name: &str, place: usize| {
        let names = texts(&shard[name]["names"]);
        Some(names[index(&shard[name]["of"][place])?].to_owned())
    };
    let told = titles.into_iter().zip(words_of).enumerate().map(|(place, (title, words))| {
        let id = &text("ids")[22 * place..22 * (place + 1)];
        let tags = texts(&shard["tags"]["names"]);
        let own = shard["tags"]["of"][place].as_array().expect("places of tags");
        Found {
            id: Uuid::from_slice(&STANDARD_NO_PAD.decode(id).expect("base64")).expect("16 bytes"),
            title: title.to_owned(),
            picture: [text("picture_start"), texts(&shard["pictures"])[place], text("picture_end")].concat(),
            artist: column("artists", place),
            category: column("categories", place),
            tags: own.iter().map(|at| tags[index(at).expect("a place")].to_owned()).collect(),
            palette: texts(&shard["palettes"])[place].to_owned(),
            words,
        }
    });
    told.collect()
}

fn shards(pages: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let index: Value = serde_json::from_slice(&pages["search.json"]).expect("the index is JSON");
    texts(&index["shards"]).into_iter().map(str::to_owned).collect()
}

fn all(artworks: impl Iterator<Item = Artwork>) -> Vec<Found> {
    let pages = sample::rendered(&sample::site(artworks.collect()));
    shards(&pages).iter().flat_map(|path| read(&pages[path])).collect()
}

#[test]
fn every_work_is_found_once_newest_first_and_what_is_told_of_it_is_true() {
    let works = SEARCH_PART + 7;
    let site = sample::site((0..works).map(sample::artwork).collect());
    let (pages, images) = (sample::rendered(&site), sample::images(&site));
    let found: Vec<Found> = shards(&pages).iter().flat_map(|path| read(&pages[path])).collect();
    assert_eq!(found.len(), works as usize);
    for (found, number) in found.iter().zip((0..works).rev()) {
        let artwork = sample::artwork(number);
        assert_eq!((found.id, &found.title), (artwork.id, &artwork.title));
        assert!(images.contains_key(&found.picture.replace("%20", " ")), "{}", found.picture);
        assert_eq!(found.artist.as_ref(), Some(&artwork.artist));
        assert_eq!(found.category.as_ref(), Some(&artwork.category));
        assert_eq!(found.tags, artwork.tags);
        assert_eq!(found.palette, "102030ff");
        for word in
            ["quiet", "harbour", "ink", "artist", "every"].map(str::to_owned).into_iter().chain([number.to_string()])
        {
            assert!(found.words.contains(&word), "{word} in {:?}", found.words);
        }
    }
}

#[test]
fn ten_thousand_works_take_forty_files_at_most() {
    let shards = |works: u32| works / SEARCH_CHUNK + (works % SEARCH_CHUNK).div_ceil(SEARCH_PART);
    let most = (0..=10_000).map(shards).max().expect("there are some");
    assert!(most + 2 <= 40, "{most} with the page and the list of shards");
    let script = include_str!("../../assets/search.js");
    let loaded = script.lines().find_map(|line| line.strip_prefix("const SHARDS = ")?.strip_suffix(';'));
    let loaded: u32 = loaded.expect("the script says how many it loads").parse().expect("a number");
    assert!(loaded >= most, "all of them are looked through at once");
    let pages = sample::rendered(&sample::site((0..=SEARCH_PART * 3).map(sample::artwork).collect()));
    let files: Vec<&String> = pages.keys().filter(|path| path.starts_with("search")).collect();
    assert_eq!(files.len(), 4 + 2, "{files:?}");
}

#[test]
fn paths_that_have_nothing_in_common_are_whole_and_so_is_a_single_one() {
    let work = |number: u32, key: &str| {
        let mut artwork = sample::artwork(number);
        artwork.preview = sample::image(key, 10, 10);
        artwork
    };
    let found = all([work(1, "a"), work(2, "aa"), work(3, "aaa")].into_iter());
    assert_eq!(
        found.iter().map(|found| found.picture.as_str()).collect::<Vec<_>>(),
        ["media/aaa", "media/aa", "media/a"]
    );
    assert_eq!(all([work(1, "a/ü.webp")].into_iter())[0].picture, "media/a/%C3%BC.webp");
}
