//! JPEGs whose colours lie in scans of their own: the same pictures, in the memory of one colour.

use atelier_events::RenditionKind::{Display, Thumb};
use atelier_thumbnails::settings::RenderSettings;
use atelier_thumbnails::workers::Workers;
use atelier_thumbnails::{Caption, Policy, Refused, cut};
use image::{DynamicImage, RgbaImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use crate::fixtures::{cut_plain, difference, jpeg_with, mean, of, scene, seen};
use crate::workers::plain;

/// By libjpeg's own script: first numbers in two passes, and a restart marker every three units.
const BY_LIBJPEG: [(&str, &[u8]); 3] = [
    ("4:2:0", include_bytes!("separate/libjpeg-420.jpg")),
    ("4:2:2", include_bytes!("separate/libjpeg-422.jpg")),
    ("4:4:4", include_bytes!("separate/libjpeg-444.jpg")),
];

const SAMPLINGS: [SamplingFactor; 5] =
    [SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_1_2, SamplingFactor::F_2_2, SamplingFactor::F_4_1];

/// The display of a small picture, whose pixels are those of the upload but for what another JPEG costs.
fn display(upload: &[u8]) -> RgbaImage {
    let policy = Policy { display_quality: 100, ..Policy::default() };
    let cut = cut(upload, &Caption::default(), &policy).unwrap_or_else(|refused| panic!("{refused}"));
    seen(of(&cut, Display))
}

#[test]
fn a_progressive_picture_looks_as_another_decoder_shows_it() {
    for (name, upload) in BY_LIBJPEG {
        let expected = image::load_from_memory(upload).expect("a picture").into_rgba8();
        let apart = difference(&display(upload), &expected);
        assert!(apart < 2.0, "{name} is {apart:.2} apart");
    }
    let picture = scene(203, 117);
    for sampling in SAMPLINGS {
        let upload = jpeg_with(&picture, |encoder| {
            encoder.set_progressive(true);
            encoder.set_sampling_factor(sampling);
        });
        let expected = image::load_from_memory(&upload).expect("a picture").into_rgba8();
        let apart = difference(&display(&upload), &expected);
        assert!(apart < 2.0, "{sampling:?} is {apart:.2} apart");
    }
}

#[test]
fn a_sequential_picture_with_a_scan_for_each_colour_is_shown_as_meant() {
    let picture = scene(203, 117);
    let expected = DynamicImage::from(picture.clone()).into_rgba8();
    for sampling in SAMPLINGS {
        let upload = jpeg_with(&picture, |encoder| {
            encoder.set_optimized_huffman_tables(true);
            encoder.set_sampling_factor(sampling);
        });
        let scans = upload.windows(2).filter(|pair| *pair == [0xFF, 0xDA]).count();
        assert_eq!(scans, 3, "a scan for each colour");
        let apart = difference(&display(&upload), &expected);
        assert!(apart < 4.0, "{sampling:?} is {apart:.2} apart");
    }
}

#[test]
fn grey_lights_and_inks_are_what_they_are_in_one_scan() {
    let (width, height) = (96, 64);
    let picture = DynamicImage::from(scene(width, height));
    let inks: Vec<u8> = picture.to_rgba8().pixels().flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 30]).collect();
    for (kind, pixels) in [
        (ColorType::Luma, picture.to_luma8().into_raw()),
        (ColorType::Rgb, picture.to_rgb8().into_raw()),
        (ColorType::Cmyk, inks.clone()),
        (ColorType::CmykAsYcck, inks),
    ] {
        let upload = |progressive: bool| {
            let mut upload = Vec::new();
            let mut encoder = Encoder::new(&mut upload, 95);
            encoder.set_progressive(progressive);
            let [width, height] = [width, height].map(|side| u16::try_from(side).expect("a short side"));
            encoder.encode(&pixels, width, height, kind).expect("an encodable picture");
            upload
        };
        let apart = difference(&display(&upload(true)), &display(&upload(false)));
        assert!(apart < 1.0, "{kind:?} is {apart:.2} apart");
    }
}

/// Photoshop's segment can say that a picture's three numbers are lights, and no brightness with two colours.
#[test]
fn three_lights_stored_as_they_are_stay_as_they_are() {
    let grey = image::RgbImage::from_pixel(64, 48, image::Rgb([90; 3]));
    for progressive in [false, true] {
        let mut upload = jpeg_with(&grey, |encoder| encoder.set_progressive(progressive));
        // A grey of 90 is stored as 90, 128, 128.
        let segment = [&[0xFF, 0xEE, 0, 14][..], b"Adobe", &[0, 100, 0, 0, 0, 0, 0]].concat();
        upload.splice(2..2, segment);
        let is = mean(&display(&upload));
        let near = is.iter().zip([90.0, 128.0, 128.0]).all(|(is, should): (&f64, f64)| (is - should).abs() < 2.0);
        assert!(near, "{is:.0?}");
    }
}

#[test]
fn a_large_one_comes_in_the_sizes_and_looks_of_its_sequential_twin() {
    for (width, height) in [(5003, 3331), (4999, 700), (901, 6007)] {
        let picture = scene(width, height);
        let [separate, twin] = [true, false].map(|progressive| {
            let upload = jpeg_with(&picture, |encoder| encoder.set_progressive(progressive));
            cut_plain(&upload).expect("a picture")
        });
        assert_eq!((separate.source.width, separate.source.height), (width, height));
        assert_eq!(separate.renditions.len(), twin.renditions.len());
        for (one, other) in separate.renditions.iter().zip(&twin.renditions) {
            assert_eq!((one.kind, one.width, one.height), (other.kind, other.width, other.height));
        }
        for kind in [Display, Thumb] {
            let apart = difference(&seen(of(&separate, kind)), &seen(of(&twin, kind)));
            assert!(apart < 1.0, "{kind:?} of {width} x {height} is {apart:.2} apart");
        }
    }
}

/// As many pixels as may be, at the full resolution of each colour: all its numbers together are 300 million bytes.
#[tokio::test]
async fn a_progressive_picture_takes_the_memory_of_one_colour() -> anyhow::Result<()> {
    for (width, height, most) in [(6000, 4000, 128 << 20), (8660, 5773, 256 << 20)] {
        let upload = jpeg_with(&image::RgbImage::from_pixel(width, height, image::Rgb([200, 90, 40])), |encoder| {
            encoder.set_progressive(true);
            encoder.set_sampling_factor(SamplingFactor::F_1_1);
        });
        let workers = Workers::of(env!("CARGO_BIN_EXE_atelier-thumbnails").as_ref(), RenderSettings::default());
        let done = workers.render(&upload, &plain()).await?;
        let cut = done.outcome?;
        assert_eq!((cut.source.width, cut.source.height), (width, height));
        assert!(done.cost.peak_bytes < most, "{width} x {height} took {} bytes", done.cost.peak_bytes);
    }
    Ok(())
}

#[test]
fn what_is_missing_or_broken_is_refused() {
    let corrupt = |upload: &[u8], why: &str| match cut_plain(upload) {
        Err(Refused::Corrupt(said)) => assert!(said.contains(why), "{said}"),
        other => panic!("{why}: {:?}", other.map(|cut| cut.source)),
    };
    let (_, whole) = BY_LIBJPEG[0];
    let scans: Vec<usize> =
        whole.windows(2).enumerate().filter(|(_, pair)| *pair == [0xFF, 0xDA]).map(|(at, _)| at).collect();
    // The first scan has five bytes fewer before its end, and then its second restart marker is a data byte.
    let mut short = whole.to_vec();
    short.drain(scans[1] - 7..scans[1] - 2);
    corrupt(&short, "");
    let mut unmarked = whole.to_vec();
    let marker = whole.windows(2).position(|pair| pair == [0xFF, 0xD1]).expect("a restart marker");
    unmarked.splice(marker..marker + 2, [0x00, 0x00]);
    corrupt(&unmarked, "");
    // The scan of all colours says that it is of the first alone.
    let mut alone = whole.to_vec();
    let header = scans[0] + 2;
    let end = header + usize::from(u16::from_be_bytes([whole[header], whole[header + 1]]));
    alone.splice(header..end, [0, 8, 1, 1, 0, 0, 0, 1]);
    corrupt(&alone, "");
    // And only the scans of the first colour are there.
    let grey: Vec<u8> = whole[..scans[0]].to_vec();
    corrupt(&[&grey[..], &[0xFF, 0xD9]].concat(), "no picture data");
}

/// As libjpeg writes them with a script of one scan for each colour: the tables of a colour stand before its scan, behind the
/// scan of the one before.
#[test]
fn tables_between_the_scans_cut_no_row_off() {
    let grey = image::RgbImage::from_pixel(64, 64, image::Rgb([120, 90, 60]));
    let upload = jpeg_with(&grey, |encoder| encoder.set_optimized_huffman_tables(true));
    let (mut early, mut late, mut at) = (upload[..2].to_vec(), Vec::new(), 2);
    while upload[at + 1] != 0xDA {
        let length = 2 + usize::from(u16::from_be_bytes([upload[at + 2], upload[at + 3]]));
        // The second tables of first numbers and of the others are those of both colours.
        let of_colours = upload[at + 1] == 0xC4 && upload[at + 4] & 15 == 1;
        if of_colours { &mut late } else { &mut early }.extend(&upload[at..at + length]);
        at += length;
    }
    let second = at + 2 + upload[at + 2..].windows(2).position(|pair| pair == [0xFF, 0xDA]).expect("a second scan");
    let moved = [&early[..], &upload[at..second], &late, &upload[second..]].concat();
    assert_eq!(moved.len(), upload.len());
    let apart = difference(&display(&moved), &DynamicImage::from(grey).into_rgba8());
    assert!(!late.is_empty() && apart < 2.0, "{} bytes of tables, {apart:.2} apart", late.len());
}

#[test]
fn a_colour_has_one_scan_and_tables_have_a_bound() {
    let upload = jpeg_with(&scene(64, 64), |encoder| encoder.set_optimized_huffman_tables(true));
    let scans: Vec<usize> =
        upload.windows(2).enumerate().filter(|(_, pair)| *pair == [0xFF, 0xDA]).map(|(at, _)| at).collect();
    let twice = [&upload[..scans[1]], &upload[scans[0]..]].concat();
    assert_eq!(
        cut_plain(&twice).map(|cut| cut.source),
        Err(Refused::Corrupt("a colour has no scan, or more than one".to_owned()))
    );
    let lacking = [&upload[..scans[1]], &upload[scans[2]..]].concat();
    assert!(cut_plain(&lacking).is_err());

    let mut bomb = upload;
    bomb.splice(2..2, [0xFF, 0xDB, 0, 2].repeat(300_000));
    assert_eq!(
        cut_plain(&bomb).map(|cut| cut.source),
        Err(Refused::TooManyTables { bytes: (1 << 20) + 4, limit: 1 << 20 })
    );
}

/// A worker uses its buffers again, and a decoder that meets the end too early leaves its own as it was.
#[tokio::test]
async fn a_broken_picture_shows_nothing_of_the_one_before() -> anyhow::Result<()> {
    let workers = Workers::of(env!("CARGO_BIN_EXE_atelier-thumbnails").as_ref(), RenderSettings::default());
    let secret = image::RgbImage::from_fn(256, 256, |x, y| {
        if (x / 4 + y / 4) % 2 == 0 { [255, 0, 0] } else { [0, 255, 0] }.into()
    });
    // A restart marker after each row of units: the first of them is where the second row would begin.
    let black = jpeg_with(&image::RgbImage::new(256, 256), |encoder| encoder.set_restart_interval(16));
    let row = black.windows(2).position(|pair| pair == [0xFF, 0xD0]).expect("a restart marker");
    let ends: [&[u8]; 3] = [&[0xFF, 0xD9], &[0xFF, 0xFE, 0, 2, 0xFF, 0xD9], &[0xFF, 0xDD, 0, 4, 0, 0, 0xFF, 0xD9]];
    for end in ends {
        workers.render(&crate::fixtures::png(secret.clone()), &plain()).await?.outcome?;
        let Ok(cut) = workers.render(&[&black[..row], end].concat(), &plain()).await?.outcome else { continue };
        for pixel in seen(of(&cut, Display)).pixels() {
            let grey = pixel[0].abs_diff(pixel[1]).max(pixel[1].abs_diff(pixel[2]));
            assert!(grey < 40, "{pixel:?} is of the other picture");
        }
    }
    let refused = cut_plain(&[&black[..row], ends[1]].concat()).map(|cut| cut.source);
    assert_eq!(refused, Err(Refused::Corrupt("something other than the end follows its only scan".to_owned())));
    Ok(())
}
