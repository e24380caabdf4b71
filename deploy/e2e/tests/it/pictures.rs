//! Pictures that differ from each other, small, large and broken.

use std::io::Cursor;

use anyhow::Context as _;
use image::{ImageFormat, Rgb, RgbImage};

/// A picture of this side, in colours that follow from the number.
pub(crate) fn small(number: u32, side: u32, format: ImageFormat) -> anyhow::Result<Vec<u8>> {
    let pixel = |x: u32, y: u32| {
        let [red, green, blue, _] = number.wrapping_mul(2_654_435_761).to_le_bytes();
        Rgb([red ^ low(x), green ^ low(y), blue ^ low(x * y / side)])
    };
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_fn(side, side, pixel).write_to(&mut bytes, format)?;
    Ok(bytes.into_inner())
}

/// A PNG of noise, which nothing can make smaller: three bytes for each pixel.
pub(crate) fn incompressible(side: u32) -> anyhow::Result<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = Vec::with_capacity(usize::try_from(side * side * 3)?);
    while noise.len() < noise.capacity() {
        // xorshift64: any noise does.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let wanted = noise.capacity() - noise.len();
        noise.extend_from_slice(&state.to_le_bytes()[..wanted.min(8)]);
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::NoCompression);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&noise)?;
    writer.finish()?;
    Ok(bytes)
}

/// A small file that becomes a black square of this side when it is decoded.
pub(crate) fn bomb(side: u32) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header()?;
    let row = usize::try_from(side.div_ceil(8))?;
    writer.write_image_data(&vec![0; row * usize::try_from(side)?])?;
    writer.finish()?;
    Ok(bytes)
}

/// The first half of a file.
pub(crate) fn truncated(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let half = bytes.get(..bytes.len() / 2).context("half of it is less than all of it")?;
    Ok(half.to_vec())
}

fn low(number: u32) -> u8 {
    number.to_le_bytes()[0]
}
