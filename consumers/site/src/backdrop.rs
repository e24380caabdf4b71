//! What stands in for a picture until it has loaded, from its thumbhash.
//!
//! Browsers cannot read a thumbhash and a page must work without a script, so it becomes CSS here: a flat colour in
//! listings, where dozens load at once, and a blurred impression on a work's own page.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest thumbhash there is, in bytes, with room to spare.
const HASH_MAX_BYTES: usize = 32;
/// The shortest that carries colour and transparency.
const HASH_MIN_BYTES: usize = 6;
/// In the third byte of a thumbhash.
const HAS_ALPHA: u8 = 0x80;
/// Sides of the impression, in pixels. Browsers smooth it when they scale it up, and a thumbhash holds hardly more detail.
const SIDE: usize = SIDE_U8 as usize;
const SIDE_U8: u8 = 8;
/// How often a wave of an opaque picture swings at most.
const MOST_WAVES: usize = 7;

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
    let png = png_of(&Picture::read(&decode(thumbhash)?)?.rgb())?;
    Some(format!("url(data:image/png;base64,{}) 0 0 / 100% 100%", STANDARD.encode(png)))
}

/// What a thumbhash says: three channels as sums of cosine waves. Only [`SIDE`] points of a row are wanted and not the 32 that
/// the crate computes, for every work there is.
struct Picture {
    light: Channel,
    /// Yellow against blue, and red against green.
    yellow: Channel,
    red: Channel,
}

struct Channel {
    mean: f32,
    /// How often it swings across and down, and how far.
    waves: Vec<(usize, usize, f32)>,
}

impl Picture {
    /// Of an opaque picture.
    fn read(hash: &[u8]) -> Option<Self> {
        let [one, two, three, four, five, digits @ ..] = hash else { return None };
        let means = u32::from_le_bytes([*one, *two, *three, 0]);
        let shape = u16::from_le_bytes([*four, *five]);
        let bits = |from: u32, of: u8| f32::from(u8::try_from(means >> from & u32::from(of)).unwrap_or_default());
        let reach = |from: u16| f32::from(shape >> from & 63) / 63.0 * 1.25;
        let short = usize::from(shape & 7).max(3);
        let (across, down) = if shape >> 15 == 1 { (MOST_WAVES, short) } else { (short, MOST_WAVES) };
        let mut digits = digits.iter().flat_map(|byte| [byte & 15, byte >> 4]);
        let mut channel = |mean: f32, across: usize, down: usize, reach: f32| {
            let mut waves = Vec::with_capacity(across * down);
            for y in 0..down {
                for x in (usize::from(y == 0)..across).take_while(|x| x * down < across * (down - y)) {
                    waves.push((x, y, (f32::from(digits.next()?) / 7.5 - 1.0) * reach));
                }
            }
            Some(Channel { mean, waves })
        };
        Some(Self {
            light: channel(bits(0, 63) / 63.0, across, down, bits(18, 31) / 31.0)?,
            yellow: channel(bits(6, 63) / 31.5 - 1.0, 3, 3, reach(3))?,
            red: channel(bits(12, 63) / 31.5 - 1.0, 3, 3, reach(9))?,
        })
    }

    fn rgb(&self) -> Vec<u8> {
        let mut rgb = Vec::with_capacity(SIDE * SIDE * 3);
        for (y, x) in (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (y, x))) {
            let [light, yellow, red] = [&self.light, &self.yellow, &self.red].map(|channel| channel.at(x, y));
            let blue = light - 2.0 / 3.0 * yellow;
            let warm = f32::midpoint(3.0 * light - blue, red);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
            rgb.extend([warm, warm - red, blue].map(|channel| (channel.clamp(0.0, 1.0) * 255.0).round() as u8));
        }
        rgb
    }
}

impl Channel {
    fn at(&self, x: usize, y: usize) -> f32 {
        let swing = |&(across, down, reach): &(usize, usize, f32)| reach * COSINES[x][across] * COSINES[y][down];
        self.mean + 2.0 * self.waves.iter().map(swing).sum::<f32>()
    }
}

/// By point, then by how often the wave swings from one side to the other.
static COSINES: LazyLock<[[f32; MOST_WAVES]; SIDE]> = LazyLock::new(|| {
    let cosine = |point: u8, times: u8| {
        (std::f32::consts::PI * (f32::from(point) + 0.5) * f32::from(times) / f32::from(SIDE_U8)).cos()
    };
    let mut cosines = [[0.0; MOST_WAVES]; SIDE];
    for (point, row) in (0..).zip(&mut cosines) {
        for (times, height) in (0..).zip(row) {
            *height = cosine(point, times);
        }
    }
    cosines
});

/// The hash of an opaque picture. What lies behind one with transparent parts would still be seen when it has loaded.
fn decode(thumbhash: &str) -> Option<Vec<u8>> {
    let plausible = (HASH_MIN_BYTES..=HASH_MAX_BYTES).contains(&(thumbhash.len() / 4 * 3));
    STANDARD
        .decode(Some(thumbhash).filter(|_| plausible)?)
        .ok()
        .filter(|hash| hash.len() >= HASH_MIN_BYTES && hash[2] & HAS_ALPHA == 0)
}

fn png_of(rgb: &[u8]) -> Option<Vec<u8>> {
    let mut file = vec![];
    let mut encoder = png::Encoder::new(&mut file, SIDE_U8.into(), SIDE_U8.into());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder.write_header().ok()?.write_image_data(rgb).ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_impression_is_what_the_hash_says() {
        for thumbhash in ["3OcRJYB4d3h/iIeHeEh3eIhw+j2w", "1QcSHQRnh493V4dIh4eXh1h4kJUI"] {
            let hash = decode(thumbhash).expect("one of an opaque picture");
            let (width, height, rgba) = thumbhash::thumb_hash_to_rgba(&hash).expect("it can be read");
            let rgb = Picture::read(&hash).expect("it can be read").rgb();
            for (y, x) in (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (y, x))) {
                // The corner of four of its pixels, or close to it.
                let corner = |at: usize, of: usize| ((2 * at + 1) * of + SIDE) / (2 * SIDE);
                let (down, across) = (corner(y, height), corner(x, width));
                for channel in 0..3 {
                    let pixel =
                        |up: usize, left: usize| u32::from(rgba[((down - up) * width + across - left) * 4 + channel]);
                    let expected = (pixel(0, 0) + pixel(0, 1) + pixel(1, 0) + pixel(1, 1)) / 4;
                    let found = u32::from(rgb[(y * SIDE + x) * 3 + channel]);
                    assert!(found.abs_diff(expected) <= 8, "{thumbhash} at {x}, {y}: {found}, not {expected}");
                }
            }
        }
        assert!(impression("3OcRJYB4").is_none(), "too short for its waves");
    }
}
