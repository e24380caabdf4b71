//! Pixels to files: JPEG and WebP without any metadata.

mod jpeg;

use webp::{PixelLayout, WebPConfig};

use crate::raster::Raster;

pub(crate) use jpeg::jpeg;

/// How fine colours are kept against brightness.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chroma {
    /// One colour for each pixel (4:4:4): edges of flat art stay crisp.
    Full,
    /// One colour for four pixels (4:2:0): a fifth fewer bytes, and nobody sees it on a photograph.
    Halved,
}

/// How much time WebP takes for how few bytes, 0 to 6: 2 takes half as long as the library's own choice, 4, for three per
/// cent more bytes.
const WEBP_EFFORT: i32 = 2;

/// A lossy WebP, with alpha where the raster has it.
pub(crate) fn webp(raster: &Raster, quality: u8, chroma: Chroma) -> Vec<u8> {
    let mut config = webp_config();
    config.quality = f32::from(quality.clamp(1, 100));
    // WebP has no 4:4:4; the sharp conversion is what it has against smeared edges.
    config.use_sharp_yuv = i32::from(chroma == Chroma::Full);
    encoded(raster, &config)
}

/// A WebP that loses nothing.
pub(crate) fn lossless_webp(raster: &Raster) -> Vec<u8> {
    let mut config = webp_config();
    config.lossless = 1;
    config.quality = 20.0;
    config.method = 1;
    encoded(raster, &config)
}

pub(crate) fn webp_config() -> WebPConfig {
    let mut config = WebPConfig::new().expect("the linked library has the version of its header");
    config.method = WEBP_EFFORT;
    config
}

fn encoded(raster: &Raster, config: &WebPConfig) -> Vec<u8> {
    let layout = if raster.has_alpha() { PixelLayout::Rgba } else { PixelLayout::Rgb };
    webp::Encoder::new(raster.pixels(), layout, raster.width(), raster.height())
        .encode_advanced(config)
        .expect("a raster fills its size and its sides are below the format's 16384")
        .to_vec()
}
