//! Walking the markers of a JPEG.

use super::cursor::Cursor;
use super::{Found, area, hold_dimensions, hold_metadata, orientation};
use crate::policy::Limits;
use crate::refused::Refused;

const START_OF_SCAN: u8 = 0xDA;
const END_OF_IMAGE: u8 = 0xD9;

/// Goes from marker to marker to the end of the image. What follows it (a motion photo's video, an archive) is never
/// looked at: no decoder reads that far.
pub(super) fn walk(bytes: &[u8], limits: &Limits) -> Result<Found, Refused> {
    let mut cursor = Cursor::new(bytes, 2);
    let mut frame: Option<Frame> = None;
    let mut exif = None;
    let mut scans: u64 = 0;
    let mut metadata: u64 = 0;
    let mut separate = false;
    let mut whole = false;
    let mut tables: u64 = 0;
    loop {
        match next_marker(&mut cursor)? {
            END_OF_IMAGE => break,
            // The decoder would stop there, and leave out the rows that it has not come to.
            marker if whole && !matches!(marker, 0xD0..=0xD7) => {
                return Err(Refused::corrupt("something other than the end follows its only scan"));
            }
            START_OF_SCAN => {
                let frame = frame.as_ref().ok_or_else(|| Refused::corrupt("a scan comes before the frame header"))?;
                scans += 1;
                hold_scans(scans, area(frame.width, frame.height), limits)?;
                separate |= frame.hold_scan(segment(&mut cursor)?)?;
                whole = !separate;
            }
            marker @ 0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                if frame.is_some() {
                    return Err(Refused::corrupt("it has two frame headers"));
                }
                frame = Some(frame_header(marker, segment(&mut cursor)?, bytes.len() as u64, limits)?);
            }
            marker @ (0xE0..=0xEF | 0xFE) => {
                let body = segment(&mut cursor)?;
                metadata += body.len() as u64;
                hold_metadata(metadata, limits)?;
                if marker == 0xE1 && body.starts_with(b"Exif\0\0") && exif.is_none() {
                    exif = Some(body);
                }
            }
            // Restart markers and 01 stand alone, and so does a stray start of image.
            0x01 | 0xD0..=0xD8 => {}
            _ => {
                tables += segment(&mut cursor)?.len() as u64 + 4;
                hold_tables(tables, limits)?;
            }
        }
    }
    let Frame { width, height, .. } = frame.ok_or_else(|| Refused::corrupt("it has no frame header"))?;
    if scans == 0 {
        return Err(Refused::corrupt("it has no picture data"));
    }
    let orientation = orientation(exif);
    Ok(Found { width, height, frames: 1, palette: false, lossless: None, orientation, separate })
}

/// The next marker, over fill bytes and over a scan's data, in which FF 00 is a data byte.
pub(crate) fn next_marker(cursor: &mut Cursor<'_>) -> Result<u8, Refused> {
    loop {
        cursor.skip_past(0xFF)?;
        let mut code = cursor.byte()?;
        while code == 0xFF {
            code = cursor.byte()?;
        }
        if code != 0 {
            return Ok(code);
        }
    }
}

/// What follows a marker that has a length.
pub(crate) fn segment<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], Refused> {
    let length = usize::from(u16::from_be_bytes(cursor.array()?));
    let body = length.checked_sub(2).ok_or_else(|| Refused::corrupt("a segment is shorter than its own length"))?;
    cursor.take(body)
}

struct Frame {
    width: u32,
    height: u32,
    components: u8,
    progressive: bool,
}

impl Frame {
    /// Whether colours have scans of their own. A sequential picture has one scan for all or one for each: that some share
    /// one is in no file that a known program writes.
    fn hold_scan(&self, body: &[u8]) -> Result<bool, Refused> {
        let components = Cursor::new(body, 0).byte()?;
        if !self.progressive && components != self.components && components != 1 {
            return Err(unsupported("a baseline JPEG of which some colours share a scan; save it with one scan"));
        }
        Ok(self.progressive || components != self.components)
    }
}

fn frame_header(marker: u8, body: &[u8], length: u64, limits: &Limits) -> Result<Frame, Refused> {
    let progressive = match marker {
        0xC0 | 0xC1 => false,
        0xC2 => true,
        0xC3 | 0xC5..=0xC7 => return Err(unsupported("a lossless or hierarchical JPEG")),
        _ => return Err(unsupported("an arithmetically coded JPEG")),
    };
    let mut cursor = Cursor::new(body, 0);
    let depth = cursor.byte()?;
    if depth != 8 {
        return Err(unsupported(&format!("a JPEG of {depth} bits per sample")));
    }
    let height = u32::from(u16::from_be_bytes(cursor.array()?));
    let width = u32::from(u16::from_be_bytes(cursor.array()?));
    hold_dimensions(width, height, limits)?;
    let pixels = area(width, height);
    if pixels / limits.max_jpeg_px_per_byte.max(1) > length {
        return Err(Refused::Implausible { bytes: length, width, height });
    }
    Ok(Frame { width, height, components: cursor.byte()?, progressive })
}

fn unsupported(what: &str) -> Refused {
    Refused::Unsupported(what.to_owned())
}

fn hold_tables(bytes: u64, limits: &Limits) -> Result<(), Refused> {
    if bytes > limits.max_table_bytes {
        return Err(Refused::TooManyTables { bytes, limit: limits.max_table_bytes });
    }
    Ok(())
}

/// A small picture may have all the scans allowed, a large one fewer.
fn hold_scans(scans: u64, pixels: u64, limits: &Limits) -> Result<(), Refused> {
    let limit = limits.max_scans.min(limits.max_scan_px / pixels.max(1));
    if scans > limit {
        return Err(Refused::TooManyScans { scans, limit });
    }
    Ok(())
}
