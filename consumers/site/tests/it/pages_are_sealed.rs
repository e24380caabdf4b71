use std::collections::BTreeMap;

use atelier_site::archive::{Archive, PAGE_SIZE};
use atelier_site::gallery::Gallery;
use atelier_site::pages::{SEARCH_CHUNK, Site};
use proptest::prelude::*;

use crate::documents::{elements, named};
use crate::sample;

/// The artworks a page lists, in order, by their links.
fn listed(page: &[u8]) -> Vec<String> {
    let found = elements(page);
    let links = named(&found, "a").filter_map(|link| link.attribute("href"));
    let artworks = links.filter_map(|href| href.split_once("artworks/").map(|(_, rest)| rest.trim_end_matches('/')));
    artworks.map(str::to_owned).collect()
}

fn archive_pages(pages: &BTreeMap<String, Vec<u8>>, folder: &str) -> Vec<Vec<u8>> {
    (1..).map_while(|number| pages.get(&format!("{folder}page/{number}/index.html")).cloned()).collect()
}

#[test]
fn every_artwork_is_on_one_archive_page_and_the_order_is_kept() {
    for artworks in [0, 1, 23, 24, 25, 47, 48, 49, 73, 120] {
        let gallery = sample::gallery(artworks);
        let newest_first: Vec<String> = gallery.artworks().iter().map(|artwork| artwork.id.to_string()).collect();
        let pages = sample::rendered(&Site::new(sample::meta(), gallery).expect("the sample renders"));
        let archive = archive_pages(&pages, "");
        let from_newest: Vec<String> = archive.iter().rev().flat_map(|page| listed(page)).collect();
        assert_eq!(from_newest, newest_first, "{artworks} artworks");
        let front = listed(&pages["index.html"]);
        assert_eq!(front, newest_first[..front.len()], "{artworks} artworks");
        assert!(front.len() >= newest_first.len().min(PAGE_SIZE + 1) && front.len() <= 2 * PAGE_SIZE, "{artworks}");
    }
}

#[test]
fn adding_an_artwork_leaves_every_sealed_page_as_it_was() {
    let mut before = sample::rendered(&sample::site(vec![]));
    for artworks in 1..=100 {
        let after = sample::rendered(&sample::site((0..artworks).map(sample::artwork).collect()));
        for folder in ["", "tags/every/"] {
            let (old, new) = (archive_pages(&before, folder), archive_pages(&after, folder));
            let sealed = old.len().saturating_sub(1);
            assert!(old[..sealed] == new[..sealed], "{folder} with {artworks} artworks");
        }
        before = after;
    }
    assert_eq!(archive_pages(&before, "").len(), 5);
}

#[test]
fn adding_an_artwork_changes_a_handful_of_files_at_any_size() {
    for artworks in [30, SEARCH_CHUNK + 50] {
        let artworks = u32::try_from(artworks).expect("a small number");
        let before = sample::rendered(&sample::site((0..artworks).map(sample::artwork).collect()));
        let after = sample::rendered(&sample::site((0..=artworks).map(sample::artwork).collect()));
        let changed: Vec<&String> =
            after.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)).map(|(path, _)| path).collect();
        assert!(changed.len() <= 16, "{artworks}: {changed:#?}");
        assert!(before.keys().all(|path| after.contains_key(path)), "nothing disappears");
    }
}

#[test]
fn the_same_gallery_in_any_order_gives_the_same_bytes() {
    let artworks: Vec<_> = (0..60).map(sample::artwork).collect();
    let reversed: Vec<_> = artworks.iter().rev().cloned().collect();
    assert!(sample::rendered(&sample::site(artworks)) == sample::rendered(&sample::site(reversed)));
}

#[test]
fn artworks_of_one_moment_are_ordered_by_id() {
    let mut artworks: Vec<_> = (0..5).map(sample::artwork).collect();
    let moment = artworks[0].created_at;
    for artwork in &mut artworks {
        artwork.created_at = moment;
    }
    let forwards = Gallery::new(artworks.clone());
    artworks.reverse();
    assert_eq!(forwards, Gallery::new(artworks));
}

#[test]
fn spellings_of_a_tag_share_a_page_and_different_tags_never_do() {
    let mut artworks: Vec<_> = (0..7).map(sample::artwork).collect();
    for (artwork, tag) in artworks.iter_mut().zip(["C++", "c", "C#", " c++ ", "sci-fi", "Sci Fi", "夕焼け"]) {
        artwork.tags = vec![tag.to_owned(), tag.to_owned()];
    }
    let pages = sample::rendered(&sample::site(artworks));
    let fronts: Vec<&String> =
        pages.keys().filter(|path| path.starts_with("tags/") && path.matches('/').count() == 2).collect();
    assert_eq!(fronts.len(), 6, "{fronts:?}");
    let plus = fronts.iter().find(|path| listed(&pages[**path]).len() == 2);
    assert!(plus.is_some_and(|path| path.starts_with("tags/c~")), "{plus:?}");
    for clean in ["tags/c/index.html", "tags/sci-fi/index.html", "tags/sci_fi/index.html", "tags/夕焼け/index.html"]
    {
        assert!(pages.contains_key(clean), "{clean}");
    }
}

proptest! {
    #[test]
    fn pages_partition_a_listing(len in 0_usize..500, size in 1_usize..40) {
        let archive = Archive::new(len, size);
        let from_newest: Vec<usize> = (1..=archive.pages()).rev().flat_map(|number| archive.page(number)).collect();
        prop_assert_eq!(from_newest, (0..len).collect::<Vec<_>>());
        prop_assert!(archive.page(archive.pages() + 1).is_empty());
        // What the front does not show begins on the page it leads to.
        let below = archive.below_front().map_or(len, |number| archive.page(number).start);
        prop_assert_eq!(archive.front(), 0..below);
        for number in 1..archive.pages() {
            let counted_from_oldest = |archive: Archive, len: usize| {
                let range = archive.page(number);
                len - range.end..len - range.start
            };
            let grown = Archive::new(len + 1, size);
            prop_assert_eq!(counted_from_oldest(archive, len), counted_from_oldest(grown, len + 1));
        }
    }
}
