//! What the page of a work shows of it, to readers and to machines.

use atelier_events::Swatch;
use serde_json::{Value, json};
use time::macros::date;

use crate::documents::{Element, elements, named};
use crate::sample;

fn page(pages: &std::collections::BTreeMap<String, Vec<u8>>, number: u32) -> Vec<Element> {
    elements(&pages[&format!("artworks/{}/index.html", sample::artwork(number).id)])
}

fn linked_data(page: &[Element]) -> Value {
    let data = named(page, "script").find(|script| script.attribute("type") == Some("application/ld+json"));
    serde_json::from_str(&data.expect("there is linked data").text).expect("it is JSON")
}

#[test]
fn the_day_it_was_made_is_told_and_otherwise_when_it_was_added() {
    let mut old = sample::artwork(1);
    old.created_on = Some(date!(1889 - 06 - 01));
    let pages = sample::rendered(&sample::site(vec![sample::artwork(0), old]));
    let told = |number| {
        let page = page(&pages, number);
        let time = named(&page, "time").next().expect("it says when");
        let machine = time.attribute("datetime").expect("for machines, too").to_owned();
        assert_eq!(linked_data(&page)["dateCreated"], json!(machine));
        (machine, time.text.clone())
    };
    assert_eq!(told(0), ("1970-01-01T00:00:00Z".to_owned(), "1 January 1970".to_owned()));
    assert_eq!(told(1), ("1889-06-01".to_owned(), "1 June 1889".to_owned()));
}

#[test]
fn every_size_of_its_picture_is_offered_and_is_there() {
    let mut artwork = sample::artwork(1);
    artwork.mediums = [640, 1280].map(|width| sample::image(&format!("medium/{width}/a b.jpg"), width, width)).to_vec();
    artwork.webp_mediums = vec![sample::image("medium/640/a b.webp", 640, 640)];
    let site = sample::site(vec![artwork]);
    let images = sample::images(&site);
    let page = page(&sample::rendered(&site), 1);
    let offered = |name: &str| -> Vec<(String, String)> {
        let sets = named(&page, name).filter_map(|element| element.attribute("srcset"));
        let sizes =
            sets.flat_map(|set| set.split(", ")).map(|size| size.split_once(' ').expect("an address and a width"));
        sizes.map(|(src, width)| (src.trim_start_matches("../").replace("%20", " "), width.to_owned())).collect()
    };
    let widths =
        |offered: &[(String, String)]| -> Vec<String> { offered.iter().map(|(_, width)| width.clone()).collect() };
    let (jpeg, webp) = (offered("img"), offered("source"));
    assert_eq!(
        (widths(&jpeg), widths(&webp)),
        (["640w", "1280w", "1600w"].map(str::to_owned).to_vec(), vec!["640w".to_owned()])
    );
    for (src, _) in jpeg.iter().chain(&webp) {
        assert!(images.contains_key(src), "{src} of {:?}", images.keys());
    }
    let shown = named(&page, "img").next().expect("a picture");
    assert_eq!((shown.attribute("width"), shown.attribute("height")), (Some("1600"), Some("1200")), "nothing shifts");
    assert!(
        shown.attribute("style").is_some_and(|style| style.starts_with("background:")),
        "something is seen before it"
    );
}

#[test]
fn its_recipe_its_palette_and_the_next_page_are_there() {
    let mut artwork = sample::artwork(1);
    let swatch = |colour: &str, per_mille| Swatch { colour: colour.to_owned(), per_mille };
    artwork.palette = vec![swatch("#d12f2f", 800), swatch("#102030", 200)];
    let pages = sample::rendered(&sample::site(vec![sample::artwork(0), artwork]));
    let newer = page(&pages, 1);
    let facts: Vec<&str> = named(&newer, "dd").map(|fact| fact.text.as_str()).collect();
    for fact in ["a quiet harbour", "sketch", "18446744073709551615", "ink", "1600 × 1200"] {
        assert!(facts.contains(&fact), "{fact} in {facts:?}");
    }
    let palette = newer.iter().filter(|element| element.attribute("title") == Some("Works with this colour"));
    let palette: Vec<_> = palette.filter_map(|swatch| swatch.attribute("href")).collect();
    assert_eq!(palette, ["../../search/?c=d12f2f", "../../search/?c=102030"]);
    let next = named(&newer, "link").find(|link| link.attribute("rel") == Some("next prefetch"));
    let older = format!("../../artworks/{}/", sample::artwork(0).id);
    assert_eq!(next.and_then(|link| link.attribute("href")), Some(older.as_str()));
}
