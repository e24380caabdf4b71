//! The built-in painter: a prompt and a seed become a picture, with no key and no network.
//!
//! The same prompt, seed and size give the same bytes on every machine and in every run. That is why randomness,
//! noise and trigonometry are our own or `libm`'s, why no map is iterated and no thread started. Words in the prompt
//! choose what is painted by a plain table; the seed chooses everything else.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel coordinates and counts of strokes are far below 2^24, and colours are clamped before they are bytes"
)]

mod botanical;
mod canvas;
mod city;
mod colour;
mod dice;
mod dunes;
mod finish;
mod flow;
mod forest;
mod geometry;
mod grove;
mod koi;
mod mountains;
mod nebula;
mod noise;
mod outline;
mod palette;
mod pond;
mod ridge;
mod sea;
mod sky;
mod terrain;
mod water;
mod words;

use canvas::Canvas;
use dice::Dice;
use words::{Family, Subject};

/// The shortest side of a painting, in pixels.
pub const MIN_SIDE: u32 = 64;
/// The longest side of a painting, in pixels.
pub const MAX_SIDE: u32 = 2048;

/// Paints a PNG (8-bit sRGB, no alpha) of `width` by `height` pixels.
///
/// Sides outside [`MIN_SIDE`]`..=`[`MAX_SIDE`] are brought to the nearer bound; every prompt paints something, the empty
/// one too.
#[must_use]
pub fn paint(prompt: &str, seed: u64, width: u32, height: u32) -> Vec<u8> {
    let mut dice = Dice::new(prompt, seed);
    let mut canvas = Canvas::new(width.clamp(MIN_SIDE, MAX_SIDE), height.clamp(MIN_SIDE, MAX_SIDE));
    let subject = Subject::of(prompt, &mut dice);
    let composition = match subject.family {
        Family::Mountains => mountains::paint,
        Family::Sea => sea::paint,
        Family::Dunes => dunes::paint,
        Family::Forest => forest::paint,
        Family::Grove => grove::paint,
        Family::City => city::paint,
        Family::Botanical => botanical::paint,
        Family::Geometry => geometry::paint,
        Family::Nebula => nebula::paint,
        Family::Terrain => terrain::paint,
        Family::Flow => flow::paint,
        Family::Pond => pond::paint,
    };
    composition(&mut canvas, &subject, &mut dice);
    finish::finish(&mut canvas, subject.family, &subject.palette, &mut dice);
    canvas.into_png()
}
