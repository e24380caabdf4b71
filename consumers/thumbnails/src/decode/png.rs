//! PNG: every colour type and depth.

use std::io::{Cursor, Read as _};

use flate2::read::ZlibDecoder;
use image::ColorType;
use png::Transformations;

use super::{Decoded, bounded, corrupt, raster};
use crate::buffers;
use crate::gate::Inspected;
use crate::policy::Limits;
use crate::refused::Refused;

/// Compressed text stays packed, since unpacking a small one can fill the memory; the profile is unpacked here, to a
/// bound.
pub(super) fn decode(bytes: &[u8], inspected: &Inspected, limits: &Limits) -> Result<Decoded, Refused> {
    let row = inspected.width as usize * 8;
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: row * 4 + (16 << 20) });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(corrupt)?;
    let length = reader.output_buffer_size().ok_or_else(|| Refused::corrupt("its size overflows"))?;
    let mut pixels = buffers::zeroed(length);
    let frame = reader.next_frame(&mut pixels).map_err(corrupt)?;
    pixels.truncate(frame.buffer_size());
    let kind = match frame.color_type {
        png::ColorType::Grayscale => ColorType::L8,
        png::ColorType::GrayscaleAlpha => ColorType::La8,
        png::ColorType::Rgb => ColorType::Rgb8,
        png::ColorType::Rgba => ColorType::Rgba8,
        png::ColorType::Indexed => return Err(Refused::corrupt("its palette is missing")),
    };
    let coloured = matches!(kind, ColorType::Rgb8 | ColorType::Rgba8);
    let profile = coloured.then(|| bounded(profile(bytes, limits.max_profile_bytes), limits)).flatten();
    Ok(Decoded { raster: raster(frame.width, frame.height, kind, pixels)?, profile })
}

/// The chunk `iCCP` before the picture data: a name, a zero, the method 0, and the packed profile. What is unpacked of a larger one
/// than is allowed is one byte too many.
fn profile(bytes: &[u8], most: u64) -> Option<Vec<u8>> {
    let mut at = 8;
    loop {
        let length = u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize;
        let body = bytes.get(at + 8..(at + 8).checked_add(length)?)?;
        match bytes.get(at + 4..at + 8)? {
            b"IDAT" | b"IEND" => return None,
            b"iCCP" => {
                let name = body.iter().position(|byte| *byte == 0)?;
                let mut unpacked = Vec::new();
                ZlibDecoder::new(body.get(name + 2..)?).take(most.saturating_add(1)).read_to_end(&mut unpacked).ok()?;
                return Some(unpacked);
            }
            _ => at += 12 + length,
        }
    }
}
