//! Pixels to files: JPEG and WebP without any metadata.

use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};
use webp::{PixelLayout, WebPConfig};

use crate::raster::Raster;

/// How fine colours are kept against brightness.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chroma {
    /// One colour for each pixel (4:4:4): edges of flat art stay crisp.
    Full,
    /// One colour for four pixels (4:2:0): a fifth fewer bytes, and nobody sees it on a photograph.
    Halved,
}

/// A baseline JPEG in one scan, with the standard Huffman tables. Fitted tables would save four per cent, but this encoder
/// then writes a scan for each colour, which some decoders turn green.
pub(crate) fn jpeg(raster: &Raster, quality: u8, chroma: Chroma) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality.clamp(1, 100));
    encoder.set_sampling_factor(match chroma {
        Chroma::Full => SamplingFactor::F_1_1,
        Chroma::Halved => SamplingFactor::F_2_2,
    });
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    let kind = if raster.has_alpha() { ColorType::Rgba } else { ColorType::Rgb };
    encoder
        .encode(raster.pixels(), side(raster.width()), side(raster.height()), kind)
        .expect("a raster fills its size and a vector takes every byte");
    bytes
}

/// A lossy WebP, with alpha where the raster has it.
pub(crate) fn webp(raster: &Raster, quality: u8, chroma: Chroma) -> Vec<u8> {
    let layout = if raster.has_alpha() { PixelLayout::Rgba } else { PixelLayout::Rgb };
    let mut config = WebPConfig::new().expect("the linked library has the version of its header");
    config.quality = f32::from(quality.clamp(1, 100));
    // WebP has no 4:4:4; the sharp conversion is what it has against smeared edges.
    config.use_sharp_yuv = i32::from(chroma == Chroma::Full);
    webp::Encoder::new(raster.pixels(), layout, raster.width(), raster.height())
        .encode_advanced(&config)
        .expect("a raster fills its size and its sides are below the format's 16384")
        .to_vec()
}

fn side(pixels: u32) -> u16 {
    u16::try_from(pixels).expect("renditions have at most 16383 pixels a side")
}
