//! Colours of any profile to sRGB, which is what every screen takes them for.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, Transform8BitExecutor, TransformOptions};

use crate::buffers::{self, Buffer};
use crate::raster::Raster;

/// Converts in place. A profile that cannot be read, or that is not one of three lights, is passed over: the picture is
/// then shown as it would be without.
pub(crate) fn to_srgb(raster: &mut Raster, profile: &[u8]) {
    let Ok(source) = ColorProfile::new_from_slice(profile) else { return };
    if source.color_space != DataColorSpace::Rgb {
        return;
    }
    let layout = if raster.has_alpha() { Layout::Rgba } else { Layout::Rgb };
    let Ok(transform) =
        source.create_transform_8bit(layout, &ColorProfile::new_srgb(), layout, TransformOptions::default())
    else {
        return;
    };
    let mut converted = buffers::take(raster.pixels().len());
    if transform.transform(raster.pixels(), &mut converted).is_ok() {
        raster.pixels_mut().copy_from_slice(&converted);
    }
}

/// Four inks, 255 for all of it, to three lights: by the profile, or else as if inks were clean and covered each other. They
/// are put in the inks' own place, since the pixels of a large picture are there only once.
pub(crate) fn of_inks(mut pixels: Buffer, profile: Option<&[u8]>) -> Buffer {
    let transform = profile.and_then(from_inks);
    let mut band = [0; BAND_PX * 3];
    let mut written = 0;
    for read in (0..pixels.len()).step_by(BAND_PX * 4) {
        let inks = &pixels[read..pixels.len().min(read + BAND_PX * 4)];
        let lights = &mut band[..inks.len() / 4 * 3];
        if transform.as_ref().is_none_or(|transform| transform.transform(inks, lights).is_err()) {
            through_clean_inks(inks, lights);
        }
        pixels[written..written + lights.len()].copy_from_slice(lights);
        written += lights.len();
    }
    pixels.truncate(written);
    pixels
}

/// Pixels that are converted at a time.
const BAND_PX: usize = 4096;

fn through_clean_inks(inks: &[u8], lights: &mut [u8]) {
    for (lights, inks) in lights.chunks_exact_mut(3).zip(inks.chunks_exact(4)) {
        for (light, ink) in lights.iter_mut().zip(inks) {
            let through = u32::from(255 - ink) * u32::from(255 - inks[3]);
            *light = u8::try_from((through + 127) / 255).expect("a share of a byte");
        }
    }
}

fn from_inks(profile: &[u8]) -> Option<Arc<Transform8BitExecutor>> {
    let source = ColorProfile::new_from_slice(profile).ok()?;
    if source.color_space != DataColorSpace::Cmyk {
        return None;
    }
    // Four channels are what this layout says; that they are inks is in the profile.
    let transform =
        source.create_transform_8bit(Layout::Rgba, &ColorProfile::new_srgb(), Layout::Rgb, TransformOptions::default());
    transform.ok()
}
