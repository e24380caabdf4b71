//! What a file is, by its first bytes. Names and claimed media types say nothing.

use super::Format;
use crate::refused::Refused;

pub(super) fn format(bytes: &[u8]) -> Result<Format, Refused> {
    if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
        Ok(Format::Jpeg)
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Ok(Format::Png)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Ok(Format::Webp)
    } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        Ok(Format::Gif)
    } else if is_avif(bytes) {
        avif()
    } else {
        Err(Refused::NotAnImage { found: describe(bytes) })
    }
}

fn is_avif(bytes: &[u8]) -> bool {
    matches!(bytes.get(4..12), Some(b"ftypavif" | b"ftypavis"))
}

#[cfg(feature = "avif")]
fn avif() -> Result<Format, Refused> {
    Ok(Format::Avif)
}

#[cfg(not(feature = "avif"))]
fn avif() -> Result<Format, Refused> {
    Err(Refused::BuiltWithoutAvif)
}

/// Prefixes of what people upload by mistake, so that the refusal can name it.
const KNOWN: [(&[u8], &str); 13] = [
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BM", "a BMP picture"),
    (b"II*\0", "a TIFF or raw camera picture"),
    (b"MM\0*", "a TIFF or raw camera picture"),
    (b"8BPS", "a Photoshop document"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\x01\0", "an icon file"),
    (b"\x1a\x45\xdf\xa3", "a video"),
    (b"ID3", "a sound file"),
    (b"RIFF", "a sound or video file"),
];

fn describe(bytes: &[u8]) -> String {
    if let Some(brand) = bytes.get(4..12).and_then(|head| head.strip_prefix(b"ftyp")) {
        return match brand {
            b"heic" | b"heix" | b"hevc" | b"mif1" | b"msf1" => "a HEIC picture",
            _ => "a video",
        }
        .to_owned();
    }
    if let Some((_, name)) = KNOWN.iter().find(|(prefix, _)| bytes.starts_with(prefix)) {
        return (*name).to_owned();
    }
    let head = &bytes[..bytes.len().min(512)];
    // A head cut in the middle of a character is still text.
    let text = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).ok(),
        Err(_) => None,
    };
    match text.filter(|text| !text.contains('\0')) {
        Some(text) if text.contains("<svg") => "an SVG drawing".to_owned(),
        Some(text) if text.trim_start().starts_with('<') => "a web page or XML document".to_owned(),
        Some(_) => "text".to_owned(),
        None => format!("unknown data starting with {:02x?}", &bytes[..bytes.len().min(8)]),
    }
}
