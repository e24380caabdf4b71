//! AVIF: the still picture, of any depth and sampling of its colours.

mod colours;

use image::ColorType;
use moxcms::{CicpColorPrimaries, CicpProfile, ColorProfile, MatrixCoefficients, TransferCharacteristics};
use re_rav1d::dav1d::{Decoder, Error, Picture, Settings};

use super::{Decoded, bounded, corrupt, raster};
use crate::buffers;
use crate::gate::{Coding, Inspected, Still, still};
use crate::policy::Limits;
use crate::refused::Refused;

/// Decodes colours and alpha, each a picture of its own, in this thread: a worker may begin no other.
pub(super) fn decode(bytes: &[u8], inspected: &Inspected, limits: &Limits) -> Result<Decoded, Refused> {
    let Still { picture, alpha, premultiplied, profile, coding, .. } = still(bytes)?;
    let picture = decoded(picture.into_owned(), inspected)?;
    let coding = coding.unwrap_or_else(|| stated(&picture));
    let profile = match profile {
        Some(profile) => bounded(Some(profile.to_vec()), limits),
        None => profile_of(coding)?,
    };
    let (width, height) = (picture.width(), picture.height());
    let rgb = colours::rgb(&picture, coding)?;
    let Some(alpha) = alpha else {
        return Ok(Decoded { raster: raster(width, height, ColorType::Rgb8, rgb)?, profile });
    };
    let alpha = decoded(alpha.into_owned(), inspected)?;
    if (alpha.width(), alpha.height()) != (width, height) {
        return Err(Refused::corrupt("its alpha has another size than its colours"));
    }
    let alpha = colours::brightness(&alpha, stated(&alpha).full_range)?;
    let mut rgba = buffers::take(alpha.len() * 4);
    for ((pixel, colour), alpha) in rgba.chunks_exact_mut(4).zip(rgb.chunks_exact(3)).zip(alpha) {
        for (value, colour) in pixel.iter_mut().zip(colour) {
            *value = if premultiplied { undone(*colour, alpha) } else { *colour };
        }
        pixel[3] = alpha;
    }
    Ok(Decoded { raster: raster(width, height, ColorType::Rgba8, rgba)?, profile })
}

/// A colour before it was multiplied with its alpha.
fn undone(colour: u8, alpha: u8) -> u8 {
    let alpha = u16::from(alpha.max(1));
    u8::try_from((u16::from(colour) * 255 + alpha / 2) / alpha).unwrap_or(u8::MAX)
}

fn decoded(data: Vec<u8>, inspected: &Inspected) -> Result<Picture, Refused> {
    let mut settings = Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    // The gate has read what the container says; this holds what AV1 itself says.
    settings.set_frame_size_limit(inspected.width.saturating_mul(inspected.height));
    let mut decoder = Decoder::with_settings(&settings).map_err(refused)?;
    let mut sent = decoder.send_data(data, None, None, None);
    loop {
        match sent {
            Ok(()) | Err(Error::Again) => {}
            Err(error) => return Err(refused(error)),
        }
        match decoder.get_picture() {
            Ok(picture) => return Ok(picture),
            Err(Error::Again) if sent.is_err() => sent = decoder.send_pending_data(),
            Err(error) => return Err(refused(error)),
        }
    }
}

fn refused(error: Error) -> Refused {
    match error {
        // As any allocation that fails: it ends the worker, and the picture is refused for what it needs.
        Error::NotEnoughMemory => std::alloc::handle_alloc_error(std::alloc::Layout::new::<Picture>()),
        Error::Again => Refused::corrupt("its data ends before the picture does"),
        other => corrupt(other),
    }
}

/// What AV1 itself says its numbers mean.
fn stated(picture: &Picture) -> Coding {
    Coding {
        primaries: picture.color_primaries() as u8,
        transfer: picture.transfer_characteristic() as u8,
        matrix: picture.matrix_coefficients() as u8,
        full_range: picture.color_range() == re_rav1d::dav1d::pixel::YUVRange::Full,
    }
}

/// The profile of what is not sRGB.
fn profile_of(coding: Coding) -> Result<Option<Vec<u8>>, Refused> {
    // Of ordinary video, too: every screen shows its curve as that of sRGB.
    const LIKE_SRGB: [u8; 6] = [1, 2, 6, 13, 14, 15];
    let transfer = match coding.transfer {
        16 | 18 => {
            return Err(Refused::Unsupported("an AVIF of high dynamic range; save it as an ordinary picture".into()));
        }
        transfer if LIKE_SRGB.contains(&transfer) => TransferCharacteristics::Srgb,
        transfer => TransferCharacteristics::try_from(transfer).map_err(corrupt_code)?,
    };
    if matches!(coding.primaries, 1 | 2) && transfer == TransferCharacteristics::Srgb {
        return Ok(None);
    }
    let color_primaries = match coding.primaries {
        2 => CicpColorPrimaries::Bt709,
        primaries => CicpColorPrimaries::try_from(primaries).map_err(corrupt_code)?,
    };
    let profile = ColorProfile::new_from_cicp(CicpProfile {
        color_primaries,
        transfer_characteristics: transfer,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    });
    Ok(profile.encode().ok())
}

fn corrupt_code<E>(_: E) -> Refused {
    Refused::Unsupported("an AVIF whose colours have an unknown meaning".to_owned())
}
