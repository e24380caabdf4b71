//! Walking the boxes of an AVIF, as far as its still picture needs them.
//!
//! The picture is an item: where its bytes lie, how large it is and how it is turned stand in the box `meta`, whatever else the
//! file holds. Of a sequence the still that comes with it is taken.

use std::borrow::Cow;

use image::metadata::Orientation;

use super::cursor::Cursor;
use super::{Found, area, hold_dimensions, hold_frames, hold_metadata};
use crate::policy::Limits;
use crate::refused::Refused;

/// Items, parts of them, properties and so on that a file may have of each. A photograph with its alpha has a dozen.
const MOST_ENTRIES: usize = 4096;

const ALPHA: [&[u8]; 2] = [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1"];

/// The still picture of an AVIF.
pub(crate) struct Still<'a> {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) orientation: Orientation,
    /// AV1.
    pub(crate) picture: Cow<'a, [u8]>,
    /// AV1 of one channel.
    pub(crate) alpha: Option<Cow<'a, [u8]>>,
    /// Its colours are multiplied with its alpha.
    pub(crate) premultiplied: bool,
    /// ICC.
    pub(crate) profile: Option<&'a [u8]>,
    /// What the numbers of its pixels mean, where the container says so.
    pub(crate) coding: Option<Coding>,
}

/// Code points of H.273.
#[derive(Clone, Copy)]
pub(crate) struct Coding {
    pub(crate) primaries: u8,
    pub(crate) transfer: u8,
    pub(crate) matrix: u8,
    pub(crate) full_range: bool,
}

pub(super) fn walk(bytes: &[u8], limits: &Limits) -> Result<Found, Refused> {
    let still = read(bytes)?;
    let (width, height) = (still.width, still.height);
    hold_dimensions(width, height, limits)?;
    let data = still.picture.len() + still.alpha.as_ref().map_or(0, |alpha| alpha.len());
    hold_metadata((bytes.len() as u64).saturating_sub(data as u64), limits)?;
    for item in [Some(&still.picture), still.alpha.as_ref()].into_iter().flatten() {
        let frames = frames(item)?;
        hold_frames(frames, frames.saturating_mul(area(width, height)), limits)?;
    }
    Ok(Found {
        width,
        height,
        frames: 1,
        palette: false,
        lossless: None,
        orientation: still.orientation,
        separate: false,
    })
}

/// Frames that a decoder would decode, shown or not: in a picture there is one, or one for each of a few layers.
fn frames(item: &[u8]) -> Result<u64, Refused> {
    const FRAME_HEADER: u8 = 3;
    const FRAME: u8 = 6;
    let mut cursor = Cursor::new(item, 0);
    let mut frames = 0;
    while !cursor.is_at_end() {
        let head = cursor.byte()?;
        if head & 4 != 0 {
            cursor.byte()?;
        }
        if matches!(head >> 3 & 15, FRAME | FRAME_HEADER) {
            frames += 1;
        }
        // Without a length it goes to the end.
        if head & 2 == 0 {
            break;
        }
        let mut length: u64 = 0;
        for shift in (0..56).step_by(7) {
            let byte = cursor.byte()?;
            length |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        cursor.take(usize::try_from(length).unwrap_or(usize::MAX))?;
    }
    Ok(frames)
}

/// Finds the still picture.
pub(crate) fn read(bytes: &[u8]) -> Result<Still<'_>, Refused> {
    let mut cursor = Cursor::new(bytes, 0);
    while !cursor.is_at_end() {
        if let (b"meta", body) = part(&mut cursor)? {
            return Meta::read(body)?.still(bytes);
        }
    }
    Err(Refused::Unsupported("an AVIF without a still picture".to_owned()))
}

/// A box: its kind and its body.
fn part<'a>(cursor: &mut Cursor<'a>) -> Result<(&'a [u8; 4], &'a [u8]), Refused> {
    let length = u32::from_be_bytes(cursor.array()?);
    let kind = cursor.take(4)?.try_into().map_err(|_| Refused::corrupt("a box has no kind"))?;
    let body = match length {
        0 => cursor.rest(),
        1 => {
            let length = u64::from_be_bytes(cursor.array()?).checked_sub(16);
            cursor.take(length.and_then(|length| usize::try_from(length).ok()).ok_or_else(shorter)?)?
        }
        length => cursor.take((length as usize).checked_sub(8).ok_or_else(shorter)?)?,
    };
    Ok((kind, body))
}

fn keep<T>(entries: &mut Vec<T>, entry: T) -> Result<(), Refused> {
    if entries.len() == MOST_ENTRIES {
        return Err(Refused::Unsupported(format!("an AVIF of more than {MOST_ENTRIES} parts")));
    }
    entries.push(entry);
    Ok(())
}

fn shorter() -> Refused {
    Refused::corrupt("a box is shorter than its own length")
}

/// A number of so many bytes, at most eight.
fn number(cursor: &mut Cursor<'_>, bytes: usize) -> Result<u64, Refused> {
    Ok(cursor.take(bytes)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

/// What the box `meta` says of all items.
#[derive(Default)]
struct Meta<'a> {
    primary: u64,
    kinds: Vec<(u64, [u8; 4])>,
    parts: Vec<Part>,
    /// Kind, from, to.
    references: Vec<([u8; 4], u64, u64)>,
    properties: Vec<(&'a [u8; 4], &'a [u8])>,
    /// Item, place among the properties from 1 on, and whether whoever does not know it must not show the item.
    associations: Vec<(u64, usize, bool)>,
    data: &'a [u8],
}

/// Where a part of an item lies.
struct Part {
    item: u64,
    /// In the file, or else in the box `idat`.
    in_file: bool,
    from: u64,
    /// None of one that goes to the end.
    length: u64,
}

impl<'a> Meta<'a> {
    fn read(body: &'a [u8]) -> Result<Self, Refused> {
        let mut meta = Self::default();
        let mut cursor = Cursor::new(body, 4);
        while !cursor.is_at_end() {
            let (kind, body) = part(&mut cursor)?;
            match kind {
                b"pitm" => {
                    let mut cursor = Cursor::new(body, 4);
                    meta.primary = number(&mut cursor, if body.first() == Some(&0) { 2 } else { 4 })?;
                }
                b"iinf" => meta.kinds(body)?,
                b"iloc" => meta.parts(body)?,
                b"iref" => meta.references(body)?,
                b"iprp" => meta.properties(body)?,
                b"idat" => meta.data = body,
                _ => {}
            }
        }
        Ok(meta)
    }

    fn kinds(&mut self, body: &'a [u8]) -> Result<(), Refused> {
        let mut cursor = Cursor::new(body, 4);
        number(&mut cursor, if body.first() == Some(&0) { 2 } else { 4 })?;
        while !cursor.is_at_end() {
            let (_, entry) = part(&mut cursor)?;
            let mut entry_cursor = Cursor::new(entry, 4);
            let id = number(&mut entry_cursor, if entry.first() == Some(&2) { 2 } else { 4 })?;
            entry_cursor.take(2)?;
            keep(&mut self.kinds, (id, entry_cursor.array()?))?;
        }
        Ok(())
    }

    fn parts(&mut self, body: &'a [u8]) -> Result<(), Refused> {
        let mut cursor = Cursor::new(body, 0);
        let [version, ..] = cursor.array::<4>()?;
        let [sizes, more] = cursor.array()?;
        let [offset, length, base, index] = [sizes >> 4, sizes & 15, more >> 4, more & 15].map(usize::from);
        if [offset, length, base, index].into_iter().any(|bytes| bytes > 8) || version > 2 {
            return Err(Refused::corrupt("it says where its items lie in numbers of no known length"));
        }
        let wide = if version < 2 { 2 } else { 4 };
        for _ in 0..number(&mut cursor, wide)? {
            let item = number(&mut cursor, wide)?;
            let method = if version == 0 { 0 } else { number(&mut cursor, 2)? & 15 };
            if method > 1 {
                return Err(Refused::Unsupported("an AVIF with items made of other items".to_owned()));
            }
            cursor.take(2)?;
            let base = number(&mut cursor, base)?;
            for _ in 0..number(&mut cursor, 2)? {
                if version > 0 {
                    cursor.take(index)?;
                }
                let from = base.saturating_add(number(&mut cursor, offset)?);
                let length = number(&mut cursor, length)?;
                keep(&mut self.parts, Part { item, in_file: method == 0, from, length })?;
            }
        }
        Ok(())
    }

    fn references(&mut self, body: &'a [u8]) -> Result<(), Refused> {
        let mut cursor = Cursor::new(body, 4);
        let wide = if body.first() == Some(&0) { 2 } else { 4 };
        while !cursor.is_at_end() {
            let (kind, body) = part(&mut cursor)?;
            let mut cursor = Cursor::new(body, 0);
            let from = number(&mut cursor, wide)?;
            for _ in 0..number(&mut cursor, 2)? {
                keep(&mut self.references, (*kind, from, number(&mut cursor, wide)?))?;
            }
        }
        Ok(())
    }

    fn properties(&mut self, body: &'a [u8]) -> Result<(), Refused> {
        let mut cursor = Cursor::new(body, 0);
        while !cursor.is_at_end() {
            match part(&mut cursor)? {
                (b"ipco", body) => {
                    let mut cursor = Cursor::new(body, 0);
                    while !cursor.is_at_end() {
                        keep(&mut self.properties, part(&mut cursor)?)?;
                    }
                }
                (b"ipma", body) => self.associations(body)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn associations(&mut self, body: &'a [u8]) -> Result<(), Refused> {
        let mut cursor = Cursor::new(body, 0);
        let [version, .., flags] = cursor.array::<4>()?;
        for _ in 0..number(&mut cursor, 4)? {
            let id = number(&mut cursor, if version == 0 { 2 } else { 4 })?;
            for _ in 0..cursor.byte()? {
                let (index, essential) = if flags & 1 == 0 {
                    let byte = cursor.byte()?;
                    (usize::from(byte & 0x7F), byte & 0x80 != 0)
                } else {
                    let both = u16::from_be_bytes(cursor.array()?);
                    (usize::from(both & 0x7FFF), both & 0x8000 != 0)
                };
                keep(&mut self.associations, (id, index, essential))?;
            }
        }
        Ok(())
    }

    /// The properties of an item, in their order, each with whether it is essential.
    fn of(&self, item: u64) -> impl Iterator<Item = (&'a [u8; 4], &'a [u8], bool)> {
        self.associations.iter().filter(move |(id, ..)| *id == item).filter_map(|(_, index, essential)| {
            let (kind, body) = self.properties.get(index.checked_sub(1)?)?;
            Some((*kind, *body, *essential))
        })
    }

    fn still(&self, bytes: &'a [u8]) -> Result<Still<'a>, Refused> {
        match self.kinds.iter().find(|(id, _)| *id == self.primary) {
            Some((_, [b'a', b'v', b'0', b'1'])) => {}
            Some((_, [b'g', b'r', b'i', b'd'])) => {
                return Err(Refused::Unsupported("an AVIF made of tiles; save it as one picture".to_owned()));
            }
            _ => return Err(Refused::Unsupported("an AVIF whose still picture is not AV1".to_owned())),
        }
        let mut still = Still {
            width: 0,
            height: 0,
            orientation: Orientation::NoTransforms,
            picture: self.content(self.primary, bytes)?,
            alpha: None,
            premultiplied: false,
            profile: None,
            coding: None,
        };
        let mut turned = Turned::default();
        for (kind, body, essential) in self.of(self.primary) {
            let mut cursor = Cursor::new(body, 0);
            match kind {
                b"ispe" => {
                    cursor.take(4)?;
                    still.width = u32::from_be_bytes(cursor.array()?);
                    still.height = u32::from_be_bytes(cursor.array()?);
                }
                b"colr" => match cursor.array()? {
                    [b'n', b'c', b'l', b'x'] => still.coding = Some(coding(&mut cursor)?),
                    [b'p', b'r', b'o', b'f'] | [b'r', b'I', b'C', b'C'] => still.profile = Some(cursor.rest()),
                    _ => {}
                },
                b"irot" => turned.anticlockwise(cursor.byte()? & 3),
                b"imir" => turned.mirrored(cursor.byte()? & 1 == 1),
                b"av1C" | b"pixi" => {}
                other if essential => {
                    let other = String::from_utf8_lossy(other);
                    return Err(Refused::Unsupported(format!("an AVIF with the property {other:?}")));
                }
                _ => {}
            }
        }
        still.orientation = turned.orientation();
        let auxiliaries = self.references.iter().filter(|(kind, _, to)| kind == b"auxl" && *to == self.primary);
        let alpha = auxiliaries.map(|(_, from, _)| *from).find(|item| self.is_alpha(*item));
        if let Some(alpha) = alpha {
            still.alpha = Some(self.content(alpha, bytes)?);
            still.premultiplied = self.references.contains(&(*b"prem", self.primary, alpha));
        }
        Ok(still)
    }

    fn is_alpha(&self, item: u64) -> bool {
        let names = self.of(item).filter(|(kind, ..)| *kind == b"auxC").filter_map(|(_, body, _)| body.get(4..));
        names.filter_map(|name| name.split(|byte| *byte == 0).next()).any(|name| ALPHA.contains(&name))
    }

    /// The bytes of an item. All of its parts together are no more than the file: parts that overlap would multiply it.
    fn content(&self, item: u64, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, Refused> {
        let mut content = Cow::Borrowed(&bytes[..0]);
        for Part { in_file, from, length, .. } in self.parts.iter().filter(|part| part.item == item) {
            let source = if *in_file { bytes } else { self.data };
            let mut cursor = Cursor::new(source, usize::try_from(*from).unwrap_or(usize::MAX));
            let part = match length {
                0 => cursor.rest(),
                length => cursor.take(usize::try_from(*length).unwrap_or(usize::MAX))?,
            };
            if content.len() + part.len() > source.len() {
                return Err(Refused::corrupt("the parts of its picture overlap"));
            }
            if content.is_empty() {
                content = Cow::Borrowed(part);
            } else {
                content.to_mut().extend_from_slice(part);
            }
        }
        if content.is_empty() {
            return Err(Refused::corrupt("it has no picture data"));
        }
        Ok(content)
    }
}

fn coding(cursor: &mut Cursor<'_>) -> Result<Coding, Refused> {
    // Code points are bytes, written as two.
    let [_, primaries, _, transfer, _, matrix, range] = cursor.array()?;
    Ok(Coding { primaries, transfer, matrix, full_range: range & 0x80 != 0 })
}

/// Quarter turns clockwise, and then perhaps left and right exchanged: what any row of turns and mirrors comes to.
#[derive(Default)]
struct Turned {
    quarters: u8,
    flipped: bool,
}

impl Turned {
    fn anticlockwise(&mut self, quarters: u8) {
        // Seen in a mirror, a turn goes the other way round.
        self.quarters = (self.quarters + if self.flipped { quarters } else { 4 - quarters }) % 4;
    }

    /// Left and right exchanged, or else above and below, which is the same on its head.
    fn mirrored(&mut self, left_and_right: bool) {
        if !left_and_right {
            self.quarters = (self.quarters + 2) % 4;
        }
        self.flipped = !self.flipped;
    }

    fn orientation(&self) -> Orientation {
        match (self.quarters, self.flipped) {
            (0, false) => Orientation::NoTransforms,
            (1, false) => Orientation::Rotate90,
            (2, false) => Orientation::Rotate180,
            (_, false) => Orientation::Rotate270,
            (0, true) => Orientation::FlipHorizontal,
            (1, true) => Orientation::Rotate90FlipH,
            (2, true) => Orientation::FlipVertical,
            (_, true) => Orientation::Rotate270FlipH,
        }
    }
}
