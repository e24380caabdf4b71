//! Walking the chunks of a PNG.

use super::cursor::Cursor;
use super::{Found, area, hold_dimensions, hold_frames, hold_metadata, orientation};
use crate::policy::Limits;
use crate::refused::Refused;

/// Deflate packs at most 1032 bytes into one.
const DEFLATE_RATIO: u64 = 1032;

/// Goes from chunk to chunk to the end. Nothing is unpacked: compressed text and colour profiles count by their packed
/// length, and the decoder is told to leave them packed.
pub(super) fn walk(bytes: &[u8], limits: &Limits) -> Result<Found, Refused> {
    let mut cursor = Cursor::new(bytes, 8);
    let header = header(&mut cursor, limits)?;
    let mut exif = None;
    let mut metadata: u64 = 0;
    let mut data: u64 = 0;
    let mut animated = false;
    let mut frames: u64 = 0;
    loop {
        let (kind, body) = chunk(&mut cursor)?;
        match &kind {
            b"IEND" => break,
            b"IDAT" => data += body.len() as u64,
            b"IHDR" => return Err(Refused::corrupt("it has two headers")),
            // The frames beside the default image are never unpacked, so what `fdAT` holds does not count.
            b"PLTE" | b"tRNS" => {}
            b"fdAT" if animated => {}
            // What it says is one thing, what comes another.
            b"acTL" => {
                animated = true;
                let claimed = u64::from(u32::from_be_bytes(Cursor::new(body, 0).array()?));
                hold_frames(claimed, claimed.saturating_mul(area(header.width, header.height)), limits)?;
            }
            b"fcTL" => {
                frames += 1;
                hold_frames(frames, frames.saturating_mul(area(header.width, header.height)), limits)?;
            }
            _ => {
                metadata += body.len() as u64;
                hold_metadata(metadata, limits)?;
                if &kind == b"eXIf" {
                    exif = Some(body);
                }
            }
        }
    }
    if header.raw_bytes / DEFLATE_RATIO > data {
        return Err(Refused::Implausible { bytes: data, width: header.width, height: header.height });
    }
    // Of an animated one the default image is shown, which need not be part of the animation.
    let Header { width, height, palette, .. } = header;
    Ok(Found {
        width,
        height,
        frames: 1,
        palette,
        lossless: Some(data),
        orientation: orientation(exif),
        separate: false,
    })
}

struct Header {
    width: u32,
    height: u32,
    palette: bool,
    /// Length of the unpacked picture data; interlacing only adds to it.
    raw_bytes: u64,
}

fn header(cursor: &mut Cursor<'_>, limits: &Limits) -> Result<Header, Refused> {
    let (kind, body) = chunk(cursor)?;
    if &kind != b"IHDR" {
        return Err(Refused::corrupt("it does not begin with its header"));
    }
    let mut body = Cursor::new(body, 0);
    let width = u32::from_be_bytes(body.array()?);
    let height = u32::from_be_bytes(body.array()?);
    hold_dimensions(width, height, limits)?;
    let [depth, colour] = body.array()?;
    let channels = match colour {
        0 | 3 => 1,
        4 => 2,
        2 => 3,
        6 => 4,
        other => return Err(Refused::corrupt(format!("it has the unknown colour type {other}"))),
    };
    let row = (u64::from(width) * channels * u64::from(depth)).div_ceil(8) + 1;
    Ok(Header { width, height, palette: colour == 3, raw_bytes: row * u64::from(height) })
}

/// A chunk's kind and body; its checksum is the decoder's business.
fn chunk<'a>(cursor: &mut Cursor<'a>) -> Result<([u8; 4], &'a [u8]), Refused> {
    let length = u32::from_be_bytes(cursor.array()?);
    let kind = cursor.array()?;
    let body = cursor.take(length as usize)?;
    cursor.take(4)?;
    Ok((kind, body))
}
