//! Baseline JPEG in one scan with Huffman tables fitted to the picture.
//!
//! No encoder in Rust does both: the fitted tables of `jpeg-encoder` come with a scan for each colour, which some
//! decoders turn green. This one takes two passes: the first turns pixels into the symbols of the scan and counts them,
//! the second writes them with the shortest codes for those counts. The first is compiled for several kinds of processor, and
//! the best that this one can is taken: its vectors of eight numbers take half the time of those that every processor has.
//! All compute the same numbers, so the file is the same on each.
//!
//! Sources: ITU-T T.81 (tables of annexes C and K, and the procedure of K.2 for the codes); the transform is that of Arai,
//! Agui and Nakajima, which leaves its scale to the quantisation.

#![expect(clippy::inline_always, reason = "only what is inlined is compiled for the kind of processor that was found")]

mod huffman;
mod planes;
mod transform;

use fearless_simd::{Level, Simd, dispatch};

use super::Chroma;
use crate::raster::Raster;
use huffman::{Symbols, Table};
use planes::Planes;
use transform::Quantiser;

/// A file of a raster without alpha.
pub(crate) fn jpeg(raster: &Raster, quality: u8, chroma: Chroma) -> Vec<u8> {
    assert!(!raster.has_alpha(), "flattened before");
    let tables = [quantisation(LUMINANCE, quality), quantisation(CHROMINANCE, quality)];
    let symbols = dispatch!(Level::new(), simd => symbols(simd, raster, chroma, &tables));
    let codes = symbols.tables();
    let mut file = Vec::with_capacity(symbols.len() + 1024);
    header(&mut file, raster, chroma, &tables, &codes);
    symbols.write(&codes, &mut file);
    file.extend([0xFF, 0xD9]);
    file
}

/// The symbols of the whole scan, block by block in the order of the file.
#[inline(always)]
fn symbols<S: Simd>(simd: S, raster: &Raster, chroma: Chroma, tables: &[[u8; 64]; 2]) -> Symbols {
    let [bright, colour] = tables.each_ref().map(Quantiser::of);
    let mut symbols = Symbols::default();
    let mut planes = Planes::of(raster, chroma);
    let mut last = [0_i32; 3];
    for row in 0..planes.rows() {
        planes.read(raster, row);
        for column in 0..planes.columns() {
            for block in planes.bright(column) {
                symbols.add(0, &bright.kept(simd, &block), &mut last[0]);
            }
            for (block, last) in planes.colours(column).into_iter().zip(&mut last[1..]) {
                symbols.add(1, &colour.kept(simd, &block), last);
            }
        }
    }
    symbols
}

/// Steps of annex K, in the order of rows.
const LUMINANCE: [u8; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
];
const CHROMINANCE: [u8; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99,
];

/// The place in rows of each place of the zigzag.
const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// The steps at a quality, as the Independent JPEG Group scales them: what people mean by "quality 85".
fn quantisation(steps: [u8; 64], quality: u8) -> [u8; 64] {
    let quality = u32::from(quality.clamp(1, 100));
    let percent = if quality < 50 { 5000 / quality } else { 200 - quality * 2 };
    steps.map(|step| u8::try_from(((u32::from(step) * percent + 50) / 100).clamp(1, 255)).expect("clamped"))
}

fn header(file: &mut Vec<u8>, raster: &Raster, chroma: Chroma, tables: &[[u8; 64]; 2], codes: &[Table; 4]) {
    file.extend([0xFF, 0xD8]);
    segment(file, 0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    for (at, table) in (0..).zip(tables) {
        let steps = ZIGZAG.map(|place| table[place]);
        segment(file, 0xDB, &[&[at][..], &steps].concat());
    }
    let [height, width] = [raster.height(), raster.width()]
        .map(|side| u16::try_from(side).expect("renditions have at most 16383 pixels a side").to_be_bytes());
    let sampling = if chroma == Chroma::Full { 0x11 } else { 0x22 };
    segment(file, 0xC0, &[&[8], &height[..], &width[..], &[3, 1, sampling, 0, 2, 0x11, 1, 3, 0x11, 1]].concat());
    for (class, table) in [0x00, 0x10, 0x01, 0x11].into_iter().zip(codes) {
        segment(file, 0xC4, &[&[class][..], &table.counts, &table.symbols].concat());
    }
    segment(file, 0xDA, &[3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]);
}

fn segment(file: &mut Vec<u8>, marker: u8, body: &[u8]) {
    file.extend([0xFF, marker]);
    file.extend(u16::try_from(body.len() + 2).expect("a short segment").to_be_bytes());
    file.extend(body);
}
