//! Who made a picture, as the one thing that a file says beside its pixels.
//!
//! EXIF has a field each for the artist and the copyright, and every program that shows such things reads them. Its text
//! is ASCII by the letter of the standard and UTF-8 in practice.

const ARTIST: u16 = 0x013B;
const COPYRIGHT: u16 = 0x8298;
/// EXIF's name for text.
const ASCII: u16 = 2;
/// Longer names are cut: a note is no place for a story.
const MOST_BYTES: usize = 400;

/// A TIFF header and a directory with artist and copyright; none without a name.
pub(crate) fn exif(artist: &str) -> Option<Vec<u8>> {
    let mut name: String = artist.chars().filter(|character| !character.is_control()).collect();
    let end = (0..=MOST_BYTES.min(name.len())).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    name.truncate(end);
    let name = name.trim();
    if name.is_empty() {
        return None;
    }
    let texts = [(ARTIST, name.to_owned()), (COPYRIGHT, format!("© {name}"))];
    let mut exif = b"II*\0\x08\0\0\0".to_vec();
    exif.extend(u16::try_from(texts.len()).expect("two").to_le_bytes());
    let mut place = exif.len() + texts.len() * 12 + 4;
    let mut values = Vec::new();
    for (tag, text) in texts {
        let length = text.len() + 1;
        exif.extend(tag.to_le_bytes());
        exif.extend(ASCII.to_le_bytes());
        exif.extend(u32::try_from(length).expect("bounded").to_le_bytes());
        if length > 4 {
            exif.extend(u32::try_from(place).expect("bounded").to_le_bytes());
            values.extend_from_slice(text.as_bytes());
            values.push(0);
            place += length;
        } else {
            // So short a value stands in its entry.
            let mut inline = [0; 4];
            inline[..text.len()].copy_from_slice(text.as_bytes());
            exif.extend(inline);
        }
    }
    exif.extend([0; 4]);
    exif.extend(values);
    Some(exif)
}

/// Puts EXIF behind the start of a JPEG.
pub(crate) fn into_jpeg(file: &mut Vec<u8>, exif: &[u8]) {
    let length = u16::try_from(exif.len() + 8).expect("a note is short");
    let mut segment = vec![0xFF, 0xE1];
    segment.extend(length.to_be_bytes());
    segment.extend(b"Exif\0\0");
    segment.extend(exif);
    file.splice(2..2, segment);
}

/// Puts EXIF behind the picture of a WebP of these sides, which gets the extended header that says so.
pub(crate) fn into_webp(file: &mut Vec<u8>, exif: &[u8], width: u32, height: u32, alpha: bool) {
    const HAS_EXIF: u8 = 0x08;
    const HAS_ALPHA: u8 = 0x10;
    if file.get(12..16) == Some(b"VP8X") {
        file[20] |= HAS_EXIF;
    } else {
        let mut header = b"VP8X\x0a\0\0\0".to_vec();
        header.extend([HAS_EXIF | if alpha { HAS_ALPHA } else { 0 }, 0, 0, 0]);
        header.extend(&(width - 1).to_le_bytes()[..3]);
        header.extend(&(height - 1).to_le_bytes()[..3]);
        file.splice(12..12, header);
    }
    file.extend(b"EXIF");
    file.extend(u32::try_from(exif.len()).expect("a note is short").to_le_bytes());
    file.extend(exif);
    if exif.len() % 2 == 1 {
        file.push(0);
    }
    let length = u32::try_from(file.len() - 8).expect("a rendition is far below 4 GiB");
    file[4..8].copy_from_slice(&length.to_le_bytes());
}
