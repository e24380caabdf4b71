//! Files made to hurt, built byte by byte.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::fixtures::{png, scene};

/// This JPEG with another size in its frame header.
pub(crate) fn jpeg_claiming(upload: &[u8], width: u16, height: u16) -> Vec<u8> {
    let mut bomb = upload.to_vec();
    let header = bomb.windows(2).position(|pair| matches!(pair, [0xFF, 0xC0..=0xC2])).expect("a frame header");
    bomb[header + 5..header + 7].copy_from_slice(&height.to_be_bytes());
    bomb[header + 7..header + 9].copy_from_slice(&width.to_be_bytes());
    bomb
}

/// This progressive JPEG with its last scan so many times more.
pub(crate) fn jpeg_with_scans(upload: &[u8], more: usize) -> Vec<u8> {
    let last = upload.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).expect("a scan");
    let (head, end) = upload.split_at(upload.len() - 2);
    [head, &head[last..].repeat(more), end].concat()
}

/// This JPEG with a segment of one's own so many times behind its start.
pub(crate) fn jpeg_with_segments(upload: &[u8], marker: u8, body: &[u8], times: usize) -> Vec<u8> {
    let length = u16::try_from(body.len() + 2).expect("a segment is short").to_be_bytes();
    let segment = [&[0xFF, marker][..], &length, body].concat();
    [&upload[..2], &segment.repeat(times), &upload[2..]].concat()
}

/// A whole PNG of one grey, whatever its size, in as few bytes as deflate can.
pub(crate) fn grey_png(width: u32, height: u32, depth: u8) -> Vec<u8> {
    let row = (u64::from(width) * u64::from(depth)).div_ceil(8) + 1;
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, 0, 0, 0, 0]);
    let data = deflated_zeros(row * u64::from(height));
    let chunks = [chunk(*b"IHDR", &header), chunk(*b"IDAT", &data), chunk(*b"IEND", b"")].concat();
    [&b"\x89PNG\r\n\x1a\n"[..], &chunks].concat()
}

/// A small PNG with a chunk of one's own behind its header.
pub(crate) fn png_with(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let upload = png(scene(64, 48));
    let header = 8 + 25;
    [&upload[..header], &chunk(kind, body), &upload[header..]].concat()
}

/// An APNG that says it has so many frames.
pub(crate) fn apng_claiming(frames: u32) -> Vec<u8> {
    png_with(*b"acTL", &[frames.to_be_bytes(), 0_u32.to_be_bytes()].concat())
}

/// Bytes in zlib's format.
pub(crate) fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("a vector takes every byte");
    encoder.finish().expect("a vector takes every byte")
}

/// So many zeros in zlib's format.
pub(crate) fn deflated_zeros(length: u64) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let block = vec![0; 1 << 20];
    let mut left = usize::try_from(length).expect("an address");
    while left > 0 {
        let piece = left.min(block.len());
        encoder.write_all(&block[..piece]).expect("a vector takes every byte");
        left -= piece;
    }
    encoder.finish().expect("a vector takes every byte")
}

/// A GIF of so many equal frames, each of one pixel's worth of data.
pub(crate) fn gif_of_frames(screen: (u16, u16), frame: (u16, u16), frames: usize) -> Vec<u8> {
    let mut gif = b"GIF89a".to_vec();
    gif.extend([screen.0.to_le_bytes(), screen.1.to_le_bytes()].concat());
    // A global table of two colours.
    gif.extend([0x80, 0, 0, 0, 0, 0, 255, 255, 255]);
    let mut one = vec![0x2C, 0, 0, 0, 0];
    one.extend([frame.0.to_le_bytes(), frame.1.to_le_bytes()].concat());
    one.push(0);
    one.extend(lzw_of_zeros(usize::from(frame.0) * usize::from(frame.1)));
    gif.extend(one.repeat(frames));
    gif.push(0x3B);
    gif
}

/// Codes of two bits, each table cleared before it grows: clear, zero, zero, and so on. Of a large frame only the begin.
fn lzw_of_zeros(pixels: usize) -> Vec<u8> {
    const MOST: usize = 4096;
    let mut bits: Vec<bool> = Vec::new();
    let mut code = |value: u8| (0..3).for_each(|bit| bits.push(value >> bit & 1 == 1));
    for pixel in 0..pixels.min(MOST) {
        if pixel % 2 == 0 {
            code(4);
        }
        code(0);
    }
    code(5);
    let bytes: Vec<u8> =
        bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |sum, bit| sum << 1 | u8::from(*bit))).collect();
    let mut blocks = vec![2];
    for block in bytes.chunks(255) {
        blocks.push(u8::try_from(block.len()).expect("at most 255"));
        blocks.extend(block);
    }
    blocks.push(0);
    blocks
}

/// An animated WebP of so many empty frames.
pub(crate) fn animated_webp(width: u32, height: u32, frames: usize) -> Vec<u8> {
    let side = |pixels: u32| (pixels - 1).to_le_bytes()[..3].to_vec();
    let header = [vec![0b0000_0010, 0, 0, 0], side(width), side(height)].concat();
    let place = [vec![0; 6], side(1), side(1), vec![0; 4]].concat();
    let frame = riff(*b"ANMF", &[place, riff(*b"VP8L", &[0x2F, 0, 0, 0, 0])].concat());
    let body = [riff(*b"VP8X", &header), riff(*b"ANIM", &[0; 6]), frame.repeat(frames)].concat();
    riff(*b"RIFF", &[&b"WEBP"[..], &body].concat())
}

fn riff(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a chunk is short").to_le_bytes();
    let padding = vec![0; body.len() % 2];
    [&kind[..], &length, body, &padding].concat()
}

pub(crate) fn chunk(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a chunk is short").to_be_bytes();
    let mut checksum = flate2::Crc::new();
    checksum.update(&kind);
    checksum.update(body);
    [&length[..], &kind, body, &checksum.sum().to_be_bytes()].concat()
}
