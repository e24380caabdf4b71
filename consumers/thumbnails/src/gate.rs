//! Before any decoder: what the bytes are, how large a picture they claim, and whether that is allowed.
//!
//! The gate reads headers and walks over the rest without unpacking anything, so its cost is bounded by the length of
//! the file and it needs no memory. It is what makes the decoders' cost bounded, too: they run only on a file whose
//! dimensions, scans and frames have been counted. Each format's walk goes to the end of the picture, so a file that
//! was cut off on its way is refused here even where a decoder would fill the rest with grey.

#[cfg(feature = "avif")]
mod avif;
mod cursor;
mod gif;
pub(crate) mod jpeg;
mod png;
mod sniff;
mod webp;

use image::metadata::Orientation;

use crate::policy::Limits;
use crate::refused::Refused;

pub(crate) use cursor::Cursor;

#[cfg(feature = "avif")]
pub(crate) use avif::{Coding, Still, read as still};

/// A kind of picture that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Baseline, extended or progressive, with Huffman coding.
    Jpeg,
    /// Any colour type and depth; of an animated one the default image.
    Png,
    /// Lossy or lossless; of an animated one the first frame.
    Webp,
    /// The first frame.
    Gif,
    /// The still picture, of a sequence the one that comes with it.
    #[cfg(feature = "avif")]
    Avif,
}

impl Format {
    /// The media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
            #[cfg(feature = "avif")]
            Self::Avif => "image/avif",
        }
    }
}

/// What the gate found in a file that it let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// By content, not by name.
    pub format: Format,
    /// Width in pixels as stored, before any turning.
    pub width: u32,
    /// Height in pixels as stored.
    pub height: u32,
    /// How the stored picture has to be turned to be seen as meant.
    pub orientation: Orientation,
    /// Drawn in flat colours, like pixel art or a screenshot: halved colour resolution would smear its edges.
    pub flat: bool,
    /// Pictures in it that are shown one after the other; 1 of a still one.
    pub frames: u64,
    /// A JPEG whose colours have scans of their own, as those of every progressive one do.
    pub separate: bool,
}

/// Lets a file through or says why not. Every bound of `limits` is held here.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspected, Refused> {
    let length = bytes.len() as u64;
    if length == 0 {
        return Err(Refused::Empty);
    }
    if length > limits.max_bytes {
        return Err(Refused::TooLarge { bytes: length, limit: limits.max_bytes });
    }
    let format = sniff::format(bytes)?;
    let found = match format {
        Format::Jpeg => jpeg::walk(bytes, limits),
        Format::Png => png::walk(bytes, limits),
        Format::Webp => webp::walk(bytes, limits),
        Format::Gif => gif::walk(bytes, limits),
        #[cfg(feature = "avif")]
        Format::Avif => avif::walk(bytes, limits),
    }?;
    let pixels = area(found.width, found.height);
    let flat = found.palette || found.lossless.is_some_and(|packed| packed * FLAT_PIXELS_PER_BYTE < pixels);
    let Found { width, height, frames, orientation, separate, .. } = found;
    Ok(Inspected { format, width, height, orientation, flat, frames, separate })
}

/// A losslessly packed drawing needs less than a quarter of a byte for a pixel; a photograph or painting needs more
/// than half of one.
const FLAT_PIXELS_PER_BYTE: u64 = 4;

/// What the walk over one format brings back.
struct Found {
    width: u32,
    height: u32,
    frames: u64,
    palette: bool,
    /// Bytes of the picture data, where it is packed without loss. What lies beside it says nothing about the picture: the
    /// profile of a small drawing may be larger than the drawing.
    lossless: Option<u64>,
    orientation: Orientation,
    separate: bool,
}

/// An orientation that is absent or nonsense means that the picture is stored as it is seen.
fn orientation(exif: Option<&[u8]>) -> Orientation {
    exif.map(|chunk| chunk.strip_prefix(b"Exif\0\0").unwrap_or(chunk))
        .and_then(Orientation::from_exif_chunk)
        .unwrap_or(Orientation::NoTransforms)
}

fn area(width: u32, height: u32) -> u64 {
    u64::from(width) * u64::from(height)
}

fn hold_dimensions(width: u32, height: u32, limits: &Limits) -> Result<(), Refused> {
    if width == 0 || height == 0 {
        return Err(Refused::corrupt(format!("it claims {width} x {height} pixels")));
    }
    if width > limits.max_side_px || height > limits.max_side_px {
        return Err(Refused::TooLong { width, height, limit: limits.max_side_px });
    }
    if area(width, height) > limits.max_area_px {
        return Err(Refused::TooManyPixels { width, height, limit: limits.max_area_px });
    }
    Ok(())
}

fn hold_metadata(bytes: u64, limits: &Limits) -> Result<(), Refused> {
    if bytes > limits.max_metadata_bytes {
        return Err(Refused::TooMuchMetadata { bytes, limit: limits.max_metadata_bytes });
    }
    Ok(())
}

/// So many frames, with so many pixels together.
fn hold_frames(frames: u64, pixels: u64, limits: &Limits) -> Result<(), Refused> {
    if frames > limits.max_frames {
        return Err(Refused::TooManyFrames { frames, limit: limits.max_frames });
    }
    if pixels > limits.max_frame_px {
        return Err(Refused::TooManyFramePixels { frames, pixels, limit: limits.max_frame_px });
    }
    Ok(())
}
