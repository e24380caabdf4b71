//! Walking the blocks of a GIF.

use super::cursor::Cursor;
use super::{Found, area, hold_dimensions, hold_frames, hold_metadata, orientation};
use crate::policy::Limits;
use crate::refused::Refused;

/// Goes from block to block to the trailer. A file that stops between two blocks, behind at least one frame, is taken:
/// encoders that leave the trailer out are old and many.
pub(super) fn walk(bytes: &[u8], limits: &Limits) -> Result<Found, Refused> {
    let mut cursor = Cursor::new(bytes, 6);
    let width = u32::from(u16::from_le_bytes(cursor.array()?));
    let height = u32::from(u16::from_le_bytes(cursor.array()?));
    hold_dimensions(width, height, limits)?;
    let [flags, _background, _aspect] = cursor.array()?;
    colour_table(&mut cursor, flags)?;
    let mut frames: u64 = 0;
    let mut pixels: u64 = 0;
    let mut metadata: u64 = 0;
    while !(frames > 0 && cursor.is_at_end()) {
        match cursor.byte()? {
            0x2C => {
                // Each is drawn on the whole screen, and unpacked in its own size, which may be larger.
                pixels += frame(&mut cursor, limits)?.max(area(width, height));
                frames += 1;
                hold_frames(frames, pixels, limits)?;
            }
            0x21 => {
                cursor.byte()?;
                metadata += sub_blocks(&mut cursor)?;
                hold_metadata(metadata, limits)?;
            }
            0x3B => break,
            // Padding between blocks, which decoders pass over.
            0x00 => {}
            other => {
                return Err(Refused::corrupt(format!("it has the unknown block {other:#04x} at byte {}", cursor.at())));
            }
        }
    }
    if frames == 0 {
        return Err(Refused::corrupt("it has no picture data"));
    }
    Ok(Found { width, height, frames, palette: true, lossless: None, orientation: orientation(None), separate: false })
}

/// Passes over a frame; its pixels. Its own size is held as well: its decoder makes room for it, whatever the screen's is.
fn frame(cursor: &mut Cursor<'_>, limits: &Limits) -> Result<u64, Refused> {
    cursor.take(4)?;
    let width = u32::from(u16::from_le_bytes(cursor.array()?));
    let height = u32::from(u16::from_le_bytes(cursor.array()?));
    hold_dimensions(width, height, limits)?;
    let flags = cursor.byte()?;
    colour_table(cursor, flags)?;
    cursor.byte()?;
    sub_blocks(cursor)?;
    Ok(area(width, height))
}

fn colour_table(cursor: &mut Cursor<'_>, flags: u8) -> Result<(), Refused> {
    if flags & 0x80 != 0 {
        cursor.take(3 << ((flags & 0x07) + 1))?;
    }
    Ok(())
}

/// Moves behind the empty block that ends a run of them; their bytes, summed.
fn sub_blocks(cursor: &mut Cursor<'_>) -> Result<u64, Refused> {
    let mut bytes = 0;
    loop {
        match cursor.byte()? {
            0 => return Ok(bytes),
            length => bytes += cursor.take(usize::from(length))?.len() as u64,
        }
    }
}
