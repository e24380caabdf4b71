//! Walking the chunks of a WebP.

use super::cursor::Cursor;
use super::{Found, area, hold_dimensions, hold_frames, hold_metadata, orientation};
use crate::policy::Limits;
use crate::refused::Refused;

/// Goes from chunk to chunk to the end of the RIFF container; what lies behind it is not part of the picture.
pub(super) fn walk(bytes: &[u8], limits: &Limits) -> Result<Found, Refused> {
    let mut outer = Cursor::new(bytes, 4);
    let length = u32::from_le_bytes(outer.array()?) as usize;
    let mut cursor = Cursor::new(outer.take(length)?, 4);
    let mut picture = Picture::default();
    let mut exif = None;
    let mut metadata: u64 = 0;
    while !cursor.is_at_end() {
        let (kind, body) = chunk(&mut cursor)?;
        match &kind {
            b"VP8X" => picture.canvas(extended_size(body)?, limits)?,
            b"VP8 " => picture.still(lossy_size(body)?, None, limits)?,
            b"VP8L" => picture.still(lossless_size(body)?, Some(body.len() as u64), limits)?,
            b"ANMF" => picture.frame(body, limits)?,
            b"ALPH" | b"ANIM" => {}
            _ => {
                metadata += body.len() as u64;
                hold_metadata(metadata, limits)?;
                if &kind == b"EXIF" {
                    exif = Some(body);
                }
            }
        }
    }
    let (width, height) =
        picture.size.filter(|_| picture.frames > 0).ok_or_else(|| Refused::corrupt("it has no picture data"))?;
    let frames = picture.frames;
    Ok(Found {
        width,
        height,
        frames,
        palette: false,
        lossless: picture.lossless,
        orientation: orientation(exif),
        separate: false,
    })
}

#[derive(Default)]
struct Picture {
    size: Option<(u32, u32)>,
    frames: u64,
    lossless: Option<u64>,
}

impl Picture {
    fn canvas(&mut self, size: (u32, u32), limits: &Limits) -> Result<(), Refused> {
        if self.size.is_some() {
            return Err(Refused::corrupt("it has two headers"));
        }
        hold_dimensions(size.0, size.1, limits)?;
        self.size = Some(size);
        Ok(())
    }

    fn still(&mut self, size: (u32, u32), lossless: Option<u64>, limits: &Limits) -> Result<(), Refused> {
        match self.size {
            None => self.canvas(size, limits)?,
            Some(canvas) if canvas == size && self.frames == 0 => {}
            Some((width, height)) => {
                return Err(Refused::corrupt(format!(
                    "a picture of {} x {} lies on a canvas of {width} x {height}",
                    size.0, size.1
                )));
            }
        }
        self.frames = 1;
        self.lossless = lossless;
        Ok(())
    }

    /// A frame of an animation: its place and size in three bytes each, halved or less one, then its own chunks.
    fn frame(&mut self, body: &[u8], limits: &Limits) -> Result<(), Refused> {
        let Some((width, height)) = self.size else {
            return Err(Refused::corrupt("a frame comes before the header"));
        };
        let mut cursor = Cursor::new(body, 0);
        let [left, top] = [u24(&mut cursor)? * 2, u24(&mut cursor)? * 2];
        let (wide, high) = (u24(&mut cursor)? + 1, u24(&mut cursor)? + 1);
        if left + wide > width || top + high > height {
            return Err(Refused::corrupt("a frame reaches over the edge of the canvas"));
        }
        self.frames += 1;
        hold_frames(self.frames, self.frames.saturating_mul(area(width, height)), limits)?;
        cursor.take(4)?;
        // Its picture data says its size again, and that is what a decoder makes room for.
        self.hold_picture(&mut cursor, (wide, high))
    }

    /// The picture data of a frame has the frame's size.
    fn hold_picture(&self, cursor: &mut Cursor<'_>, frame: (u32, u32)) -> Result<(), Refused> {
        while !cursor.is_at_end() {
            let (kind, body) = chunk(cursor)?;
            let size = match &kind {
                b"VP8 " => lossy_size(body)?,
                b"VP8L" => lossless_size(body)?,
                _ => continue,
            };
            if size == frame {
                return Ok(());
            }
            return Err(Refused::corrupt(format!("frame {} contradicts itself about its size", self.frames)));
        }
        Err(Refused::corrupt(format!("frame {} has no picture data", self.frames)))
    }
}

/// A chunk's kind, and its body without the byte that fills up an odd one.
fn chunk<'a>(cursor: &mut Cursor<'a>) -> Result<([u8; 4], &'a [u8]), Refused> {
    let kind = cursor.array()?;
    let length = u32::from_le_bytes(cursor.array()?) as usize;
    let body = cursor.take(length)?;
    if length % 2 == 1 && !cursor.is_at_end() {
        cursor.byte()?;
    }
    Ok((kind, body))
}

fn extended_size(body: &[u8]) -> Result<(u32, u32), Refused> {
    let mut cursor = Cursor::new(body, 4);
    Ok((u24(&mut cursor)? + 1, u24(&mut cursor)? + 1))
}

fn lossy_size(body: &[u8]) -> Result<(u32, u32), Refused> {
    let mut cursor = Cursor::new(body, 3);
    if cursor.array()? != [0x9D, 0x01, 0x2A] {
        return Err(Refused::corrupt("its picture data does not begin with a key frame"));
    }
    let width = u16::from_le_bytes(cursor.array()?) & 0x3FFF;
    let height = u16::from_le_bytes(cursor.array()?) & 0x3FFF;
    Ok((u32::from(width), u32::from(height)))
}

fn lossless_size(body: &[u8]) -> Result<(u32, u32), Refused> {
    let mut cursor = Cursor::new(body, 0);
    if cursor.byte()? != 0x2F {
        return Err(Refused::corrupt("its lossless picture data lacks the signature"));
    }
    let bits = u32::from_le_bytes(cursor.array()?);
    Ok(((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1))
}

fn u24(cursor: &mut Cursor<'_>) -> Result<u32, Refused> {
    let [low, middle, high] = cursor.array()?;
    Ok(u32::from_le_bytes([low, middle, high, 0]))
}
