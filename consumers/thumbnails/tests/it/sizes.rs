//! How large the renditions are, and which there are.

use atelier_events::RenditionKind::{
    Animation, Card, Display, Icon, Lossless, Medium640, Medium640Webp, Medium1280, Medium1280Webp, Preview, Thumb,
};
use atelier_thumbnails::{Caption, Policy, cut};

use crate::fixtures::{cut_plain, jpeg, of, png, scene, seen};

/// Width and height of the source, then of the display, thumb, icon and preview.
const SIZES: [[(u32, u32); 5]; 9] = [
    [(4000, 3000), (2048, 1536), (300, 300), (128, 128), (256, 192)],
    [(2400, 3600), (1365, 2048), (300, 300), (128, 128), (171, 256)],
    [(2048, 2048), (2048, 2048), (300, 300), (128, 128), (256, 256)],
    [(640, 480), (640, 480), (300, 300), (128, 128), (256, 192)],
    [(300, 301), (300, 301), (300, 300), (128, 128), (255, 256)],
    [(200, 90), (200, 90), (90, 90), (90, 90), (200, 90)],
    [(4000, 400), (2048, 205), (300, 300), (128, 128), (256, 26)],
    [(4000, 3), (2048, 2), (3, 3), (3, 3), (256, 1)],
    [(1, 1), (1, 1), (1, 1), (1, 1), (1, 1)],
];

#[test]
fn renditions_have_the_promised_sizes_and_never_more_pixels_than_the_source() {
    for [source, display, thumb, icon, preview] in SIZES {
        let cut = cut_plain(&jpeg(&scene(source.0, source.1))).expect("a picture");
        assert_eq!((cut.source.width, cut.source.height), source);
        let mut expected = vec![(Display, display), (Thumb, thumb), (Icon, icon), (Preview, preview)];
        let mediums = [(1280, Medium1280, Medium1280Webp), (640, Medium640, Medium640Webp)];
        for (side, jpeg, webp) in mediums {
            let longest = display.0.max(display.1);
            if longest > side {
                let scaled = |length: u32| ((length * 2 * side + longest) / (longest * 2)).max(1);
                let size = (scaled(display.0), scaled(display.1));
                expected.extend([(jpeg, size), (webp, size)]);
            }
        }
        expected.push((Card, (1200, 630)));
        let kinds: Vec<_> =
            cut.renditions.iter().map(|picture| (picture.kind, (picture.width, picture.height))).collect();
        assert_eq!(kinds, expected, "cut from {source:?}");
        for (kind, _) in expected {
            seen(of(&cut, kind));
        }
        assert!(!cut.placeholder.is_empty() && !cut.palette.is_empty(), "cut from {source:?}");
    }
}

#[test]
fn only_what_the_policy_asks_for_is_cut() {
    let policy = Policy { extras: vec![Medium640], ..Policy::default() };
    let cut = cut(&jpeg(&scene(900, 700)), &Caption::default(), &policy).expect("a picture");
    let kinds: Vec<_> = cut.renditions.iter().map(|picture| picture.kind).collect();
    assert_eq!(kinds, [Display, Thumb, Icon, Preview, Medium640]);
}

#[test]
fn a_thumb_of_a_panorama_is_cut_from_the_source_and_not_enlarged_from_the_display() {
    // Columns one pixel wide survive in the thumb only if it is sampled from all 400 rows' full width.
    let striped = image::RgbImage::from_fn(4000, 400, |x, _| image::Rgb([if x % 8 < 4 { 0 } else { 255 }; 3]));
    let cut = cut_plain(&png(striped)).expect("a picture");
    let thumb = seen(of(&cut, Thumb));
    let (dark, light) = thumb.pixels().fold((255, 0), |(dark, light), pixel| (pixel[0].min(dark), pixel[0].max(light)));
    assert!(dark < 60 && light > 195, "stripes are {dark} to {light}");
}

#[test]
fn the_media_types_are_jpeg_and_webp() {
    let cut = cut_plain(&jpeg(&scene(1320, 200))).expect("a picture");
    for picture in &cut.renditions {
        let (media_type, magic) = match picture.kind {
            Preview | Lossless | Medium640Webp | Medium1280Webp | Animation => ("image/webp", &b"RIFF"[..]),
            _ => ("image/jpeg", &b"\xff\xd8\xff"[..]),
        };
        assert_eq!(picture.media_type, media_type);
        assert!(picture.bytes.starts_with(magic), "{picture:?}");
    }
}

#[test]
fn equal_uploads_give_equal_bytes() {
    let upload = jpeg(&scene(1200, 900));
    let caption = Caption::of("The sea", "Ada");
    let once = cut(&upload, &caption, &Policy::default()).expect("a picture");
    let again = cut(&upload, &caption, &Policy::default()).expect("a picture");
    assert_eq!(once, again);
}
