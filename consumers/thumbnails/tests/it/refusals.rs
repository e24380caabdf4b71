//! What is not cut, and what its owner reads.

use std::time::{Duration, Instant};

use atelier_events::Look;
use atelier_events::RenditionKind::{
    self, Animation, Card, Display, Icon, Lossless, Medium640, Medium640Webp, Medium1280, Medium1280Webp, Preview,
    Thumb,
};
use atelier_thumbnails::gate::inspect;
use atelier_thumbnails::{Caption, Cut, Limits, Policy, Refused, cut};
use image::codecs::gif::GifEncoder;
use image::{Frame, ImageFormat, Rgba, RgbaImage};

use crate::fixtures::{cut_plain, jpeg, jpeg_with, png, png_with, scene, written};

fn refused(upload: &[u8]) -> Refused {
    cut_plain(upload).expect_err("it must be refused")
}

/// Refused by the gate alone, thus before any decoder, and at once.
fn refused_at_the_gate(upload: &[u8]) -> Refused {
    let start = Instant::now();
    let refused = inspect(upload, &Limits::default()).expect_err("it must be refused");
    assert!(start.elapsed() < Duration::from_millis(500), "{refused} took {:?}", start.elapsed());
    refused
}

#[test]
fn what_is_not_a_picture_is_named() {
    assert_eq!(refused(b""), Refused::Empty);
    for (upload, found) in [
        (&b"hello, this is a note"[..], "text"),
        (b"%PDF-1.7 ...", "a PDF document"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"<!doctype html><title>x</title>", "a web page or XML document"),
        (b"PK\x03\x04....", "a ZIP archive or an office document"),
        (b"\0\0\0\x1cftypheic\0\0\0\0", "a HEIC picture"),
        (b"II*\0........", "a TIFF or raw camera picture"),
        (b"\0\x01\x02\xff", "unknown data starting with [00, 01, 02, ff]"),
        (b"\xff", "unknown data starting with [ff]"),
    ] {
        assert_eq!(refused(upload), Refused::NotAnImage { found: found.to_owned() });
    }
    assert_eq!(refused(b"hi").to_string(), "this is text, not a JPEG, PNG, WebP or GIF picture");
}

#[test]
#[cfg(not(feature = "avif"))]
fn an_avif_is_refused_with_how_to_get_it_taken() {
    for upload in [&b"\0\0\0\x1cftypavif\0\0\0\0"[..], b"\0\0\0\x1cftypavis\0\0\0\0"] {
        let refused = refused(upload);
        assert_eq!(refused, Refused::BuiltWithoutAvif);
        assert!(refused.to_string().contains("built without AVIF; build it with `--features avif`"), "{refused}");
    }
}

#[test]
fn a_truncated_picture_is_refused_wherever_it_was_cut() {
    let picture = scene(240, 180);
    let uploads = [
        jpeg(&picture),
        jpeg_with(&picture, |encoder| encoder.set_progressive(true)),
        png(picture.clone()),
        written(picture.clone(), ImageFormat::WebP),
        webp::Encoder::from_rgb(picture.as_raw(), 240, 180).encode(80.0).to_vec(),
        written(picture, ImageFormat::Gif),
    ];
    for upload in uploads {
        cut_plain(&upload).expect("the whole of it is a picture");
        // Two bytes off the end of a GIF are its trailer and the empty block before it.
        for kept in [12, 40, upload.len() / 10, upload.len() / 2, upload.len() * 9 / 10, upload.len() - 2] {
            let refused = refused(&upload[..kept]);
            let damaged = matches!(refused, Refused::Corrupt(_) | Refused::Implausible { .. });
            assert!(damaged, "{kept} of {} bytes: {refused}", upload.len());
        }
    }
}

#[test]
fn a_jpeg_with_a_stray_marker_in_its_scan_is_refused_and_not_filled_with_grey() {
    let mut upload = jpeg(&scene(640, 480));
    let middle = upload.len() / 2;
    upload[middle..middle + 2].copy_from_slice(&[0xFF, 0xD8]);
    image::load_from_memory(&upload).expect("a lenient decoder takes it");
    let refused = refused(&upload);
    assert!(matches!(refused, Refused::Corrupt(_)), "{refused}");
}

#[test]
fn a_flipped_bit_in_a_png_is_found() {
    let mut upload = png(scene(640, 480));
    let middle = upload.len() / 2;
    upload[middle] ^= 0x10;
    assert!(matches!(refused(&upload), Refused::Corrupt(_)));
}

#[test]
fn noise_behind_a_magic_number_is_refused_without_a_panic() {
    let mut noise: u32 = 7;
    for magic in [&b"\xff\xd8\xff\xe0"[..], b"\x89PNG\r\n\x1a\n", b"RIFF\xff\0\0\0WEBPVP8 ", b"GIF89a\x10\0\x10\0"] {
        for _ in 0..200 {
            let mut upload = magic.to_vec();
            upload.extend((0..300).map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                noise.to_be_bytes()[0]
            }));
            refused(&upload);
        }
    }
}

/// The kinds of a set, in its order.
fn kinds(cut: &Cut) -> Vec<RenditionKind> {
    cut.renditions.iter().map(|picture| picture.kind).collect()
}

/// The kinds that a picture has for what it is. Whether flat art is worth a file without loss, and whether frames that were
/// mangled can be read to their end, is known by the set alone.
fn expected(upload: &[u8], cut: &Cut) -> Vec<RenditionKind> {
    let has = |kind| cut.renditions.iter().any(|picture| picture.kind == kind);
    let frames = inspect(upload, &Limits::default()).expect("it was let through").frames;
    let longest = cut.source.width.max(cut.source.height).min(u32::from(Policy::default().display_side_px));
    let all = [
        (&[Display, Thumb, Icon, Preview][..], true),
        (&[Lossless], cut.look != Look::Photo && has(Lossless)),
        (&[Medium1280, Medium1280Webp], longest > 1280),
        (&[Medium640, Medium640Webp], longest > 640),
        (&[Card], true),
        (&[Animation], frames > 1 && has(Animation)),
    ];
    all.into_iter().filter(|(_, has)| *has).flat_map(|(kinds, _)| kinds).copied().collect()
}

#[test]
fn mangled_pictures_are_cut_or_refused_but_never_panic() {
    let picture = scene(48, 40);
    let mut noise: u32 = 11;
    let mut next = move || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise as usize >> 8
    };
    for upload in [
        jpeg(&picture),
        jpeg_with(&picture, |encoder| encoder.set_progressive(true)),
        png(picture.clone()),
        written(picture.clone(), ImageFormat::WebP),
        webp::Encoder::from_rgb(picture.as_raw(), 48, 40).encode(80.0).to_vec(),
        written(picture, ImageFormat::Gif),
    ] {
        let mut damaged = 0;
        for _ in 0..150 {
            let mut mangled = upload.clone();
            for _ in 0..=next() % 4 {
                let at = next() % mangled.len();
                mangled[at] = next().to_le_bytes()[0];
            }
            match cut_plain(&mangled) {
                Ok(cut) => assert_eq!(kinds(&cut), expected(&mangled, &cut)),
                Err(refused) => {
                    damaged += 1;
                    assert!(!refused.to_string().contains("gave up"), "a decoder panicked");
                }
            }
        }
        assert!(damaged > 0, "mangling does something");
    }
}

#[test]
fn a_20000_by_20000_png_is_refused_at_the_gate() {
    let bomb = blank_png(20_000, 20_000);
    assert!(bomb.len() < 1 << 20, "it is a bomb: {} bytes", bomb.len());
    let refused = refused_at_the_gate(&bomb);
    assert_eq!(refused, Refused::TooLong { width: 20_000, height: 20_000, limit: 16_384 });
    assert_eq!(refused.to_string(), "the picture is 20000 x 20000 pixels; a side may have at most 16384");
}

#[test]
fn a_picture_one_pixel_high_may_not_be_endless() {
    let refused = refused_at_the_gate(&blank_png(60_000_000, 1));
    assert_eq!(refused, Refused::TooLong { width: 60_000_000, height: 1, limit: 16_384 });
}

#[test]
fn the_area_counts_where_both_sides_are_allowed() {
    let refused = refused_at_the_gate(&blank_png(10_000, 10_000));
    assert_eq!(refused, Refused::TooManyPixels { width: 10_000, height: 10_000, limit: 50_000_000 });
    assert!(refused.to_string().contains("100000000 pixels"), "{refused}");
}

/// Real picture data, all zero.
fn blank_png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().expect("a header");
    let row = width.div_ceil(8) as usize;
    writer.write_image_data(&vec![0; row * height as usize]).expect("picture data");
    writer.finish().expect("an end");
    bytes
}

/// A JPEG whose frame header claims another size.
fn claiming(mut upload: Vec<u8>, width: u16, height: u16) -> Vec<u8> {
    let header = upload.windows(2).position(|pair| matches!(pair, [0xFF, 0xC0..=0xC2])).expect("a frame header");
    upload[header + 5..header + 7].copy_from_slice(&height.to_be_bytes());
    upload[header + 7..header + 9].copy_from_slice(&width.to_be_bytes());
    upload
}

#[test]
fn a_jpeg_that_claims_more_than_it_can_hold_is_refused_at_the_gate() {
    let small = jpeg(&scene(16, 16));
    let length = small.len() as u64;
    assert_eq!(
        refused_at_the_gate(&claiming(small.clone(), 20_000, 20_000)),
        Refused::TooLong { width: 20_000, height: 20_000, limit: 16_384 }
    );
    let refused = refused_at_the_gate(&claiming(small, 7000, 7000));
    assert_eq!(refused, Refused::Implausible { bytes: length, width: 7000, height: 7000 });
    assert_eq!(refused.to_string(), format!("{length} bytes cannot hold a picture of 7000 x 7000 pixels"));
}

#[test]
fn a_scan_bomb_is_refused_at_the_gate() {
    let upload = jpeg_with(&scene(64, 64), |encoder| encoder.set_progressive(true));
    let last = upload.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).expect("a scan");
    let scan = upload[last..upload.len() - 2].to_vec();
    let mut bomb = claiming(upload[..last].to_vec(), 4000, 4000);
    for _ in 0..3000 {
        bomb.extend(&scan);
    }
    bomb.extend([0xFF, 0xD9]);
    assert_eq!(refused_at_the_gate(&bomb), Refused::TooManyScans { scans: 65, limit: 64 });
    // The larger the picture, the fewer passes over it are allowed.
    assert_eq!(refused_at_the_gate(&claiming(bomb, 5700, 5700)), Refused::TooManyScans { scans: 62, limit: 61 });
}

#[test]
fn a_form_of_jpeg_that_would_be_decoded_wrongly_is_refused() {
    // A scan that says it is of two of the three colours.
    let mut shared = jpeg(&scene(64, 64));
    let scan = shared.windows(2).position(|pair| pair == [0xFF, 0xDA]).expect("a scan");
    shared[scan + 4] = 2;
    assert!(matches!(refused(&shared), Refused::Unsupported(_)));
    let mut arithmetic = jpeg(&scene(64, 64));
    let header = arithmetic.windows(2).position(|pair| pair == [0xFF, 0xC0]).expect("a frame header");
    arithmetic[header + 1] = 0xC9;
    assert_eq!(refused(&arithmetic), Refused::Unsupported("an arithmetically coded JPEG".to_owned()));
}

#[test]
fn a_file_may_be_too_long_and_carry_too_much_beside_its_pixels() {
    let upload = png(scene(64, 64));
    let limits = Limits { max_bytes: 100, ..Limits::default() };
    let bytes = upload.len() as u64;
    assert_eq!(inspect(&upload, &limits).expect_err("too large"), Refused::TooLarge { bytes, limit: 100 });

    let text = vec![b'x'; 9 << 20];
    assert_eq!(
        refused_at_the_gate(&png_with(&scene(64, 64), &[(*b"tEXt", &text)])),
        Refused::TooMuchMetadata { bytes: 9 << 20, limit: 8 << 20 }
    );
}

#[test]
fn a_colour_profile_is_never_unpacked() {
    // What is behind the name is not even deflated data: unpacking it would fail.
    let upload = png_with(&scene(64, 64), &[(*b"iCCP", b"profile\0\0not deflated at all")]);
    cut_plain(&upload).expect("the profile is passed over");
}

#[test]
fn a_png_with_too_little_data_for_its_size_is_implausible() {
    let mut upload = png(scene(16, 16));
    upload[16..20].copy_from_slice(&5000_u32.to_be_bytes());
    upload[20..24].copy_from_slice(&5000_u32.to_be_bytes());
    assert!(matches!(refused_at_the_gate(&upload), Refused::Implausible { width: 5000, height: 5000, .. }));
}

#[test]
fn an_animation_has_bounded_frames() {
    let frames = (0..5).map(|grey| Frame::new(RgbaImage::from_pixel(100, 50, Rgba([grey * 40, 0, 0, 255]))));
    let mut gif = Vec::new();
    GifEncoder::new(&mut gif).encode_frames(frames).expect("an animation");
    let policy = |limits| Policy { limits, ..Policy::default() };
    let few = policy(Limits { max_frames: 4, ..Limits::default() });
    assert_eq!(cut(&gif, &Caption::default(), &few), Err(Refused::TooManyFrames { frames: 5, limit: 4 }));
    let small = policy(Limits { max_frame_px: 20_000, ..Limits::default() });
    assert_eq!(
        cut(&gif, &Caption::default(), &small),
        Err(Refused::TooManyFramePixels { frames: 5, pixels: 25_000, limit: 20_000 })
    );
}
