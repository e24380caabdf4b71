//! What people see of the difference between a file and its pixels. That the pixels are the right ones is proved beside
//! the code that cuts them.

use atelier_events::RenditionKind::{Preview, Thumb};
use image::imageops::{FilterType, crop_imm, resize};
use image::{DynamicImage, RgbImage};
use ssimulacra2::{ColorPrimaries, Rgb, TransferCharacteristic, compute_frame_ssimulacra2};

use crate::fixtures::{cut_plain, flat_art, of, png, seen};

/// SSIMULACRA2: 100 is the same, 90 is what nobody can tell apart, 70 is high quality.
fn likeness(is: &RgbImage, should: &RgbImage) -> f64 {
    let frame = |image: &RgbImage| {
        let pixels = image.pixels().map(|pixel| pixel.0.map(|value| f32::from(value) / 255.0)).collect();
        let (width, height) = (image.width() as usize, image.height() as usize);
        Rgb::new(pixels, width, height, TransferCharacteristic::SRGB, ColorPrimaries::BT709).expect("a frame")
    };
    compute_frame_ssimulacra2(frame(should), frame(is)).expect("frames of one size")
}

/// The largest part of this shape in the middle, to the nearest pixel.
fn cropped(source: &RgbImage, width: u32, height: u32) -> RgbImage {
    let (wide, high) = source.dimensions();
    let (wide_part, high_part) =
        if wide * height > high * width { (high * width / height, high) } else { (wide, wide * height / width) };
    crop_imm(source, (wide - wide_part) / 2, (high - high_part) / 2, wide_part, high_part).to_image()
}

#[test]
fn thumbs_of_flat_art_stay_crisp_as_files() {
    let art = flat_art(1200, 900);
    let cut = cut_plain(&png(art.clone())).expect("a picture");
    let should = resize(&cropped(&art, 300, 300), 300, 300, FilterType::Lanczos3);
    let score = likeness(&DynamicImage::from(seen(of(&cut, Thumb))).into_rgb8(), &should);
    assert!(score >= 70.0, "{score:.1}");
    let preview = resize(&art, 256, 192, FilterType::Lanczos3);
    let score = likeness(&DynamicImage::from(seen(of(&cut, Preview))).into_rgb8(), &preview);
    assert!(score >= 55.0, "{score:.1}");
}
