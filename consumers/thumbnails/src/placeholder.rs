//! What a page shows until the picture is there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::raster::{Raster, fit};

/// Longest side of what the hash is taken from: it keeps seven waves along it at most, which 32 samples carry.
const SIDE_PX: u32 = 32;

/// The thumbhash of the picture, base64: shape, average colour, a blurred impression and transparency in about 30
/// characters. It stands in every event and on every page, where even a 16 pixel WebP would be five times as long.
pub(crate) fn placeholder(picture: &Raster) -> String {
    let (width, height) = fit(picture.width(), picture.height(), SIDE_PX);
    let small = picture.resized(width, height);
    let rgba: Vec<u8> = if small.has_alpha() {
        small.pixels().to_vec()
    } else {
        small.pixels().chunks_exact(3).flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255]).collect()
    };
    STANDARD.encode(thumbhash::rgba_to_thumb_hash(width as usize, height as usize, &rgba))
}
