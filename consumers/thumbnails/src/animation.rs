//! What moves in a GIF or WebP, as a small animated WebP.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::gif::GifDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{AnimationDecoder as _, Frames};
use webp::{AnimEncoder, AnimFrame};

use crate::encode::webp_config;
use crate::gate::{Format, Inspected};
use crate::policy::Policy;
use crate::raster::{Raster, fit};

/// Pixels of all frames together, at most: the encoder wants them all at once, four bytes each.
const MOST_PX: u64 = 8 << 20;

/// Browsers show frames that ask for less time than this as long as [`USUAL_MS`]; so does this.
const LEAST_MS: u32 = 20;
const USUAL_MS: u32 = 100;

/// An animation: the file and its sides in pixels.
pub(crate) struct Animation {
    pub(crate) bytes: Vec<u8>,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// The animation in the file, the smaller the more frames it has; none of a still picture, and none of one whose frames
/// cannot be read to their end, whose first one is shown alone.
pub(crate) fn animation(bytes: &[u8], inspected: &Inspected, policy: &Policy) -> Option<Animation> {
    let count = inspected.frames.min(u64::from(policy.animation_frames));
    if count < 2 || inspected.orientation != Orientation::NoTransforms {
        return None;
    }
    let (width, height) = size(inspected, count, u32::from(policy.animation_side_px.clamp(1, 4096)));
    let read = || {
        let frames = frames(bytes, inspected.format)?;
        let mut shown = Vec::new();
        let mut time: i32 = 0;
        for frame in frames.take(usize::try_from(count).unwrap_or(usize::MAX)) {
            let frame = frame.ok()?;
            let (numerator, denominator) = frame.delay().numer_denom_ms();
            let lasts = numerator / denominator.max(1);
            let image = frame.into_buffer();
            let (wide, high) = image.dimensions();
            shown.push((time, Raster::rgba(wide, high, image.into_raw()).resized(width, height)));
            time += i32::try_from(if lasts < LEAST_MS { USUAL_MS } else { lasts.min(60_000) }).unwrap_or(0);
        }
        Some(shown)
    };
    let shown = catch_unwind(AssertUnwindSafe(read)).ok().flatten()?;
    (shown.len() > 1).then(|| Animation {
        bytes: encoded(&shown, width, height, policy.animation_quality),
        width,
        height,
    })
}

fn size(inspected: &Inspected, frames: u64, side: u32) -> (u32, u32) {
    let mut side = side;
    loop {
        let (width, height) = fit(inspected.width, inspected.height, side);
        if u64::from(width) * u64::from(height) * frames <= MOST_PX || side <= 16 {
            return (width, height);
        }
        side = side * 9 / 10;
    }
}

fn frames(bytes: &[u8], format: Format) -> Option<Frames<'_>> {
    match format {
        Format::Gif => Some(GifDecoder::new(Cursor::new(bytes)).ok()?.into_frames()),
        Format::Webp => Some(WebPDecoder::new(Cursor::new(bytes)).ok()?.into_frames()),
        _ => None,
    }
}

fn encoded(shown: &[(i32, Raster)], width: u32, height: u32, quality: u8) -> Vec<u8> {
    let mut config = webp_config();
    config.quality = f32::from(quality.clamp(1, 100));
    let mut encoder = AnimEncoder::new(width, height, &config);
    encoder.set_loop_count(0);
    for (time, raster) in shown {
        let frame = if raster.has_alpha() { AnimFrame::from_rgba } else { AnimFrame::from_rgb };
        encoder.add_frame(frame(raster.pixels(), width, height, *time));
    }
    encoder.encode().to_vec()
}
