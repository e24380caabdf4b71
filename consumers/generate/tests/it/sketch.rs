use std::fmt::Write;

use atelier_generate::sketch::paint;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// One prompt for each composition, named by a word that decides for it alone.
const SUBJECTS: [&str; 12] = [
    "mountains",
    "sea",
    "desert",
    "pines",
    "birch",
    "city",
    "flowers",
    "geometry",
    "galaxy",
    "terrain",
    "smoke",
    "koi",
];

struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

fn decode(file: &[u8]) -> Picture {
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().expect("a PNG header");
    let mut rgb = vec![0; reader.output_buffer_size().expect("a size that fits in memory")];
    let frame = reader.next_frame(&mut rgb).expect("a whole picture");
    assert_eq!((frame.color_type, frame.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    rgb.truncate(frame.buffer_size());
    Picture { width: frame.width, height: frame.height, rgb }
}

/// The mean difference of two pictures per channel, in steps of 255.
fn distance(one: &Picture, other: &Picture) -> f64 {
    assert_eq!(one.rgb.len(), other.rgb.len());
    let sum: u64 = one.rgb.iter().zip(&other.rgb).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    f64::from(u32::try_from(sum).expect("a small picture")) / f64::from(u32::try_from(one.rgb.len()).expect("small"))
}

/// The standard deviation of all channels: near 0 for a blank picture.
fn contrast(picture: &Picture) -> f64 {
    let count = f64::from(u32::try_from(picture.rgb.len()).expect("at most 2048 by 2048 by 3"));
    let mean = picture.rgb.iter().map(|byte| f64::from(*byte)).sum::<f64>() / count;
    let square = picture.rgb.iter().map(|byte| (f64::from(*byte) - mean).powi(2)).sum::<f64>() / count;
    square.sqrt()
}

fn check_every_subject_paints(width: u32, height: u32) {
    for subject in SUBJECTS {
        let picture = decode(&paint(subject, 3, width, height));
        assert_eq!((picture.width, picture.height), (width, height), "{subject}");
        assert!(contrast(&picture) > 8.0, "{subject} at {width} by {height} is almost blank");
    }
}

fn digest(file: &[u8]) -> String {
    Sha256::digest(file).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes every character");
        text
    })
}

#[test]
fn the_same_prompt_seed_and_size_give_the_same_bytes() {
    for subject in SUBJECTS {
        assert!(paint(subject, 11, 200, 150) == paint(subject, 11, 200, 150), "{subject} came out differently");
    }
}

#[test]
fn another_seed_gives_a_clearly_different_picture() {
    for subject in SUBJECTS {
        let [one, other] = [1, 2].map(|seed| decode(&paint(subject, seed, 128, 128)));
        let apart = distance(&one, &other);
        assert!(apart > 10.0, "{subject}: seeds 1 and 2 differ by {apart:.1} of 255 only");
    }
}

#[test]
fn every_subject_looks_unlike_every_other() {
    let pictures = SUBJECTS.map(|subject| decode(&paint(&format!("{subject}, blue, at noon"), 5, 128, 128)));
    for (index, one) in pictures.iter().enumerate() {
        for (offset, other) in pictures[index + 1..].iter().enumerate() {
            let apart = distance(one, other);
            let names = (SUBJECTS[index], SUBJECTS[index + 1 + offset]);
            assert!(apart > 10.0, "{names:?} differ by {apart:.1} of 255 only");
        }
    }
}

#[test]
fn a_colour_word_decides_the_palette() {
    let mean = |prompt: &str| {
        let picture = decode(&paint(prompt, 9, 96, 96));
        let sums = picture.rgb.chunks_exact(3).fold([0_u64; 3], |sums, pixel| {
            [sums[0] + u64::from(pixel[0]), sums[1] + u64::from(pixel[1]), sums[2] + u64::from(pixel[2])]
        });
        sums.map(|sum| sum / (96 * 96))
    };
    for subject in ["mountains", "sea", "terrain", "koi"] {
        let [red, _, blue] = mean(&format!("{subject} in autumn"));
        assert!(red > blue, "{subject}: autumn is not warm: red {red}, blue {blue}");
        let [red, _, blue] = mean(&format!("Blue {subject}"));
        assert!(blue > red, "{subject}: blue is not cold: red {red}, blue {blue}");
    }
}

#[test]
fn every_subject_paints_at_64_by_64() {
    check_every_subject_paints(64, 64);
}

#[test]
fn every_subject_paints_at_1024_by_768() {
    check_every_subject_paints(1024, 768);
}

#[test]
fn every_subject_paints_at_2048_by_2048() {
    check_every_subject_paints(2048, 2048);
}

#[test]
fn every_subject_paints_on_the_longest_strips() {
    check_every_subject_paints(2048, 64);
    check_every_subject_paints(64, 2048);
}

#[test]
fn a_size_beyond_the_bounds_is_brought_to_them() {
    let picture = decode(&paint("city", 1, 0, 100_000));
    assert_eq!((picture.width, picture.height), (64, 2048));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_prompt_paints_a_picture_of_the_asked_size(
        prompt in prop_oneof![
            Just(String::new()),
            Just("🌊🦊 ¿où? 夜の街".to_owned()),
            Just("neon ".repeat(2000)),
            ".{0,200}",
            "\\PC{10000}",
        ],
        seed: u64,
        width in 64_u32..=160,
        height in 64_u32..=160,
    ) {
        let picture = decode(&paint(&prompt, seed, width, height));
        prop_assert_eq!((picture.width, picture.height), (width, height));
    }
}

/// A change here changes what a prompt and a seed give, for every artwork painted so far: let it be a decision.
#[test]
fn the_look_is_pinned() {
    let painted = SUBJECTS.map(|subject| format!("{subject} {}", &digest(&paint(subject, 7, 96, 72))[..16]));
    assert_eq!(painted, PINNED);
}

/// Each subject and the first eight bytes of the SHA-256 of its painting.
const PINNED: [&str; 12] = [
    "mountains 77b2a8f8e7ea486a",
    "sea 532a1e199d9be2e7",
    "desert 1e0d6e12c73f162e",
    "pines bbbd74fedef3d6bd",
    "birch f93a975310d7d824",
    "city 78877729eb9ce271",
    "flowers ae53ad71eca9e251",
    "geometry 0148a66b152c86f2",
    "galaxy 3aeb763f1f874de7",
    "terrain 2932fba4b504c9b8",
    "smoke 1dda552b6e2acb8d",
    "koi fcc29f4599f89ebc",
];
