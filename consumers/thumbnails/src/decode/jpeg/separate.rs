//! JPEGs whose colours can be decoded one after the other, which takes the memory of one.
//!
//! A progressive picture is not there before its last scan, so a decoder keeps all its numbers, two bytes for each, and then
//! makes the pixels beside them: six to nine bytes a pixel. Colour by colour it is three at most, beside the file and its scans of
//! that colour, and what no rendition shows is left out before the next colour comes. A sequential picture with a scan for each colour is decoded the same way, for another
//! reason: `zune-jpeg` 0.5 gets it wrong and says nothing.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::parts::Parts;
use super::{alone, first};
use crate::buffers::{self, Buffer};
use crate::decode::corrupt;
use crate::raster::Plane;
use crate::refused::Refused;

/// So many colours of the picture, as they are in the file, each in `width` x `height`.
pub(super) fn planes(
    bytes: &[u8],
    colours: usize,
    options: DecoderOptions,
    (width, height): (u32, u32),
) -> Result<Vec<Buffer>, Refused> {
    let parts = Parts::of(bytes)?;
    let frame = &parts.frame;
    if frame.components.len() != colours {
        return Err(Refused::corrupt("its headers contradict each other about its colours"));
    }
    let (unit_across, unit_down) = frame.unit();
    buffers::clear();
    let first = if frame.progressive { first::numbers(&parts)? } else { Vec::new() };
    let mut planes = Vec::new();
    for (at, component) in frame.components.iter().enumerate() {
        let file = alone::file(&parts, at, first.get(at).map(Vec::as_slice))?;
        let samples = grey(&file, options)?;
        drop(file);
        // A colour of fewer samples has them in the middle of what they stand for, and the last may reach over the edge.
        let share = |side: u32, blocks: u32, unit: u32| f64::from(side * blocks) / f64::from(unit);
        let shown = (share(frame.width, component.across, unit_across), share(frame.height, component.down, unit_down));
        let plane = Plane { width: component.width, height: component.height, samples, shown };
        planes.push(plane.resized(width, height));
    }
    Ok(planes)
}

/// Planes to pixels, one plane for each of their numbers.
pub(super) fn together<const N: usize>(planes: &[Buffer], pixel: impl Fn([u8; N]) -> [u8; N]) -> Buffer {
    let planes: &[Buffer; N] = planes.try_into().expect("as many as the headers have colours");
    let mut pixels = buffers::take(planes.iter().map(|plane| plane.len()).sum());
    for (at, together) in pixels.as_chunks_mut::<N>().0.iter_mut().enumerate() {
        *together = pixel(planes.each_ref().map(|plane| plane[at]));
    }
    pixels
}

fn grey(file: &[u8], options: DecoderOptions) -> Result<Buffer, Refused> {
    let options = options.jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().map_err(corrupt)?;
    let mut samples = buffers::zeroed(decoder.output_buffer_size().unwrap_or_default());
    decoder.decode_into(&mut samples).map_err(corrupt)?;
    Ok(samples)
}
