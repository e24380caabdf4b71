//! How large the renditions are.

use atelier_events::RenditionKind::{Display, Icon, Preview, Thumb};

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
        let expected = [(Display, display), (Thumb, thumb), (Icon, icon), (Preview, preview)];
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
fn a_thumb_of_a_panorama_is_cut_from_the_source_and_not_enlarged_from_the_display() {
    // Columns one pixel wide survive in the thumb only if it is sampled from all 400 rows' full width.
    let striped = image::RgbImage::from_fn(4000, 400, |x, _| image::Rgb([if x % 8 < 4 { 0 } else { 255 }; 3]));
    let cut = cut_plain(&png(striped)).expect("a picture");
    let thumb = seen(of(&cut, Thumb));
    let (dark, light) = thumb.pixels().fold((255, 0), |(dark, light), pixel| (pixel[0].min(dark), pixel[0].max(light)));
    assert!(dark < 60 && light > 195, "stripes are {dark} to {light}");
}

#[test]
fn the_media_types_are_jpeg_and_for_the_preview_webp() {
    let cut = cut_plain(&jpeg(&scene(320, 200))).expect("a picture");
    for picture in &cut.renditions {
        let (media_type, magic) = match picture.kind {
            Preview => ("image/webp", &b"RIFF"[..]),
            _ => ("image/jpeg", &b"\xff\xd8\xff"[..]),
        };
        assert_eq!(picture.media_type, media_type);
        assert!(picture.bytes.starts_with(magic), "{picture:?}");
    }
}

#[test]
fn equal_uploads_give_equal_bytes() {
    let upload = jpeg(&scene(1200, 900));
    let once =
        atelier_thumbnails::cut(&upload, Some("Ada"), &atelier_thumbnails::Policy::default()).expect("a picture");
    let again =
        atelier_thumbnails::cut(&upload, Some("Ada"), &atelier_thumbnails::Policy::default()).expect("a picture");
    assert_eq!(once, again);
}
