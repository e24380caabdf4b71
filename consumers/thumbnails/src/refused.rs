//! Why an upload gets no renditions, in words for its owner.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An upload that can never become renditions: trying again with the same bytes ends the same way.
///
/// The message is what the owner reads, so it names the numbers and the limit they met.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum Refused {
    /// There is no byte in it.
    #[error("the file is empty")]
    Empty,
    /// The content is of no kind that is taken, whatever its name says.
    #[error("this is {found}, not a JPEG, PNG, WebP or GIF picture")]
    NotAnImage {
        /// What the first bytes look like, with an article.
        found: String,
    },
    /// Atelier has been built without the feature `avif`.
    #[error(
        "this is an AVIF picture, and Atelier was built without AVIF; build it with `--features avif`, or save the picture as JPEG, PNG or WebP"
    )]
    BuiltWithoutAvif,
    /// A picture of a kind that is taken, in a form that is not.
    #[error("this form of the format is not supported: {0}")]
    Unsupported(String),
    /// More bytes than are taken.
    #[error("the file has {bytes} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Length of the upload.
        bytes: u64,
        /// The most that is taken.
        limit: u64,
    },
    /// One side is too long.
    #[error("the picture is {width} x {height} pixels; a side may have at most {limit}")]
    TooLong {
        /// Width in pixels, as stored.
        width: u32,
        /// Height in pixels, as stored.
        height: u32,
        /// The most pixels a side may have.
        limit: u32,
    },
    /// The area is too large.
    #[error("the picture is {width} x {height}, {} pixels; at most {limit} are allowed", u64::from(*width) * u64::from(*height))]
    TooManyPixels {
        /// Width in pixels, as stored.
        width: u32,
        /// Height in pixels, as stored.
        height: u32,
        /// The most pixels a picture may have.
        limit: u64,
    },
    /// No picture has use for so many.
    #[error("the JPEG has more than {limit} bytes of tables")]
    TooManyTables {
        /// Bytes that were counted until there were too many.
        bytes: u64,
        /// The most that are allowed.
        limit: u64,
    },
    /// Each scan costs a pass over the whole picture.
    #[error("the JPEG has {scans} scans; a picture of its size may have at most {limit}")]
    TooManyScans {
        /// Scans found before counting was given up.
        scans: u64,
        /// The most scans a picture of this area may have.
        limit: u64,
    },
    /// So few bytes cannot hold so many pixels.
    #[error("{bytes} bytes cannot hold a picture of {width} x {height} pixels")]
    Implausible {
        /// Bytes of picture data.
        bytes: u64,
        /// Claimed width in pixels.
        width: u32,
        /// Claimed height in pixels.
        height: u32,
    },
    /// Text, profiles and other data beside the pixels outgrow their bound.
    #[error("the file carries {bytes} bytes of metadata; at most {limit} are allowed")]
    TooMuchMetadata {
        /// Bytes beside the pixels.
        bytes: u64,
        /// The most that may be there.
        limit: u64,
    },
    /// The animation has too many frames.
    #[error("the animation has {frames} frames; at most {limit} are allowed")]
    TooManyFrames {
        /// Frames found before counting was given up, or claimed.
        frames: u64,
        /// The most frames an animation may have.
        limit: u64,
    },
    /// All frames together are too large.
    #[error("the animation's {frames} frames have {pixels} pixels together; at most {limit} are allowed")]
    TooManyFramePixels {
        /// Frames found before counting was given up, or claimed.
        frames: u64,
        /// Their pixels, summed.
        pixels: u64,
        /// The most pixels all frames may have.
        limit: u64,
    },
    /// It says it is a picture but cannot be read to its end.
    #[error("the picture is damaged: {0}")]
    Corrupt(String),
    /// Cutting it took more memory than a worker has.
    #[error("cutting the picture takes more than the {limit} bytes of memory allowed")]
    OutOfMemory {
        /// The most that a worker may take, in bytes.
        limit: u64,
    },
    /// Cutting it took longer than a worker has.
    #[error("cutting the picture takes longer than the {limit_s} seconds allowed")]
    TooSlow {
        /// The most that one picture may take, in seconds.
        limit_s: u64,
    },
    /// Its worker crashed or panicked, which is a bug, and would do so again.
    #[error("cutting the picture failed: {0}")]
    Crashed(String),
}

impl Refused {
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt(what.into())
    }
}
