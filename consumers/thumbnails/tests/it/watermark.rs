//! The artist's name on the display rendition.

use atelier_events::RenditionKind::{Display, Icon, Preview, Thumb};
use atelier_thumbnails::{Caption, Corner, Cut, Mark, Policy, cut};
use image::{Rgb, RgbImage};

use crate::fixtures::{of, png, scene, seen};

fn marked(upload: &[u8], name: &str) -> Cut {
    cut(upload, &Caption::of("", name), &Policy::default()).unwrap_or_else(|refused| panic!("{name:.40?}: {refused}"))
}

fn display(upload: &[u8], name: &str) -> Vec<u8> {
    of(&marked(upload, name), Display).bytes.clone()
}

#[test]
fn the_name_is_on_the_display_and_on_none_of_the_small_ones() {
    let upload = png(scene(900, 600));
    let plain = cut(&upload, &Caption::default(), &Policy::default()).expect("a picture");
    let named = marked(&upload, "Ada Lovelace");
    assert_ne!(of(&named, Display), of(&plain, Display));
    for kind in [Thumb, Icon, Preview] {
        assert_eq!(of(&named, kind), of(&plain, kind));
    }
    assert_eq!((named.palette, named.placeholder), (plain.palette, plain.placeholder));
}

#[test]
fn the_name_is_legible_on_dark_and_on_light() {
    for (ground, name) in [(0, "on black"), (128, "on grey"), (255, "on white")] {
        let upload = png(RgbImage::from_pixel(1200, 800, Rgb([ground; 3])));
        let image = seen(of(&marked(&upload, "Ada Lovelace"), Display));
        let (dark, light) =
            image.pixels().fold((255, 0), |(dark, light), pixel| (pixel[1].min(dark), pixel[1].max(light)));
        assert!(light - dark > 100, "{name}: from {dark} to {light}");
        let untouched = |x: u32, y: u32| image.get_pixel(x, y)[1].abs_diff(ground) < 4;
        assert!(
            (0..400).all(|x| (0..700).all(|y| untouched(x, y))),
            "{name}: only the lower right corner is written on"
        );
    }
}

#[test]
fn a_long_name_is_shortened_and_stays_in_its_corner() {
    let upload = png(RgbImage::from_pixel(1000, 700, Rgb([0; 3])));
    for name in ["W".repeat(10_000), "Ada ".repeat(2_500), "é".repeat(120)] {
        let image = seen(of(&marked(&upload, &name), Display));
        assert!(image.pixels().any(|pixel| pixel[0] > 100), "something is written");
        assert!((0..350).all(|x| (0..700).all(|y| image.get_pixel(x, y)[0] < 20)), "it leaves the left side alone");
    }
}

#[test]
fn names_of_many_scripts_are_drawn() {
    let upload = png(scene(900, 600));
    let plain = display(&upload, "");
    for name in [
        "Zoë Ångström",
        "Мария Ильинична",
        "Ελένη",
        "Đặng Thị",
        "Čapek ♥",
        "Հայկ",
        "ქეთი",
        "e\u{301}lan",
        "مريم",
        "שרה",
        "अनुष्का",
        "山田太郎",
        "김민수",
        "👩🏽‍🎨",
    ] {
        assert_ne!(display(&upload, name), plain, "{name}");
    }
}

#[test]
fn characters_that_no_font_has_or_that_reorder_text_are_left_out() {
    let upload = png(scene(900, 600));
    // The note in the file keeps what was said; what is drawn is compared.
    let display = |upload: &[u8], name: &str| seen(of(&marked(upload, name), Display));
    assert!(display(&upload, "Ada \u{13080}\u{e123}") == display(&upload, "Ada"));
    assert!(display(&upload, " A\u{202e}d\u{0}a\u{200b}\n\t\u{2066} B\u{feff} ") == display(&upload, "Ada B"));
    let plain = display(&upload, "");
    for name in ["\u{13080}", "\u{202e}\u{202d}", "\u{7}\u{1b}", " \u{3000}\n"] {
        assert!(display(&upload, name) == plain, "{name:?}");
    }
}

#[test]
fn the_mark_stands_in_its_corner_as_strong_as_it_is_meant() {
    let upload = png(RgbImage::from_pixel(1000, 700, Rgb([0; 3])));
    let brightest = |corner, opacity_percent, left: u32, top: u32| {
        let mark = Mark { text: "Ada".to_owned(), corner, opacity_percent };
        let caption = Caption { mark: Some(mark), ..Caption::default() };
        let cut = cut(&upload, &caption, &Policy::default()).expect("a picture");
        let image = seen(of(&cut, Display));
        let part = image.enumerate_pixels().filter(|(x, y, _)| *x / 500 == left && *y / 350 == top);
        part.map(|(_, _, pixel)| pixel[1]).max().expect("a quarter of the picture")
    };
    let corners =
        [(Corner::UpperLeft, 0, 0), (Corner::UpperRight, 1, 0), (Corner::LowerLeft, 0, 1), (Corner::LowerRight, 1, 1)];
    for (corner, left, top) in corners {
        assert!(brightest(corner, 100, left, top) > 230, "{corner:?}");
        assert!(brightest(corner, 100, 1 - left, top) < 20, "{corner:?}: only there");
        let half = brightest(corner, 50, left, top);
        assert!((100..150).contains(&half), "{corner:?}: {half}");
        assert!(brightest(corner, 0, left, top) < 20, "{corner:?}: off");
    }
}

#[test]
fn no_size_and_no_name_is_too_odd() {
    let zalgo = format!("Z{}", "\u{313}\u{35c}\u{489}".repeat(400));
    for (width, height) in [(1, 1), (7, 300), (95, 95), (96, 96), (97, 2000), (2000, 97), (130, 110)] {
        let upload = png(scene(width, height));
        for name in
            ["A", "Ada Lovelace of Somewhere Far Away", "…", "\u{fdfd}", "ﷺ", "\u{1f468}\u{200d}\u{1f3a8}", &zalgo]
        {
            let cut = marked(&upload, name);
            assert_eq!((of(&cut, Display).width, of(&cut, Display).height), (width, height));
        }
    }
}
