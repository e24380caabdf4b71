//! What readers find: the script of the page (`assets/shard.js`) on the shards that are written for it.

use std::collections::BTreeMap;

use atelier_events::Swatch;
use atelier_site::gallery::Artwork;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{node, sample};

const SCRIPT: &str = include_str!("../../assets/shard.js");

#[derive(Default, Serialize)]
struct Query {
    text: String,
    colours: Vec<&'static str>,
    best: bool,
}

#[derive(Deserialize)]
struct Answer {
    found: Vec<Found>,
    narrowing: Vec<Narrowing>,
}

#[derive(Deserialize)]
struct Found {
    title: String,
    artist: Option<String>,
    href: String,
    src: String,
    width: u32,
    height: u32,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Narrowing {
    kind: String,
    name: String,
    count: usize,
}

impl Answer {
    fn titles(&self) -> Vec<&str> {
        self.found.iter().map(|found| found.title.as_str()).collect()
    }
}

fn text(text: impl Into<String>) -> Query {
    Query { text: text.into(), ..Query::default() }
}

/// What the script answers; none where there is nothing to run it with, which is said.
fn asked(pages: &BTreeMap<String, Vec<u8>>, queries: &[Query]) -> Option<Vec<Answer>> {
    let index: Value = serde_json::from_slice(&pages["search.json"]).expect("the list of the shards is JSON");
    let shards = index["shards"].as_array().expect("a list").iter();
    let shards = shards.map(|path| STANDARD.encode(&pages[path.as_str().expect("a path")]));
    let told = json!({ "script": SCRIPT, "shards": shards.collect::<Vec<_>>(), "queries": queries });
    node::run("search.mjs", &told).map(|answers| serde_json::from_value(answers).expect("an answer for every query"))
}

fn works(change: impl Fn(u32, &mut Artwork), count: u32) -> BTreeMap<String, Vec<u8>> {
    let works = (0..count).map(|number| {
        let mut artwork = sample::artwork(number);
        change(number, &mut artwork);
        artwork
    });
    sample::rendered(&sample::site(works.collect()))
}

/// Words of many scripts: with and without case, accents, blanks, and one form for each character.
const PIECES: [&str; 34] = [
    "harbour",
    "Élan",
    "CAFÉ",
    "Ærø",
    "straße",
    "İstanbul",
    "ısı",
    "ﬁne",
    "½",
    "2024",
    "ΟΔΟΣ",
    "ὁδός",
    "Ночь",
    "ёлка",
    "שָׁלוֹם",
    "السَّلام",
    "नमस्ते",
    "ภาพวาด",
    "ລາວ",
    "မြန်မာ",
    "ខ្មែរ",
    "夕焼け空",
    "ｶﾀｶﾅ",
    "が",
    "年",
    "한국어",
    "𠮷野家",
    "🎨",
    "—",
    ", ",
    "·",
    "no.7",
    "a",
    "ǆ",
];

fn title() -> impl Strategy<Value = String> {
    let piece = (prop::sample::select(&PIECES[..]), prop::sample::select(&[" ", "", "-"][..]));
    prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.into_iter().flat_map(<[&str; 2]>::from).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// The script and the index cut a text into words alike, or something could not be found by its own title.
    #[test]
    fn a_work_is_found_by_its_title_and_by_every_beginning_of_it(
        titles in prop::collection::vec((title(), any::<prop::sample::Index>()), 200),
    ) {
        let pages = works(|number, artwork| {
            artwork.title.clone_from(&titles[number as usize].0);
            artwork.description.clear();
        }, 200);
        let beginnings = titles.iter().zip(0..).flat_map(|((title, cut), number)| {
            let ends: Vec<usize> = title.char_indices().map(|(at, c)| at + c.len_utf8()).collect();
            [title.as_str(), &title[..ends[cut.index(ends.len())]]].map(|beginning| (beginning, number))
        });
        // What says nothing finds nothing.
        let beginnings: Vec<(&str, u32)> =
            beginnings.filter(|(beginning, _)| beginning.chars().any(char::is_alphanumeric)).collect();
        let queries: Vec<Query> = beginnings.iter().map(|(beginning, _)| text(format!("\"{beginning}\""))).collect();
        if let Some(answers) = asked(&pages, &queries) {
            for ((beginning, number), answer) in beginnings.iter().zip(answers) {
                let page = format!("artworks/{}/", sample::artwork(*number).id);
                let is_found = answer.found.iter().any(|found| found.href == page);
                prop_assert!(is_found, "{:?} finds {:?}", beginning, answer.titles());
            }
        }
    }
}

#[test]
fn all_words_must_be_there_the_newest_comes_first_and_nothing_is_asked_by_nothing() {
    let pages = works(|_, artwork| artwork.tags.clear(), 60);
    let queries = ["work", "WORK harb", "work 5", "work nowhere", "arbour", "", " \" ", "#"].map(text);
    let Some(answers) = asked(&pages, &queries) else { return };
    let newest_first: Vec<String> = (0..60).rev().map(|number| format!("Work {number}")).collect();
    assert_eq!(answers[0].titles(), newest_first, "over the parts");
    assert_eq!(answers[1].titles(), newest_first, "words may be begun");
    let fives = newest_first.iter().filter(|title| title.starts_with("Work 5"));
    assert_eq!(answers[2].titles(), fives.collect::<Vec<_>>());
    for answer in &answers[3..] {
        assert!(answer.found.is_empty(), "{:?}", answer.titles());
    }
}

#[test]
fn names_filter_whole_or_by_their_beginning_and_say_what_would_narrow_further() {
    let tagged = |number: u32, artwork: &mut Artwork| {
        artwork.tags = [&["Sea Side", "blue"][..], &["sea"], &["blue"]][number as usize % 3]
            .iter()
            .map(|tag| (*tag).to_owned())
            .collect();
        artwork.category = ["pixel", "other"][number as usize % 2].to_owned();
    };
    let pages = works(tagged, 6);
    let queries =
        ["#sea", "tag:\"sea\"", "TAG:\"sea side\"", "#sea #blue", "artist:\"Artist 1\"", "category:pix #blue"]
            .map(text);
    let Some(answers) = asked(&pages, &queries) else { return };
    let numbers = |answer: &Answer| -> Vec<u32> {
        answer.titles().iter().map(|title| title["Work ".len()..].parse().expect("a number")).collect()
    };
    let found: Vec<Vec<u32>> = answers.iter().map(numbers).collect();
    assert_eq!(found, [vec![4, 3, 1, 0], vec![4, 1], vec![3, 0], vec![3, 0], vec![4, 1], vec![2, 0]]);
    let narrowing = |kind: &str, name: &str, count| Narrowing { kind: kind.to_owned(), name: name.to_owned(), count };
    let expected = [
        narrowing("tag", "blue", 2),
        narrowing("tag", "sea", 2),
        narrowing("tag", "sea side", 2),
        narrowing("category", "other", 2),
        narrowing("category", "pixel", 2),
        narrowing("artist", "Artist 0", 2),
        narrowing("artist", "Artist 1", 2),
    ];
    assert_eq!(answers[0].narrowing, expected);
    assert!(answers[1].narrowing.iter().all(|one| one.name != "sea"), "all of them have it");
}

#[test]
fn colours_find_what_looks_alike_the_nearest_first_and_a_wall_before_a_spot() {
    let painted = |number: u32, artwork: &mut Artwork| {
        let palettes: [&[(&str, u16)]; 5] = [
            &[("#d02020", 1_000)],
            &[("#c83030", 1_000)],
            &[("#d02020", 20), ("#101010", 980)],
            &[("#2040d0", 1_000)],
            &[("#d02020", 500), ("#2040d0", 500)],
        ];
        let swatch = |(colour, per_mille): &(&str, u16)| Swatch { colour: (*colour).to_owned(), per_mille: *per_mille };
        artwork.palette = palettes[number as usize].iter().map(swatch).collect();
    };
    let pages = works(painted, 5);
    let asks = |colours: &[&'static str]| Query { colours: colours.to_vec(), best: true, ..Query::default() };
    let queries = [asks(&["d02020"]), asks(&["d02020", "2040d0"]), asks(&["20d040"])];
    let Some(answers) = asked(&pages, &queries) else { return };
    assert_eq!(answers[0].titles(), ["Work 0", "Work 4", "Work 1", "Work 2"]);
    assert_eq!(answers[1].titles(), ["Work 4"], "each of them is to be there");
    assert!(answers[2].found.is_empty(), "{:?}", answers[2].titles());
}

#[test]
fn the_best_says_it_in_its_title_and_then_in_a_tag() {
    let said = |number: u32, artwork: &mut Artwork| match number {
        0 => artwork.title = "Lighthouse".to_owned(),
        1 => artwork.tags.push("lighthouse".to_owned()),
        _ => artwork.description = "A lighthouse".to_owned(),
    };
    let pages = works(said, 3);
    let query = |best| Query { best, ..text("lightHOUSE") };
    let Some(answers) = asked(&pages, &[query(true), query(false)]) else { return };
    assert_eq!(answers[0].titles(), ["Lighthouse", "Work 1", "Work 2"]);
    assert_eq!(answers[1].titles(), ["Work 2", "Work 1", "Lighthouse"]);
}

#[test]
fn what_is_found_leads_to_its_page_and_shows_its_picture() {
    let site = sample::site((0..70).map(sample::artwork).collect());
    let (pages, images) = (sample::rendered(&site), sample::images(&site));
    let Some(answers) = asked(&pages, &[text("work")]) else { return };
    assert_eq!(answers[0].found.len(), 70);
    for (found, number) in answers[0].found.iter().zip((0..70).rev()) {
        let artwork = sample::artwork(number);
        assert_eq!((&found.title, found.artist.as_ref()), (&artwork.title, Some(&artwork.artist)));
        assert!(
            pages[&format!("{}index.html", found.href)].windows(36).any(|id| id == artwork.id.to_string().as_bytes())
        );
        assert!(images.contains_key(&found.src.replace("%20", " ")), "{}", found.src);
        assert_eq!((found.width, found.height), (artwork.preview.width, artwork.preview.height));
    }
}
