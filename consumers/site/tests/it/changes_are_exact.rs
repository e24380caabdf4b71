//! What has changed is written, and the result is what a rebuild of everything gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use atelier_events::{Lineage, Relation, Swatch, VariantId};
use atelier_site::archive::{PAGE_SIZE, SMALL};
use atelier_site::catalogue::{SEARCH_CHUNK, SITEMAP_CHUNK};
use atelier_site::gallery::{Artwork, Variant};
use atelier_site::pages::{Site, media_path};
use atelier_site::release::{Compare, Folder};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sha2::{Digest, Sha256};

use crate::sample;

/// What may happen between two looks at the site.
#[derive(Clone, Debug)]
enum Step {
    /// Shows an artwork in one of the ways of [`artwork`], whether it is shown or not.
    Show {
        number: u32,
        way: u32,
    },
    Hide {
        number: u32,
    },
    /// What has changed is written.
    Write,
}

/// An artwork in one of several ways: of other words, in other listings, of another picture, or come from another work.
fn artwork(number: u32, way: u32) -> Artwork {
    let mut artwork = sample::artwork(number);
    let from = |parent: u32, relation| Lineage { parent: VariantId(sample::version(parent)), relation };
    match way % 10 {
        0 => {}
        1 => artwork.title = format!("Another title {way}"),
        2 => artwork.tags = vec!["every".to_owned(), "rare".to_owned(), format!("rest {}", number % 3)],
        3 => artwork.tags.clear(),
        4 => artwork.preview = sample::image(&format!("preview/{number}/{way}.webp"), 200, 100),
        5 => {
            ["ARTIST 1", "Somebody Else", ""][number as usize % 3].clone_into(&mut artwork.artist);
            ["Painting", ""][number as usize % 2].clone_into(&mut artwork.category);
        }
        6 => artwork.palette = [("#d12f2f", 400), ("#ffffff", 600)].map(swatch).into(),
        7 => artwork.lineage = vec![from(number / 2, Relation::Forked), from(number + 1, Relation::Derived)],
        8 => artwork.cover = sample::version(number + 1_000),
        _ => {
            artwork.variants = vec![Variant {
                id: sample::version(number + 1_000),
                display: sample::image(&format!("display/{number}/other.jpg"), 10, 10),
                thumb: sample::image(&format!("thumb/{number}/other.jpg"), 10, 10),
                prompt: None,
                lineage: vec![from(number, Relation::Refined), from(number % 10, Relation::Derived)],
            }];
        }
    }
    artwork
}

fn swatch((colour, per_mille): (&str, u16)) -> Swatch {
    Swatch { colour: colour.to_owned(), per_mille }
}

fn step(numbers: u32) -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..numbers, 0_u32..20).prop_map(|(number, way)| Step::Show { number, way }),
        3 => (0..numbers).prop_map(|number| Step::Hide { number }),
        2 => Just(Step::Write),
    ]
}

/// Artworks shown at first, and what happens then to those and some more. The sizes are around those at which pages and
/// chunks begin, and at which what comes to a listing waits for its turn there.
fn history() -> impl Strategy<Value = (u32, Vec<Step>)> {
    let turns = SMALL + PAGE_SIZE - 9..SMALL + PAGE_SIZE;
    let shown = prop_oneof![0_u32..30, SITEMAP_CHUNK - 7..SITEMAP_CHUNK + 5, SMALL - 5..SMALL + 3, turns];
    shown.prop_flat_map(|shown| (Just(shown), proptest::collection::vec(step(shown + 8), 1..40)))
}

fn happen(site: &mut Site, step: &Step) {
    match step {
        Step::Show { number, way } => site.show(artwork(*number, *way)).expect("the sample can be shown"),
        Step::Hide { number } => site.hide(sample::artwork(*number).id),
        Step::Write => {}
    }
}

fn opened(shown: u32) -> Site {
    Arc::into_inner(sample::site((0..shown).map(sample::artwork).collect())).expect("its only owner")
}

/// Writes what has changed, as a release does.
fn write(site: &mut Site, files: &mut BTreeMap<String, Vec<u8>>) {
    let work = site.changed();
    for path in work.gone {
        files.remove(&path);
    }
    for file in work.files {
        let page = site.render(file).expect("a file that there is renders");
        files.insert(page.path, page.bytes);
    }
    files.extend(work.images.iter().map(|image| (media_path(&image.key), sample::image_bytes(&image.key))));
    site.settle();
}

fn everything(site: &Site) -> BTreeMap<String, Vec<u8>> {
    let mut files = sample::rendered(site);
    files.extend(sample::images(site));
    files
}

fn difference(written: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let paths = written.keys().chain(expected.keys()).filter(|path| written.get(*path) != expected.get(*path));
    let mut paths: Vec<String> = paths.cloned().collect();
    paths.dedup();
    paths
}

fn check(shown: u32, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut site = opened(shown);
    let mut written = everything(&site);
    site.settle();
    for step in steps.iter().chain([&Step::Write]) {
        happen(&mut site, step);
        if matches!(step, Step::Write) {
            write(&mut site, &mut written);
            prop_assert_eq!(difference(&written, &everything(&site)), Vec::<String>::new());
        }
    }
    let mut again = opened(shown);
    for step in steps {
        happen(&mut again, step);
    }
    prop_assert_eq!(difference(&written, &everything(&again)), Vec::<String>::new());
    Ok(())
}

#[test]
fn whatever_happens_the_files_are_those_of_a_rebuild_of_everything() {
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) });
    runner.run(&history(), |(shown, steps)| check(shown, &steps)).unwrap_or_else(|failed| panic!("{failed}"));
}

/// Thirty listings take their turns one after the other, so that more wait in each than a feed has at the least.
#[test]
fn what_happens_to_those_who_waited_together_is_in_the_feeds_as_in_a_rebuild() {
    let tagged = |number| {
        let mut artwork = sample::artwork(number);
        artwork.tags = (0..30).map(|tag| format!("tag {tag}")).collect();
        artwork
    };
    let shown = SMALL + 150;
    let mut site = Arc::into_inner(sample::site((0..shown).map(tagged).collect())).expect("its only owner");
    let mut written = everything(&site);
    site.settle();
    let told = |path: &str| String::from_utf8_lossy(&written[path]).matches("<entry>").count();
    let most = (0..30).map(|tag| told(&format!("tags/tag_{tag}/feed.xml"))).max();
    assert!(most > Some(20), "{most:?} at the most are told of by a feed");
    for (nth, number) in (shown - 60..shown).step_by(4).enumerate() {
        if nth.is_multiple_of(3) {
            site.hide(tagged(number).id);
        } else {
            let mut artwork = tagged(number);
            "Another title".clone_into(&mut artwork.title);
            site.show(artwork).expect("the sample can be shown");
        }
        write(&mut site, &mut written);
        assert_eq!(difference(&written, &everything(&site)), Vec::<String>::new(), "{number}");
    }
}

#[test]
fn a_chunk_of_the_search_begins_and_ends_as_it_does_in_a_rebuild() {
    let show = |number| Step::Show { number, way: 0 };
    let hide = |number| Step::Hide { number };
    let full = SEARCH_CHUNK;
    let steps = [show(full - 1), Step::Write, show(full), Step::Write, hide(full), Step::Write, show(full + 1)];
    check(full - 1, &steps).unwrap_or_else(|failed| panic!("{failed}"));
}

/// A release that lays files out differently is not gone on with, if the program says that it does: here is what reminds of it.
#[test]
fn what_files_there_are_and_when_they_show_what_is_what_this_layout_says() {
    let mut site = opened(0);
    let mut digest = Sha256::new();
    for number in 0..SEARCH_CHUNK + 60 {
        let mut artwork = artwork(number, number % 8);
        artwork.tags.extend((0..20).map(|tag| format!("tag {tag}")));
        site.show(artwork).expect("the sample can be shown");
        for path in site.changed().files.iter().map(|file| site.path(*file)).filter(|path| !path.starts_with("assets/"))
        {
            digest.update(path);
            digest.update("\n");
        }
        site.settle();
    }
    let digest: [u8; 32] = digest.finalize().into();
    let digest = u64::from_be_bytes(*digest.first_chunk().expect("it has more bytes"));
    assert_eq!(
        digest, 0xc6b2_ad34_ff86_561f,
        "count up LAYOUT in pages.rs, so that it is another edition, and write {digest:#x} here"
    );
}

#[test]
fn what_did_not_change_is_not_looked_at() {
    let mut site = opened(60);
    site.settle();
    site.show(sample::artwork(7)).expect("it is shown already");
    assert!(site.changed().is_empty(), "{:?}", site.changed());
    site.show(sample::artwork(60)).expect("a new one");
    let work = site.changed();
    assert!(work.files.len() <= 24, "{:?}", work.files);
    assert_eq!((work.images.len(), work.gone.len()), (4, 0));
}

/// The same on disk: releases by what has changed, one after the other, against a folder that was written at once.
#[test]
fn releases_by_what_has_changed_are_the_release_of_everything() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(6) });
    let released = |(shown, steps): (u32, Vec<Step>)| {
        runtime.block_on(async {
            let place = tempfile::tempdir().expect("a temporary folder");
            let one_by_one = place.path().join("one by one");
            let folder = Folder::new(&one_by_one, 5).expect("a folder");
            let mut site = Arc::new(opened(shown));
            let (mut position, mut since) = (0, None);
            for step in steps.iter().chain([&Step::Write]) {
                happen(Arc::get_mut(&mut site).expect("no deploy runs"), step);
                if matches!(step, Step::Write) {
                    position += 1;
                    let deployed =
                        folder.deploy(position, Arc::clone(&site), Compare::Since(since), sample::from_bucket);
                    since = Some(deployed.await.expect("the deploy succeeds").release.number);
                    Arc::get_mut(&mut site).expect("no deploy runs").settle();
                    if position % 3 != 0 {
                        folder.prepare().await.expect("a spare is made");
                    }
                }
            }
            let release = folder.live().expect("readable").expect("something is live");
            let (live, expected) = (sample::files(&one_by_one), everything(&site));
            let bytes: usize = live.values().map(Vec::len).sum();
            prop_assert_eq!(difference(&live, &expected), Vec::<String>::new());
            prop_assert_eq!((release.files, release.bytes), (live.len() as u64, bytes as u64));
            Ok(())
        })
    };
    runner.run(&history(), released).unwrap_or_else(|failed| panic!("{failed}"));
}
