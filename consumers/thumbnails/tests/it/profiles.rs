//! Colours mean what their profile says.

use std::io::Write as _;

use atelier_events::RenditionKind::Display;
use atelier_thumbnails::{Caption, Limits, Policy, cut};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ImageEncoder as _, Rgb, RgbImage};
use moxcms::ColorProfile;

use crate::fixtures::{cut_plain, jpeg_with, mean, of, png, png_with, seen};

const COLOURS: [[u8; 3]; 5] = [[200, 60, 40], [40, 180, 90], [60, 80, 200], [128, 128, 128], [230, 200, 120]];

/// Linear light of a profile's primaries to that of sRGB's, both of the white point D65.
const P3: [[f64; 3]; 3] =
    [[1.224_940, -0.224_940, 0.0], [-0.042_057, 1.042_057, 0.0], [-0.019_638, -0.078_636, 1.098_274]];
const ADOBE: [[f64; 3]; 3] = [[1.398_356, -0.398_356, 0.0], [0.0, 1.0, 0.0], [0.0, -0.042_938, 1.042_938]];

fn srgb_to_light(value: f64) -> f64 {
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

fn light_to_srgb(light: f64) -> f64 {
    if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

/// What a colour-managed program shows.
fn expected(colour: [f64; 3], to_light: impl Fn(f64) -> f64, matrix: [[f64; 3]; 3]) -> [f64; 3] {
    let light = colour.map(|value| to_light(value / 255.0));
    matrix.map(|row| {
        let sum: f64 = row.iter().zip(light).map(|(weight, light)| weight * light).sum();
        light_to_srgb(sum.clamp(0.0, 1.0)) * 255.0
    })
}

fn icc_chunk(profile: &ColorProfile) -> Vec<u8> {
    let mut chunk = b"profile\0\0".to_vec();
    let mut packed = ZlibEncoder::new(&mut chunk, Compression::default());
    packed.write_all(&profile.encode().expect("a profile")).expect("memory takes it");
    packed.finish().expect("memory takes it");
    chunk
}

fn check(name: &str, profile: &ColorProfile, to_light: impl Fn(f64) -> f64, matrix: [[f64; 3]; 3]) {
    for colour in COLOURS {
        let image = RgbImage::from_pixel(64, 48, Rgb(colour));
        let as_png = png_with(&image, &[(*b"iCCP", &icc_chunk(profile))]);
        let as_jpeg = jpeg_with(&image, |encoder| {
            encoder.add_icc_profile(&profile.encode().expect("a profile")).expect("a segment");
        });
        for (format, upload) in [("PNG", as_png), ("JPEG", as_jpeg)] {
            // What is stored, whatever its own encoder has lost.
            let stored = image::load_from_memory(&upload).expect("a picture").to_rgba8();
            let should = expected(mean(&stored), &to_light, matrix);
            let is = mean(&seen(of(&cut_plain(&upload).expect("a picture"), Display)));
            let near = is.iter().zip(should).all(|(is, should)| (is - should).abs() < 2.0);
            assert!(near, "{name} {format} {colour:?} is {is:.0?}, not {should:.0?}");
        }
    }
}

#[test]
fn display_p3_and_adobe_rgb_become_srgb() {
    check("Display P3", &ColorProfile::new_display_p3(), srgb_to_light, P3);
    check("Adobe RGB", &ColorProfile::new_adobe_rgb(), |value| value.powf(563.0 / 256.0), ADOBE);
}

#[test]
fn a_profile_that_cannot_be_read_is_passed_over() {
    let image = RgbImage::from_pixel(64, 48, Rgb([200, 60, 40]));
    let plain = cut_plain(&png_with(&image, &[])).expect("a picture");
    let mut bomb = b"profile\0\0".to_vec();
    let mut packed = ZlibEncoder::new(&mut bomb, Compression::best());
    packed.write_all(&vec![0; 40 << 20]).expect("memory takes it");
    packed.finish().expect("memory takes it");
    for chunk in [b"".as_slice(), b"profile", b"profile\0\0not packed", &bomb] {
        let cut = cut_plain(&png_with(&image, &[(*b"iCCP", chunk)])).expect("a picture");
        assert_eq!(cut, plain, "{} bytes of profile", chunk.len());
    }
}

#[test]
fn a_profile_is_followed_up_to_its_bound_and_passed_over_beyond() {
    let image = RgbImage::from_pixel(64, 48, Rgb([200, 60, 40]));
    let profile = ColorProfile::new_display_p3().encode().expect("a profile");
    let mut as_webp = Vec::new();
    let mut encoder = WebPEncoder::new_lossless(&mut as_webp);
    encoder.set_icc_profile(profile.clone()).expect("a profile");
    encoder.write_image(image.as_raw(), 64, 48, image::ExtendedColorType::Rgb8).expect("an encodable picture");
    let as_jpeg = jpeg_with(&image, |encoder| encoder.add_icc_profile(&profile).expect("a segment"));
    let as_png = png_with(&image, &[(*b"iCCP", &icc_chunk(&ColorProfile::new_display_p3()))]);
    for (name, upload) in [("PNG", as_png), ("JPEG", as_jpeg), ("WebP", as_webp)] {
        let red = |max_profile_bytes: usize| {
            let limits = Limits { max_profile_bytes: max_profile_bytes as u64, ..Limits::default() };
            let cut = cut(&upload, &Caption::default(), &Policy { limits, ..Policy::default() }).expect("a picture");
            mean(&seen(of(&cut, Display)))[0]
        };
        // The red of P3 is redder than that of sRGB.
        assert!(red(profile.len()) > 208.0, "{name} is followed: {}", red(profile.len()));
        assert!(red(profile.len() - 1) < 204.0, "{name} is passed over: {}", red(profile.len() - 1));
    }
}

#[test]
fn sixteen_bits_and_transparency_survive() {
    let deep = image::ImageBuffer::from_pixel(40, 30, image::Rgba([0x8000_u16, 0x4000, 0xFFFF, 0x8000]));
    let cut = cut_plain(&png(DynamicImage::ImageRgba16(deep))).expect("a picture");
    let preview = seen(of(&cut, atelier_events::RenditionKind::Preview));
    assert!(preview.get_pixel(5, 5)[3].abs_diff(128) < 3);
    // Half of it on white.
    let display = mean(&seen(of(&cut, Display)));
    let near = display.iter().zip([191.0, 159.0, 255.0]).all(|(is, should)| (is - should).abs() < 3.0);
    assert!(near, "{display:?}");
}

/// Inks without a profile, stored as Photoshop does: how much of each is left out, and as brightness and colours.
#[test]
fn four_inks_become_colours() {
    let inks: Vec<u8> = [0, 180, 200, 25].repeat(64 * 48);
    for stored in [jpeg_encoder::ColorType::Cmyk, jpeg_encoder::ColorType::CmykAsYcck] {
        let mut upload = Vec::new();
        jpeg_encoder::Encoder::new(&mut upload, 98).encode(&inks, 64, 48, stored).expect("an encodable picture");
        let is = mean(&seen(of(&cut_plain(&upload).expect("a picture"), Display)));
        // Light that each ink lets through, and black of it.
        let near = is.iter().zip([230.0, 67.6, 49.6]).all(|(is, should)| (is - should).abs() < 2.0);
        assert!(near, "{stored:?} is {is:.0?}");
    }
}
