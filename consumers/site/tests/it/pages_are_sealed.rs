use std::collections::BTreeMap;

use atelier_site::archive::{Archive, FRONT_MIN, PAGE_SIZE, Pace, ROW, SMALL, page_of};
use atelier_site::catalogue::{Catalogue, SEARCH_CHUNK, Slot, Turned};
use atelier_site::listings::FeedFormat;
use atelier_site::turns::TURN_FILES;
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
fn every_artwork_is_on_a_page_or_the_front_and_the_order_is_kept() {
    for artworks in [0, 1, 11, 12, 23, 24, 25, 47, 48, 49, 73, 120] {
        let site = sample::site((0..artworks).map(sample::artwork).collect());
        let newest_first: Vec<String> =
            (0..artworks).rev().map(|number| sample::artwork(number).id.to_string()).collect();
        let pages = sample::rendered(&site);
        let archive = archive_pages(&pages, "");
        assert_eq!(archive.len(), newest_first.len() / PAGE_SIZE as usize);
        let from_newest: Vec<String> = archive.iter().rev().flat_map(|page| listed(page)).collect();
        assert_eq!(from_newest, newest_first[newest_first.len() - from_newest.len()..], "{artworks} artworks");
        let front = listed(&pages["index.html"]);
        assert_eq!(front, newest_first[..front.len()], "{artworks} artworks");
        assert!(front.len() + from_newest.len() >= newest_first.len(), "{artworks} artworks");
        assert!(front.len() >= newest_first.len().min(FRONT_MIN), "{artworks} artworks");
        assert!(front.len() < PAGE_SIZE as usize + FRONT_MIN, "{artworks} artworks");
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
            assert!(old.len() == new.len() || artworks.is_multiple_of(PAGE_SIZE), "{folder} with {artworks} artworks");
            assert!(old.len() < new.len() || old == new, "{folder} with {artworks} artworks");
        }
        before = after;
    }
    assert_eq!(archive_pages(&before, "").len(), 4);
}

#[test]
fn adding_an_artwork_changes_a_handful_of_files_at_any_size() {
    for artworks in [30, 130, SEARCH_CHUNK + 10] {
        let before = sample::rendered(&sample::site((0..artworks).map(sample::artwork).collect()));
        let after = sample::rendered(&sample::site((0..=artworks).map(sample::artwork).collect()));
        let changed: Vec<&String> =
            after.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)).map(|(path, _)| path).collect();
        assert!(changed.len() <= 24, "{artworks}: {changed:#?}");
        assert!(before.keys().all(|path| after.contains_key(path)), "nothing disappears");
    }
}

/// With everything that an artwork can be listed by, and pages that are sealed once in a while.
#[test]
fn in_a_large_gallery_an_addition_rewrites_few_files_besides_its_pictures() {
    let artwork = |number: u32| {
        let mut artwork = sample::artwork(number);
        artwork.tags = (0..5).map(|tag| format!("tag {}", (number * 7 + tag * 3) % 20)).collect();
        artwork.palette = [("#d12f2f", 400), ("#ffffff", 300), ("#2f66d4", 300)]
            .map(|(colour, per_mille)| atelier_events::Swatch { colour: colour.to_owned(), per_mille })
            .into();
        artwork
    };
    // One of them fills a chunk of the search.
    let shown = 5 * SEARCH_CHUNK - 48;
    let mut site = std::sync::Arc::into_inner(sample::site((0..shown).map(artwork).collect())).expect("its only owner");
    site.settle();
    let mut counts: Vec<usize> = (shown..shown + 96)
        .map(|number| {
            site.show(artwork(number)).expect("it can be shown");
            let count = site.changed().files.len();
            site.settle();
            count
        })
        .collect();
    counts.sort_unstable();
    let (median, most) = (counts[48], counts[95]);
    assert!(median <= 12 && most <= 16, "{counts:?}");
}

/// All of them at once: every work comes to the same listings, and these would all have a row with the same work.
#[test]
fn few_listings_take_their_turns_with_one_work_and_none_waits_for_long() {
    const TAGS: u32 = 30;
    let mut catalogue = Catalogue::default();
    let mut files = vec![];
    for number in 0..4 * SMALL {
        let mut artwork = sample::artwork(number);
        artwork.tags = (0..TAGS).map(|tag| format!("tag {tag}")).collect();
        let told_below = catalogue.listings().map(|(id, listing)| (id, listing.archive.told_below()));
        let told_below: BTreeMap<_, _> = told_below.collect();
        let turned = catalogue.show(artwork.into()).expect("it can be shown");
        let is_enough = catalogue.all().given().is_multiple_of(SEARCH_CHUNK);
        assert!(!is_enough || turned.is_empty(), "a chunk of the search is enough: {turned:?}");
        for turned in turned.iter().filter(|turned| turned.tells) {
            let archive = &catalogue.listing(turned.listing).archive;
            let told = told_below[&turned.listing]..archive.told_below();
            let newest =
                archive.newest_shown().filter(|slot| archive.place(*slot).is_some_and(|place| told.contains(&place)));
            let newest: Vec<Slot> = newest.collect();
            assert!(archive.told(10).take(newest.len()).eq(newest), "a reader of the feed misses what waited");
        }
        let of = |turned: &Turned| {
            let listing = catalogue.listing(turned.listing);
            match page_of(listing.archive.shown_below()) - page_of(turned.before) {
                _ if turned.tells => FeedFormat::of(listing.kind).len(),
                0 => 1,
                pages => 2 + pages as usize,
            }
        };
        files.push((turned.len(), turned.iter().map(of).sum()));
    }
    let allowed = |(turns, files): &(usize, usize)| *turns <= 1 || *files <= TURN_FILES as usize;
    assert!(files.iter().all(allowed), "{files:?}");
    let waiting = catalogue.listings().map(|(_, listing)| listing.archive.given() - listing.archive.shown_below());
    // One at a time at the least, for its pages and then for its feeds.
    let waiting: Vec<u32> = waiting.collect();
    assert!(waiting.iter().all(|most| *most as usize <= ROW as usize + 2 * waiting.len()), "{waiting:?}");
    let with_feeds = catalogue.listings().filter(|(_, listing)| !FeedFormat::of(listing.kind).is_empty());
    let untold = with_feeds.filter(|(_, listing)| listing.archive.told_below() < listing.archive.shown_below());
    assert!(untold.count() <= 4, "feeds come with the next works");
}

/// One that gets nothing more, while others get more than there are turns for.
#[test]
fn a_listing_has_its_turn_however_much_comes_to_others() {
    const TAGS: u32 = 40;
    let mut catalogue = Catalogue::default();
    for number in 0..10 * SMALL {
        let mut artwork = sample::artwork(number);
        artwork.tags = (0..TAGS).map(|tag| format!("tag {tag}")).collect();
        artwork.tags.extend((4 * SMALL..5 * SMALL + ROW).contains(&number).then(|| "rare".to_owned()));
        catalogue.show(artwork.into()).expect("it can be shown");
    }
    let (_, rare) = catalogue.listings().find(|(_, listing)| listing.name == "rare").expect("it is there");
    assert_eq!((rare.archive.waiting(), rare.archive.told_below()), (0, SMALL + ROW));
}

#[test]
fn a_listing_shows_what_came_to_it_at_once_while_it_is_small_and_at_its_turn_when_it_is_large() {
    let mut archive = Archive::new(Pace::InRows);
    let mut seen = vec![];
    for number in 0..SMALL + 3 * ROW + 2 {
        archive.enter(Slot(number));
        seen.push((archive.newest_shown().count(), archive.is_due()));
        // Its second turn comes late.
        if archive.is_due() && number >= SMALL + 2 * ROW || number == SMALL + ROW - 1 {
            archive.show();
        }
    }
    let (small, row) = (SMALL as usize, ROW as usize);
    let late = small + 2 * row + 1;
    let expected = |given: usize| {
        let shown = match given {
            _ if given <= small => given,
            _ if given <= small + row => small,
            _ if given <= late => small + row,
            _ if given <= late + row => late,
            _ => late + row,
        };
        (shown, given - shown >= row)
    };
    assert_eq!(seen, (1..=small + 3 * row + 2).map(expected).collect::<Vec<_>>());
}

/// The pages of a large listing come into being with what they show, however many wait.
#[test]
fn a_page_is_there_once_all_its_places_are_shown() {
    let mut archive = Archive::new(Pace::InRows);
    for number in 0..SMALL + PAGE_SIZE {
        archive.enter(Slot(number));
    }
    let full = SMALL / PAGE_SIZE;
    assert_eq!((archive.pages().last(), archive.new_pages()), (Some(full), 1));
    archive.show();
    assert_eq!((archive.pages().last(), archive.new_pages()), (Some(full + 1), 0));
}

/// A gallery in which the only works of a listing that are left have come last.
#[test]
fn a_large_listing_of_which_only_the_newest_are_left_shows_them() {
    let mut archive = Archive::new(Pace::InRows);
    for number in 0..=SMALL {
        archive.enter(Slot(number));
    }
    for number in 0..SMALL {
        archive.leave(Slot(number));
    }
    assert_eq!(archive.front().collect::<Vec<_>>(), [Slot(SMALL)]);
    assert_eq!(archive.told(10).collect::<Vec<_>>(), [Slot(SMALL)]);
}

/// The pages have shown the newest, and the feeds do not tell of them yet.
#[test]
fn feeds_that_would_be_empty_tell_of_what_is_shown() {
    let mut archive = Archive::new(Pace::InRows);
    for number in 0..SMALL + ROW {
        archive.enter(Slot(number));
    }
    archive.show();
    assert_eq!((archive.told_below(), archive.shown_below()), (SMALL, SMALL + ROW));
    for number in 0..SMALL {
        archive.leave(Slot(number));
    }
    assert_eq!(archive.told(10).count(), ROW as usize);
}

#[test]
fn removing_an_artwork_from_the_middle_changes_one_page_of_each_listing() {
    let mut site =
        std::sync::Arc::into_inner(sample::site((0..200).map(sample::artwork).collect())).expect("its only owner");
    let before = sample::rendered(&site);
    site.hide(sample::artwork(60).id);
    let after = sample::rendered(&site);
    let differing: Vec<&str> = before
        .iter()
        .filter(|(path, bytes)| after.get(*path) != Some(bytes))
        .map(|(path, _)| path.as_str())
        .filter(|path| path.contains("page/"))
        .collect();
    let expected = [
        "artists/artist_0/page/1/index.html",
        "categories/other/page/3/index.html",
        "colours/blue/page/3/index.html",
        "page/3/index.html",
        "tags/every/page/3/index.html",
        "tags/mod_4/page/1/index.html",
    ];
    assert_eq!(differing, expected);
}

#[test]
fn an_artwork_that_comes_back_has_the_places_it_had() {
    let mut site =
        std::sync::Arc::into_inner(sample::site((0..60).map(sample::artwork).collect())).expect("its only owner");
    let before = sample::rendered(&site);
    for number in [3, 59, 30] {
        site.hide(sample::artwork(number).id);
    }
    for number in [30, 3, 59] {
        site.show(sample::artwork(number)).expect("it was shown before");
    }
    assert!(sample::rendered(&site) == before);
}

#[test]
fn spellings_of_a_tag_share_a_page_and_different_tags_never_do() {
    let mut artworks: Vec<_> = (0..7).map(sample::artwork).collect();
    for (artwork, tag) in artworks.iter_mut().zip(["C++", "c", "C#", " c++ ", "sci-fi", "Sci Fi", "夕焼け"]) {
        artwork.tags = vec![tag.to_owned(), tag.to_owned()];
    }
    let pages = sample::rendered(&sample::site(artworks));
    let fronts: Vec<&String> = pages
        .keys()
        .filter(|path| path.starts_with("tags/") && path.matches('/').count() == 2 && path.ends_with("/index.html"))
        .collect();
    assert_eq!(fronts.len(), 6, "{fronts:?}");
    let plus = fronts.iter().find(|path| listed(&pages[**path]).len() == 2);
    assert!(plus.is_some_and(|path| path.starts_with("tags/c~")), "{plus:?}");
    for clean in ["tags/c/index.html", "tags/sci-fi/index.html", "tags/sci_fi/index.html", "tags/夕焼け/index.html"]
    {
        assert!(pages.contains_key(clean), "{clean}");
    }
}

/// Whether someone enters a listing or leaves it.
fn moves() -> impl Strategy<Value = Vec<(u32, bool)>> {
    proptest::collection::vec((0_u32..90, proptest::bool::weighted(0.7)), 0..400)
}

proptest! {
    #[test]
    fn pages_and_front_hold_everyone_who_is_listed_in_order(moves in moves()) {
        let (mut archive, mut places, mut listed) = (Archive::new(Pace::AtOnce), Vec::new(), std::collections::BTreeSet::new());
        for (number, enters) in moves {
            let slot = Slot(number);
            if enters {
                archive.enter(slot);
                listed.insert(slot);
                if !places.contains(&slot) {
                    places.push(slot);
                }
            } else {
                archive.leave(slot);
                listed.remove(&slot);
            }
        }
        let newest: Vec<Slot> = places.iter().rev().copied().filter(|slot| listed.contains(slot)).collect();
        prop_assert_eq!(archive.newest().collect::<Vec<_>>(), newest.clone());
        // From the front along the links to older pages, everyone is met once, newest first.
        let mut met: Vec<Slot> = archive.front().collect();
        prop_assert!(met.len() >= newest.len().min(FRONT_MIN));
        let mut next = archive.below_front();
        while let Some(number) = next {
            let page: Vec<Slot> = archive.chunk(number, PAGE_SIZE).collect();
            prop_assert!(!page.is_empty() && archive.has_page(number));
            met.extend(page);
            next = archive.older_page(number);
        }
        prop_assert_eq!(met, newest);
        // And back along the links to newer ones.
        let pages: Vec<u32> = archive.pages().collect();
        for pair in pages.windows(2) {
            prop_assert_eq!(archive.newer_page(pair[0]), Some(pair[1]));
            prop_assert_eq!(archive.older_page(pair[1]), Some(pair[0]));
        }
        prop_assert_eq!(pages.last().and_then(|newest| archive.newer_page(*newest)), None);
    }
}
