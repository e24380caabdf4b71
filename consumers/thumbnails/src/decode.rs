//! One decode of an upload that the gate has let through.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::gif::GifDecoder;
use image::codecs::webp::WebPDecoder;
use image::{ColorType, ImageDecoder};
use png::Transformations;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::gate::{Format, Inspected};
use crate::policy::Limits;
use crate::raster::Raster;
use crate::refused::Refused;

/// The pixels as stored, not yet turned.
///
/// The decoders are safe Rust and work on counted dimensions, so the worst they can do is panic. That is caught: it
/// says that the file is damaged, and an attempt that died of it would only be tried again.
pub(crate) fn decode(bytes: &[u8], inspected: &Inspected, limits: &Limits) -> Result<Raster, Refused> {
    let decoded = catch_unwind(AssertUnwindSafe(|| match inspected.format {
        Format::Jpeg => jpeg(bytes, limits),
        Format::Png => png(bytes, inspected),
        Format::Webp => WebPDecoder::new(Cursor::new(bytes)).map_err(corrupt).and_then(through_image),
        Format::Gif => GifDecoder::new(Cursor::new(bytes)).map_err(corrupt).and_then(through_image),
    }))
    .unwrap_or_else(|_| Err(Refused::corrupt("its decoder gave up on it")))?;
    if (decoded.width(), decoded.height()) != (inspected.width, inspected.height) {
        return Err(Refused::corrupt("its headers contradict each other about its size"));
    }
    Ok(decoded)
}

/// Strict: the decoder would otherwise fill with grey what a broken scan leaves out, and call that a picture. What even
/// strictness does not see is a scan that lost bytes in its middle and still ends with its end marker; the decoder then
/// makes up the missing blocks.
fn jpeg(bytes: &[u8], limits: &Limits) -> Result<Raster, Refused> {
    let side = limits.max_side_px as usize;
    let scans = usize::try_from(limits.max_scans).unwrap_or(usize::MAX);
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(side)
        .set_max_height(side)
        .jpeg_set_max_scans(scans)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(corrupt)?;
    let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
    if grey {
        decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::Luma));
    }
    let pixels = decoder.decode().map_err(corrupt)?;
    let info = decoder.info().ok_or_else(|| Refused::corrupt("it has no header"))?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    raster(width, height, if grey { ColorType::L8 } else { ColorType::Rgb8 }, pixels)
}

/// Compressed text and profiles stay packed, since unpacking a small one can fill the memory.
fn png(bytes: &[u8], inspected: &Inspected) -> Result<Raster, Refused> {
    let row = inspected.width as usize * 8;
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: row * 4 + (16 << 20) });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(corrupt)?;
    let length = reader.output_buffer_size().ok_or_else(|| Refused::corrupt("its size overflows"))?;
    let mut pixels = vec![0; length];
    let frame = reader.next_frame(&mut pixels).map_err(corrupt)?;
    pixels.truncate(frame.buffer_size());
    let kind = match frame.color_type {
        png::ColorType::Grayscale => ColorType::L8,
        png::ColorType::GrayscaleAlpha => ColorType::La8,
        png::ColorType::Rgb => ColorType::Rgb8,
        png::ColorType::Rgba => ColorType::Rgba8,
        png::ColorType::Indexed => return Err(Refused::corrupt("its palette is missing")),
    };
    raster(frame.width, frame.height, kind, pixels)
}

fn through_image(decoder: impl ImageDecoder) -> Result<Raster, Refused> {
    let (width, height) = decoder.dimensions();
    let kind = decoder.color_type();
    let length = usize::try_from(decoder.total_bytes()).map_err(corrupt)?;
    let mut pixels = vec![0; length];
    decoder.read_image(&mut pixels).map_err(corrupt)?;
    raster(width, height, kind, pixels)
}

fn raster(width: u32, height: u32, kind: ColorType, pixels: Vec<u8>) -> Result<Raster, Refused> {
    let expected = u64::from(width) * u64::from(height) * u64::from(kind.bytes_per_pixel());
    if pixels.is_empty() || pixels.len() as u64 != expected {
        return Err(Refused::corrupt("its pixels do not fill its size"));
    }
    match kind {
        ColorType::Rgb8 => Ok(Raster::rgb(width, height, pixels)),
        ColorType::Rgba8 => Ok(Raster::rgba(width, height, pixels)),
        ColorType::L8 => Ok(Raster::rgb(width, height, pixels.into_iter().flat_map(|grey| [grey; 3]).collect())),
        ColorType::La8 => {
            let coloured = pixels.chunks_exact(2).flat_map(|pair| [pair[0], pair[0], pair[0], pair[1]]);
            Ok(Raster::rgba(width, height, coloured.collect()))
        }
        other => Err(Refused::Unsupported(format!("pixels of the kind {other:?}"))),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is the shape map_err asks for")]
fn corrupt(error: impl ToString) -> Refused {
    Refused::Corrupt(error.to_string())
}
