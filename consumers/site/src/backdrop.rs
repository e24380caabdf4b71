//! What stands in for a picture until it has loaded, from its thumbhash.
//!
//! Browsers cannot read a thumbhash and a page must work without a script, so it becomes CSS here: a flat colour in
//! listings, where dozens load at once, and a blurred impression on a work's own page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest thumbhash there is, in bytes, with room to spare.
const HASH_MAX_BYTES: usize = 32;
/// The shortest that carries colour and transparency.
const HASH_MIN_BYTES: usize = 6;
/// In the third byte of a thumbhash.
const HAS_ALPHA: u8 = 0x80;
/// Longest side of the impression. Browsers smooth it when they scale it up, and a thumbhash holds hardly more detail.
const SIDE_PX: usize = 8;

/// The average colour, `#rrggbb`; none when `thumbhash` (base64) is not one of an opaque picture.
#[must_use]
pub fn tint(thumbhash: &str) -> Option<String> {
    let (red, green, blue, _) = thumbhash::thumb_hash_to_average_rgba(&decode(thumbhash)?).ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the crate clamps each channel to 0..=1"
    )]
    let [red, green, blue] = [red, green, blue].map(|channel| (channel * 255.0).round() as u8);
    Some(format!("#{red:02x}{green:02x}{blue:02x}"))
}

/// A blurred impression as a CSS background of about 400 bytes; none when `thumbhash` (base64) is not one of an
/// opaque picture.
#[must_use]
pub fn impression(thumbhash: &str) -> Option<String> {
    let (width, height, rgba) = thumbhash::thumb_hash_to_rgba(&decode(thumbhash)?).ok()?;
    if width == 0 || height == 0 {
        return None;
    }
    let (small_width, small_height) = (width.min(SIDE_PX), height.min(SIDE_PX));
    let mut small = Vec::with_capacity(small_width * small_height * 4);
    for row in 0..small_height {
        for column in 0..small_width {
            let x = (2 * column + 1) * width / (2 * small_width);
            let y = (2 * row + 1) * height / (2 * small_height);
            let start = (y * width + x) * 4;
            small.extend_from_slice(&rgba[start..start + 4]);
        }
    }
    let png = png_of(small_width, small_height, &small)?;
    Some(format!("url(data:image/png;base64,{}) 0 0 / 100% 100%", STANDARD.encode(png)))
}

/// The hash of an opaque picture. What lies behind one with transparent parts would still be seen when it has loaded.
fn decode(thumbhash: &str) -> Option<Vec<u8>> {
    let plausible = (HASH_MIN_BYTES..=HASH_MAX_BYTES).contains(&(thumbhash.len() / 4 * 3));
    STANDARD
        .decode(Some(thumbhash).filter(|_| plausible)?)
        .ok()
        .filter(|hash| hash.len() >= HASH_MIN_BYTES && hash[2] & HAS_ALPHA == 0)
}

fn png_of(width: usize, height: usize, rgba: &[u8]) -> Option<Vec<u8>> {
    let mut file = vec![];
    let mut encoder = png::Encoder::new(&mut file, u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().ok()?.write_image_data(rgba).ok()?;
    Some(file)
}
