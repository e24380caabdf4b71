//! Animated PNG: stills are cut from the default image, which every other program shows as well.

use atelier_events::RenditionKind::{Animation, Display};
use atelier_thumbnails::gate::inspect;
use atelier_thumbnails::{Limits, Refused};

use crate::bombs::{chunk, deflated_zeros};
use crate::fixtures::{cut_plain, mean, of, seen};

const SIDE: u32 = 40;
const DEFAULT: [u8; 3] = [200, 30, 30];
const OTHER: [u8; 3] = [30, 30, 200];

/// The default image, and frames of another colour; with it as the first frame of the animation, or beside it.
fn animated(frames: u32, default_is_a_frame: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIDE, SIDE);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_animated(frames, 0).expect("an animation");
    encoder.set_sep_def_img(!default_is_a_frame).expect("an animation");
    let mut writer = encoder.write_header().expect("a header");
    let image = |colour: [u8; 3]| colour.repeat((SIDE * SIDE) as usize);
    writer.write_image_data(&image(DEFAULT)).expect("picture data");
    for _ in u32::from(default_is_a_frame)..frames {
        writer.write_image_data(&image(OTHER)).expect("picture data");
    }
    writer.finish().expect("an end");
    bytes
}

fn position(png: &[u8], kind: [u8; 4]) -> usize {
    png.windows(4).position(|window| window == kind).expect("a chunk of that kind")
}

/// This PNG with chunks of one's own before its end.
fn with(png: &[u8], chunks: &[Vec<u8>]) -> Vec<u8> {
    let (picture, end) = png.split_at(png.len() - 12);
    [picture, &chunks.concat(), end].concat()
}

fn frame_control(number: u32) -> Vec<u8> {
    let sides = [SIDE.to_be_bytes(), SIDE.to_be_bytes()].concat();
    chunk(*b"fcTL", &[&number.to_be_bytes()[..], &sides, &[0; 8], &[0, 1, 0, 10, 0, 0]].concat())
}

#[test]
fn stills_are_cut_from_the_default_image_whether_it_moves_or_not() {
    for default_is_a_frame in [true, false] {
        let upload = animated(3, default_is_a_frame);
        assert_eq!(position(&upload, *b"fcTL") < position(&upload, *b"IDAT"), default_is_a_frame, "of both kinds");
        let cut = cut_plain(&upload).expect("a picture");
        let is = mean(&seen(of(&cut, Display)));
        let near = is.iter().zip(DEFAULT).all(|(is, should)| (is - f64::from(should)).abs() < 4.0);
        assert!(near, "a first frame: {default_is_a_frame}: {is:.0?}");
        assert!(cut.renditions.iter().all(|picture| picture.kind != Animation), "an APNG is a still");
    }
}

#[test]
fn frames_that_are_not_shown_are_not_unpacked() {
    let plain = cut_plain(&animated(2, true)).expect("a picture");
    let bomb = [&2_u32.to_be_bytes()[..], &deflated_zeros(300 << 20)].concat();
    for (name, frame) in [("noise", b"\0\0\0\x02not packed at all".to_vec()), ("300 MiB of zeros", bomb)] {
        let upload = with(&animated(2, true), &[frame_control(3), chunk(*b"fdAT", &frame)]);
        assert_eq!(cut_plain(&upload).expect(name), plain, "{name}");
    }
}

#[test]
fn a_default_image_that_its_frame_makes_smaller_is_refused() {
    let mut upload = animated(2, true);
    let control = position(&upload, *b"fcTL");
    upload[control + 8..control + 12].copy_from_slice(&1_u32.to_be_bytes());
    let end = control + 4 + 26;
    let repaired = [&upload[..control - 4], &chunk(*b"fcTL", &upload[control + 4..end]), &upload[end + 4..]].concat();
    assert!(matches!(cut_plain(&repaired), Err(Refused::Corrupt(_))));
}

#[test]
fn frames_are_counted_whatever_the_header_claims() {
    let refused = |upload: &[u8]| inspect(upload, &Limits::default()).expect_err("it must be refused");
    let few = animated(2, true);
    let many: Vec<_> = (0..5_000).map(frame_control).collect();
    assert_eq!(refused(&with(&few, &many)), Refused::TooManyFrames { frames: 2_001, limit: 2_000 });

    let small = Limits { max_frame_px: 4_000, ..Limits::default() };
    let claimed = inspect(&animated(3, true), &small);
    assert_eq!(claimed, Err(Refused::TooManyFramePixels { frames: 3, pixels: 4_800, limit: 4_000 }));
    inspect(&few, &small).expect("two are allowed");
    let third = inspect(&with(&few, &[frame_control(3)]), &small);
    assert_eq!(third, Err(Refused::TooManyFramePixels { frames: 3, pixels: 4_800, limit: 4_000 }));
}

#[test]
fn frames_of_no_animation_are_data_beside_the_picture() {
    let still = crate::fixtures::png(crate::fixtures::scene(64, 48));
    let hidden = chunk(*b"fdAT", &vec![0; 9 << 20]);
    let refused = inspect(&with(&still, &[hidden]), &Limits::default());
    assert_eq!(refused, Err(Refused::TooMuchMetadata { bytes: 9 << 20, limit: 8 << 20 }));
}
