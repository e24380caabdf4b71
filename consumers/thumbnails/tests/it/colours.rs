//! Renditions look like their source, and carry nothing but pixels.

use atelier_events::RenditionKind::{Display, Preview, Thumb};
use image::imageops::{FilterType, crop_imm, resize};
use image::{DynamicImage, Rgb, RgbImage};

use crate::fixtures::{cut_plain, difference, jpeg, jpeg_with, mean, of, png, png_with, scene, seen};

/// Fine detail, soft gradients and noise, the same on every run.
fn photograph(width: u32, height: u32) -> RgbImage {
    let mut noise: u32 = 1;
    let mut image = scene(width, height);
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain =
            i16::try_from(noise >> 28).expect("four bits") - 8 + if (x / 6 + y / 9) % 2 == 0 { 12 } else { -12 };
        for value in &mut pixel.0 {
            *value = u8::try_from((i16::from(*value) + grain).clamp(0, 255)).expect("clamped");
        }
    }
    image
}

#[test]
fn renditions_are_what_lanczos_makes_of_the_full_source() {
    let source = photograph(2600, 1900);
    let cut = cut_plain(&png(source.clone())).expect("a picture");
    let square = crop_imm(&source, 350, 0, 1900, 1900).to_image();
    for (kind, expected) in [
        (Display, resize(&source, 2048, 1497, FilterType::Lanczos3)),
        (Thumb, resize(&square, 300, 300, FilterType::Lanczos3)),
        (Preview, resize(&source, 256, 187, FilterType::Lanczos3)),
    ] {
        let expected = DynamicImage::from(expected).into_rgba8();
        let image = seen(of(&cut, kind));
        let apart = difference(&image, &expected);
        assert!(apart < 3.0, "{kind:?} is {apart:.2} apart");
        for (channel, (is, should)) in mean(&image).into_iter().zip(mean(&expected)).enumerate() {
            assert!((is - should).abs() < 1.0, "{kind:?}: channel {channel} has the mean {is:.1}, not {should:.1}");
        }
    }
}

#[test]
fn flat_art_keeps_its_colours_at_full_resolution() {
    // Red and blue stripes three pixels wide: halved colour resolution mixes every other one with its neighbour.
    let stripe = |x: u32| {
        if (x / 3).is_multiple_of(2) { Rgb([230, 20, 20]) } else { Rgb([20, 20, 230]) }
    };
    let art = RgbImage::from_fn(301, 301, |x, _| stripe(x));
    let expected = DynamicImage::from(art.clone()).into_rgba8();
    let flat = difference(&seen(of(&cut_plain(&png(art.clone())).expect("a picture"), Display)), &expected);
    let as_photograph = difference(&seen(of(&cut_plain(&jpeg(&art)).expect("a picture"), Display)), &expected);
    assert!(flat < 6.0, "{flat:.2} apart");
    assert!(as_photograph > 2.0 * flat, "the detector makes the difference: {as_photograph:.2} against {flat:.2}");
}

#[test]
fn the_palette_holds_the_clearly_different_colours_by_share() {
    let bands = RgbImage::from_fn(400, 200, |x, _| match x {
        0..200 => Rgb([20, 40, 200]),
        200..320 => Rgb([240, 230, 220]),
        _ => Rgb([200, 60, 20]),
    });
    let palette = cut_plain(&png(bands)).expect("a picture").palette;
    assert_eq!(palette.len(), 3, "{palette:?}");
    let expected = [([20, 40, 200], 500), ([240, 230, 220], 300), ([200, 60, 20], 200)];
    for (swatch, (colour, per_mille)) in palette.iter().zip(expected) {
        let channel = |at: usize| u8::from_str_radix(&swatch.colour[at..at + 2], 16).expect("two digits");
        let near = [1, 3, 5].map(channel).iter().zip(colour).all(|(is, should): (&u8, u8)| is.abs_diff(should) < 4);
        assert!(near && swatch.per_mille.abs_diff(per_mille) < 12, "{swatch:?} is not {colour:?} of {per_mille}");
    }
    assert!(cut_plain(&png(scene(500, 400))).expect("a picture").palette.len() <= 6);
}

#[test]
fn no_metadata_of_the_upload_is_left_in_a_rendition() {
    let secret = b"Exif\0\0 GPS 48.8584 N 2.2945 E";
    let picture = scene(320, 200);
    let with_segments = jpeg_with(&picture, |encoder| {
        encoder.add_exif_metadata(secret).expect("a segment");
        encoder.add_app_segment(1, b"http://ns.adobe.com/xap/1.0/\0 GPS 48.8584".to_vec()).expect("a segment");
        encoder.add_icc_profile(b"GPS 48.8584 profile").expect("a segment");
    });
    let with_chunks = png_with(&picture, &[(*b"eXIf", secret), (*b"tEXt", b"Comment\0GPS 48.8584")]);
    for upload in [with_segments, with_chunks] {
        assert!(contains(&upload, b"48.8584"), "the upload holds it");
        for picture in &cut_plain(&upload).expect("a picture").renditions {
            for word in [&b"48.8584"[..], b"Exif", b"EXIF", b"XMP", b"ICC", b"ns.adobe"] {
                assert!(!contains(&picture.bytes, word), "{picture:?} holds {word:?}");
            }
        }
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}
