//! The watermark.

use crate::caption::{Corner, Mark};
use crate::raster::Raster;
use crate::text::{Line, Paint, clean};

/// Writes the mark into its corner: white on a soft dark halo, which reads on light and on dark.
///
/// What cannot be drawn is left out, and a text wider than most of the picture is shortened with an ellipsis. A picture
/// too small for readable letters stays as it is.
pub(crate) fn draw(picture: &mut Raster, mark: &Mark) {
    if picture.short_side() < SMALLEST_PX || mark.opacity_percent == 0 {
        return;
    }
    let (width, height) = (px(picture.width()), px(picture.height()));
    let size = (px(picture.short_side()) * SIZE_SHARE).clamp(SIZE_PX.0, SIZE_PX.1);
    let Some(line) = Line::set(&clean(&mark.text), size, width * WIDTH_SHARE) else {
        return;
    };
    let radius = (size * HALO_SHARE).round().max(1.0);
    // Two passes of the blur reach two radii far.
    let letters = line.mask(pixels(2.0 * radius + 1.0));
    let halo = letters.blurred(pixels(radius)).blurred(pixels(radius));
    let margin = size * MARGIN_SHARE;
    let (right, bottom) = (width - margin - line.width(), height - margin - size * DESCENT);
    let (x, base) = match mark.corner {
        Corner::LowerRight => (right, bottom),
        Corner::LowerLeft => (margin, bottom),
        Corner::UpperRight => (right, margin + size * ASCENT),
        Corner::UpperLeft => (margin, margin + size * ASCENT),
    };
    let (x, base) = (i64::from(pixels(x)), i64::from(pixels(base)));
    let strength = u32::from(mark.opacity_percent.min(100));
    halo.paint(picture, x, base, Paint { value: 0, gain: 520 * strength / 100, most: 160 * strength / 100 });
    letters.paint(picture, x, base, Paint { value: 255, gain: 255 * strength / 100, most: 255 });
}

/// Below this short side a name would cover more than it marks.
const SMALLEST_PX: u32 = 96;

/// Height of the font against the picture's short side.
const SIZE_SHARE: f32 = 0.03;

/// Smallest and largest height of the font in pixels.
const SIZE_PX: (f32, f32) = (13.0, 96.0);

/// The most of the picture's width that a name takes.
const WIDTH_SHARE: f32 = 0.6;

/// Distance from the corner against the height of the font.
const MARGIN_SHARE: f32 = 0.7;

/// How far letters reach over and under the base, against the height of the font.
const ASCENT: f32 = 0.8;
const DESCENT: f32 = 0.25;

/// How far each pass of the halo's blur reaches, against the height of the font.
const HALO_SHARE: f32 = 0.08;

#[expect(clippy::cast_precision_loss, reason = "pixels of a side are far below the 16 million that f32 counts exactly")]
fn px(count: u32) -> f32 {
    count as f32
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, below zero is none")]
fn pixels(length: f32) -> u32 {
    length.ceil() as u32
}
