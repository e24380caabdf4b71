use std::collections::{BTreeSet, VecDeque};

use atelier_events::{Lineage, Relation, VariantId};
use atelier_site::gallery::Variant;

use crate::documents::{Element, elements, has_extension, named};
use crate::sample;

/// Where a link on the page at `path` leads: the path of a file of the site, or none for another site.
fn target(path: &str, href: &str) -> Option<String> {
    let href = href.split(['#', '?']).next().unwrap_or_default();
    if href.starts_with("mailto:") || href.starts_with("data:") {
        return None;
    }
    if href.contains("://") {
        let inside = href.strip_prefix("https://art.example/gallery/")?;
        return Some(file(&decoded(inside)));
    }
    if let Some(absolute) = href.strip_prefix('/') {
        let inside = absolute.strip_prefix("gallery/").unwrap_or_else(|| panic!("{href} on {path} leaves the site"));
        return Some(file(&decoded(inside)));
    }
    if href.is_empty() {
        return Some(path.to_owned());
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    let decoded = decoded(href);
    for part in decoded.split('/').filter(|part| *part != ".") {
        match part {
            ".." => assert!(parts.pop().is_some(), "{href} on {path} leaves the site"),
            part => parts.push(part),
        }
    }
    Some(file(&parts.join("/")))
}

fn file(path: &str) -> String {
    if path.is_empty() || path.ends_with('/') { format!("{path}index.html") } else { path.to_owned() }
}

fn decoded(href: &str) -> String {
    let mut bytes = vec![];
    let mut rest = href.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(&tail[..2]).expect("an escape is ASCII");
            bytes.push(u8::from_str_radix(digits, 16).expect("an escape is hexadecimal"));
            rest = &tail[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).expect("a link is UTF-8")
}

fn references(element: &Element) -> impl Iterator<Item = &str> {
    ["href", "src", "action"].into_iter().filter_map(|name| element.attribute(name))
}

fn sample_site() -> std::sync::Arc<atelier_site::pages::Site> {
    let mut artworks: Vec<_> = (0..90).map(sample::artwork).collect();
    artworks[3].tags = ["日本 語", "50% off?", "a/b", "#1"].map(str::to_owned).to_vec();
    artworks[4].variants = vec![Variant {
        id: uuid::Uuid::from_u128(900),
        display: sample::image("display/other.jpg", 10, 10),
        thumb: sample::image("thumb/other.jpg", 10, 10),
        prompt: None,
        lineage: vec![],
    }];
    artworks[5].lineage = vec![Lineage { parent: VariantId(sample::version(40)), relation: Relation::Derived }];
    artworks[6].lineage = vec![Lineage { parent: VariantId(uuid::Uuid::from_u128(900)), relation: Relation::Forked }];
    sample::site(artworks)
}

#[test]
fn every_link_leads_to_a_file_and_every_page_can_be_reached_from_home() {
    let site = sample_site();
    let pages = sample::rendered(&site);
    let images = sample::images(&site);
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut queue = VecDeque::from(["index.html".to_owned(), "404.html".to_owned()]);
    while let Some(path) = queue.pop_front() {
        if !reached.insert(path.clone()) || !has_extension(&path, "html") {
            continue;
        }
        for element in elements(&pages[&path]) {
            for target in references(&element).filter_map(|href| target(&path, href)) {
                let exists = pages.contains_key(&target) || images.contains_key(&target);
                assert!(exists, "{path} leads to {target}, which does not exist: {element:?}");
                queue.push_back(target);
            }
        }
    }
    let unreached: Vec<_> =
        pages.keys().filter(|path| path.ends_with("index.html") && !reached.contains(*path)).collect();
    assert!(unreached.is_empty(), "{unreached:?}");
    for path in images.keys().filter(|path| path.contains("/display/")) {
        assert!(reached.contains(path), "{path} is shown");
    }
}

#[test]
fn every_picture_keeps_its_place_free_while_it_loads() {
    for (path, bytes) in sample::rendered(&sample_site()) {
        if has_extension(&path, "html") {
            for image in named(&elements(&bytes), "img") {
                assert!(image.attribute("width").is_some() && image.attribute("height").is_some(), "{path}: {image:?}");
                assert!(image.attribute("alt").is_some(), "{path}: {image:?}");
            }
        }
    }
}

#[test]
fn pages_stay_small_before_images() {
    let pages = sample::rendered(&sample_site());
    let assets: usize =
        pages.iter().filter(|(path, _)| path.starts_with("assets/")).map(|(_, bytes)| bytes.len()).sum();
    assert!(pages["index.html"].len() + assets < 100_000, "{} bytes", pages["index.html"].len() + assets);
}
