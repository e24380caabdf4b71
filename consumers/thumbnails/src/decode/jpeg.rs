//! JPEG: grey, colour, and the four inks of print.

mod alone;
mod first;
mod parts;
mod separate;

use image::ColorType;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Decoded, bounded, corrupt, raster};
use crate::buffers;
use crate::colour;
use crate::gate::Inspected;
use crate::policy::{Limits, Policy};
use crate::raster::Raster;
use crate::refused::Refused;
use crate::stages;

/// A picture whose colours are decoded one after the other comes as small as `stages` can do with.
pub(super) fn decode(bytes: &[u8], inspected: &Inspected, policy: &Policy) -> Result<Decoded, Refused> {
    let options = options(&policy.limits);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(corrupt)?;
    let info = decoder.info().ok_or_else(|| Refused::corrupt("it has no header"))?;
    let stored = match (info.components, decoder.input_colorspace()) {
        (1, _) => ColorSpace::Luma,
        // So Photoshop's segment is read before the decoder has looked at how many colours there are.
        (3, Some(ColorSpace::RGB | ColorSpace::CMYK)) => ColorSpace::RGB,
        (3, _) => ColorSpace::YCbCr,
        (4, Some(ColorSpace::YCCK)) => ColorSpace::YCCK,
        (4, _) => ColorSpace::CMYK,
        (count, _) => return Err(Refused::Unsupported(format!("a JPEG of {count} colours"))),
    };
    let profile = bounded(decoder.icc_profile(), &policy.limits);
    let (width, height, mut pixels);
    if inspected.separate {
        (width, height) = stages::enough(inspected.width, inspected.height, policy);
        let planes = separate::planes(bytes, usize::from(info.components), options, (width, height))?;
        pixels = match stored {
            ColorSpace::Luma => separate::together(&planes, |[grey]| [grey]),
            ColorSpace::YCbCr => separate::together(&planes, lights),
            ColorSpace::RGB => separate::together(&planes, |lights: [u8; 3]| lights),
            _ => separate::together(&planes, |inks: [u8; 4]| inks),
        };
    } else {
        (width, height) = (u32::from(info.width), u32::from(info.height));
        let inks = matches!(stored, ColorSpace::CMYK | ColorSpace::YCCK);
        if inks || stored == ColorSpace::Luma {
            // The decoder's own way from four inks to three lights knows no profile.
            decoder.set_options(options.jpeg_set_out_colorspace(stored));
        }
        let length = decoder.output_buffer_size().unwrap_or_default();
        pixels = if inks { buffers::truncated_soon(length) } else { buffers::zeroed(length) };
        decoder.decode_into(&mut pixels).map_err(corrupt)?;
    }
    match stored {
        ColorSpace::Luma => Ok(Decoded { raster: raster(width, height, ColorType::L8, pixels)?, profile: None }),
        ColorSpace::CMYK | ColorSpace::YCCK => {
            if stored == ColorSpace::YCCK {
                inks_of_ycck(&mut pixels);
            } else if has_adobe_segment(bytes) {
                for value in pixels.iter_mut() {
                    *value = 255 - *value;
                }
            }
            let rgb = colour::of_inks(pixels, profile.as_deref());
            Ok(Decoded { raster: Raster::rgb(width, height, rgb), profile: None })
        }
        _ => Ok(Decoded { raster: raster(width, height, ColorType::Rgb8, pixels)?, profile }),
    }
}

/// Strict: the decoder would otherwise fill with grey what a broken scan leaves out, and call that a picture. What even
/// strictness does not see is a scan that lost bytes in its middle or its last rows and still ends with its end marker; the
/// decoder then makes up the missing blocks. Where another marker ends it, they stay as they were: the gate refuses those.
fn options(limits: &Limits) -> DecoderOptions {
    let side = limits.max_side_px as usize;
    let scans = usize::try_from(limits.max_scans).unwrap_or(usize::MAX);
    DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(side)
        .set_max_height(side)
        .jpeg_set_max_scans(scans)
        .jpeg_set_out_colorspace(ColorSpace::RGB)
}

/// Brightness and two differences of colour to three lights. The weights are those of JFIF in 65536ths.
fn lights([bright, blue, red]: [u8; 3]) -> [u8; 3] {
    let bright = i32::from(bright) << 16;
    let (blue, red) = (i32::from(blue) - 128, i32::from(red) - 128);
    [bright + 91_881 * red, bright - 22_554 * blue - 46_802 * red, bright + 116_130 * blue]
        .map(|light| u8::try_from(((light + (1 << 15)) >> 16).clamp(0, 255)).expect("clamped"))
}

/// Brightness, two differences of colour, and black, all of inks as Photoshop stores them (255 is none), to four inks
/// of which 255 is all.
fn inks_of_ycck(pixels: &mut [u8]) {
    for pixel in pixels.chunks_exact_mut(4) {
        // The stored ink is the light's opposite, and is itself the opposite of how much ink there is.
        let inks = lights([pixel[0], pixel[1], pixel[2]]);
        pixel[..3].copy_from_slice(&inks);
        pixel[3] = 255 - pixel[3];
    }
}

/// Whether Photoshop's segment stands before the picture: such files store how much ink is left out.
fn has_adobe_segment(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some([0xFF, marker, high, low]) = bytes.get(at..at + 4) {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        match marker {
            0xDA | 0xD9 => return false,
            0xEE if bytes.get(at + 4..at + 9) == Some(b"Adobe") => return true,
            0xFF => at += 1,
            _ => at += 2 + length,
        }
    }
    false
}
