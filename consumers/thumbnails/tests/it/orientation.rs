//! However a camera was held, the picture stands upright.

use image::DynamicImage;
use image::metadata::Orientation;

use crate::fixtures::{cut_plain, difference, exif, jpeg, jpeg_with, png_with, scene, seen};

/// The stored picture that looks like `upright` once it is turned as `orientation` says.
fn stored(upright: &image::RgbImage, orientation: u8) -> image::RgbImage {
    // A quarter turn is undone by the opposite one; all others undo themselves.
    let undo = match orientation {
        6 => 8,
        8 => 6,
        other => other,
    };
    let mut turned = DynamicImage::from(upright.clone());
    turned.apply_orientation(Orientation::from_exif(undo).expect("1 to 8"));
    turned.into_rgb8()
}

#[test]
fn the_eight_exif_orientations_give_equal_pictures() {
    // Larger than the display, so that the picture is resized before it is turned.
    let upright = scene(2400, 1600);
    let plain = cut_plain(&jpeg(&upright)).expect("a picture");
    for orientation in 1..=8 {
        let upload = jpeg_with(&stored(&upright, orientation), |encoder| {
            encoder.add_exif_metadata(&exif(orientation)).expect("a chunk");
        });
        let cut = cut_plain(&upload).expect("a picture");
        assert_eq!(cut.source, plain.source, "orientation {orientation}");
        for (picture, expected) in cut.renditions.iter().zip(&plain.renditions) {
            let apart = difference(&seen(picture), &seen(expected));
            assert!(apart < 1.5, "orientation {orientation}: {picture:?} is {apart:.2} apart");
        }
    }
}

#[test]
fn a_png_says_its_orientation_too() {
    let upright = scene(320, 200);
    let plain = cut_plain(&png_with(&upright, &[])).expect("a picture");
    let upload = png_with(&stored(&upright, 6), &[(*b"eXIf", &exif(6))]);
    assert_eq!(cut_plain(&upload).expect("a picture").source, plain.source);
}

#[test]
fn a_nonsensical_orientation_is_none() {
    let upright = scene(320, 200);
    for chunk in [exif(0), exif(9), exif(200), vec![], b"MM\0*\xff\xff\xff\xff".to_vec(), vec![0xFF; 64]] {
        let upload = png_with(&upright, &[(*b"eXIf", &chunk)]);
        let source = cut_plain(&upload).expect("a picture").source;
        assert_eq!((source.width, source.height), (320, 200), "{chunk:x?}");
    }
}
