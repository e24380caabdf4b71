//! JPEG: grey, colour, and the four inks of print.

use image::ColorType;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Decoded, bounded, corrupt, raster};
use crate::buffers;
use crate::colour;
use crate::policy::Limits;
use crate::raster::Raster;
use crate::refused::Refused;

/// Strict: the decoder would otherwise fill with grey what a broken scan leaves out, and call that a picture. What even
/// strictness does not see is a scan that lost bytes in its middle and still ends with its end marker; the decoder then
/// makes up the missing blocks.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, Refused> {
    let side = limits.max_side_px as usize;
    let scans = usize::try_from(limits.max_scans).unwrap_or(usize::MAX);
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(side)
        .set_max_height(side)
        .jpeg_set_max_scans(scans)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(corrupt)?;
    let stored = decoder.input_colorspace();
    if let Some(stored @ (ColorSpace::Luma | ColorSpace::CMYK | ColorSpace::YCCK)) = stored {
        // The decoder's own way from four inks to three lights knows no profile.
        decoder.set_options(options.jpeg_set_out_colorspace(stored));
    }
    let length = decoder.output_buffer_size().ok_or_else(|| Refused::corrupt("it has no header"))?;
    let mut pixels = buffers::take(length);
    decoder.decode_into(&mut pixels).map_err(corrupt)?;
    let info = decoder.info().ok_or_else(|| Refused::corrupt("it has no header"))?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let profile = bounded(decoder.icc_profile(), limits);
    match stored {
        Some(ColorSpace::Luma) => Ok(Decoded { raster: raster(width, height, ColorType::L8, pixels)?, profile: None }),
        Some(ColorSpace::CMYK | ColorSpace::YCCK) => {
            if stored == Some(ColorSpace::YCCK) {
                inks_of_ycck(&mut pixels);
            } else if has_adobe_segment(bytes) {
                for value in &mut pixels {
                    *value = 255 - *value;
                }
            }
            let rgb = colour::of_inks(&pixels, profile.as_deref());
            buffers::give(pixels);
            Ok(Decoded { raster: Raster::rgb(width, height, rgb), profile: None })
        }
        _ => Ok(Decoded { raster: raster(width, height, ColorType::Rgb8, pixels)?, profile }),
    }
}

/// Brightness, two differences of colour, and black, all of inks as Photoshop stores them (255 is none), to four inks
/// of which 255 is all. The weights are those of JFIF in 65536ths.
fn inks_of_ycck(pixels: &mut [u8]) {
    for pixel in pixels.chunks_exact_mut(4) {
        let bright = i32::from(pixel[0]) << 16;
        let (blue, red) = (i32::from(pixel[1]) - 128, i32::from(pixel[2]) - 128);
        let light = [bright + 91_881 * red, bright - 22_554 * blue - 46_802 * red, bright + 116_130 * blue];
        for (ink, light) in pixel.iter_mut().zip(light) {
            // The stored ink is the light's opposite, and is itself the opposite of how much ink there is.
            *ink = u8::try_from(((light + (1 << 15)) >> 16).clamp(0, 255)).expect("clamped");
        }
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
