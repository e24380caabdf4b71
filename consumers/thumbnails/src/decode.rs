//! One decode of an upload that the gate has let through.

#[cfg(feature = "avif")]
mod avif;
mod jpeg;
mod png;

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::gif::GifDecoder;
use image::codecs::webp::WebPDecoder;
use image::{ColorType, ImageDecoder};

use crate::buffers::{self, Buffer};
use crate::gate::{Format, Inspected};
use crate::policy::{Limits, Policy};
use crate::raster::Raster;
use crate::refused::Refused;
use crate::stages;

/// Pixels as stored, not yet turned, and what their numbers mean.
pub(crate) struct Decoded {
    /// In the size of the original, or as small as `stages` can do with.
    pub(crate) raster: Raster,
    /// An ICC profile; none where they are sRGB, or where nothing says that they are not.
    pub(crate) profile: Option<Vec<u8>>,
}

/// The first picture in the file.
///
/// The decoders are safe Rust and work on counted dimensions, so the worst they can do is panic. That is caught: it
/// says that the file is damaged, and an attempt that died of it would only be tried again.
pub(crate) fn decode(bytes: &[u8], inspected: &Inspected, policy: &Policy) -> Result<Decoded, Refused> {
    let limits = &policy.limits;
    let decoded = catch_unwind(AssertUnwindSafe(|| match inspected.format {
        Format::Jpeg => jpeg::decode(bytes, inspected, policy),
        Format::Png => png::decode(bytes, inspected, limits),
        Format::Webp => {
            WebPDecoder::new(Cursor::new(bytes)).map_err(corrupt).and_then(|decoder| through_image(decoder, limits))
        }
        Format::Gif => {
            GifDecoder::new(Cursor::new(bytes)).map_err(corrupt).and_then(|decoder| through_image(decoder, limits))
        }
        #[cfg(feature = "avif")]
        Format::Avif => avif::decode(bytes, inspected, limits),
    }))
    .unwrap_or_else(|_| Err(Refused::corrupt("its decoder gave up on it")))?;
    let size = (decoded.raster.width(), decoded.raster.height());
    let enough = stages::enough(inspected.width, inspected.height, policy);
    if size != (inspected.width, inspected.height) && size != enough {
        return Err(Refused::corrupt("its headers contradict each other about its size"));
    }
    Ok(decoded)
}

fn through_image(mut decoder: impl ImageDecoder, limits: &Limits) -> Result<Decoded, Refused> {
    let (width, height) = decoder.dimensions();
    let kind = decoder.color_type();
    // A profile that cannot be read is passed over, as if it were not there.
    let profile = bounded(decoder.icc_profile().ok().flatten(), limits);
    let mut pixels = buffers::zeroed(usize::try_from(decoder.total_bytes()).map_err(corrupt)?);
    decoder.read_image(&mut pixels).map_err(corrupt)?;
    Ok(Decoded { raster: raster(width, height, kind, pixels)?, profile })
}

/// A profile that is too large is passed over, like one that cannot be read: its picture is whole, and its colours are as near
/// as those of a picture that says nothing.
fn bounded(profile: Option<Vec<u8>>, limits: &Limits) -> Option<Vec<u8>> {
    profile.filter(|profile| profile.len() as u64 <= limits.max_profile_bytes)
}

fn raster(width: u32, height: u32, kind: ColorType, pixels: Buffer) -> Result<Raster, Refused> {
    let expected = u64::from(width) * u64::from(height) * u64::from(kind.bytes_per_pixel());
    if pixels.is_empty() || pixels.len() as u64 != expected {
        return Err(Refused::corrupt("its pixels do not fill its size"));
    }
    match kind {
        ColorType::Rgb8 => Ok(Raster::rgb(width, height, pixels)),
        ColorType::Rgba8 => Ok(Raster::rgba(width, height, pixels)),
        ColorType::L8 => {
            let mut coloured = buffers::take(pixels.len() * 3);
            for (pixel, grey) in coloured.chunks_exact_mut(3).zip(&*pixels) {
                pixel.fill(*grey);
            }
            Ok(Raster::rgb(width, height, coloured))
        }
        ColorType::La8 => {
            let mut coloured = buffers::take(pixels.len() * 2);
            for (pixel, pair) in coloured.chunks_exact_mut(4).zip(pixels.chunks_exact(2)) {
                pixel.copy_from_slice(&[pair[0], pair[0], pair[0], pair[1]]);
            }
            Ok(Raster::rgba(width, height, coloured))
        }
        other => Err(Refused::Unsupported(format!("pixels of the kind {other:?}"))),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is the shape map_err asks for")]
fn corrupt(error: impl ToString) -> Refused {
    Refused::Corrupt(error.to_string())
}
