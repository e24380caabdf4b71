//! Colours of any profile to sRGB, which is what every screen takes them for.

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use crate::buffers;
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
    buffers::give(converted);
}

/// Four inks, 255 for all of it, to three lights: by the profile, or else as if inks were clean and covered each other.
pub(crate) fn of_inks(inks: &[u8], profile: Option<&[u8]>) -> Vec<u8> {
    let mut lights = buffers::take(inks.len() / 4 * 3);
    if !profile.is_some_and(|profile| by_profile(inks, profile, &mut lights)) {
        for (lights, inks) in lights.chunks_exact_mut(3).zip(inks.chunks_exact(4)) {
            for (light, ink) in lights.iter_mut().zip(inks) {
                let through = u32::from(255 - ink) * u32::from(255 - inks[3]);
                *light = u8::try_from((through + 127) / 255).expect("a share of a byte");
            }
        }
    }
    lights
}

fn by_profile(inks: &[u8], profile: &[u8], lights: &mut [u8]) -> bool {
    let Ok(source) = ColorProfile::new_from_slice(profile) else { return false };
    if source.color_space != DataColorSpace::Cmyk {
        return false;
    }
    // Four channels are what this layout says; that they are inks is in the profile.
    source
        .create_transform_8bit(Layout::Rgba, &ColorProfile::new_srgb(), Layout::Rgb, TransformOptions::default())
        .is_ok_and(|transform| transform.transform(inks, lights).is_ok())
}
