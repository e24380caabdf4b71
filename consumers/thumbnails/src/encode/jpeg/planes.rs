//! Pixels to brightness and two differences of colour, one row of units at a time.

use super::super::Chroma;
use crate::raster::Raster;

/// Eight rows and columns of a plane; its numbers are around zero.
pub(super) struct Block<'a> {
    /// From its first number on.
    samples: &'a [f32],
    /// From row to row.
    across: usize,
}

/// A unit is what the scan takes in turn: 8 x 8 pixels, or 16 x 16 where four pixels share their colour.
pub(super) struct Planes {
    unit: usize,
    columns: usize,
    rows: usize,
    /// A row of units: their pixels' brightness.
    bright: Vec<f32>,
    /// Their colours, eight rows.
    blue: Vec<f32>,
    red: Vec<f32>,
    /// Room for two rows of pixels that do not fill their units.
    padded: [Vec<u8>; 2],
}

impl Planes {
    pub(super) fn of(raster: &Raster, chroma: Chroma) -> Self {
        let unit = if chroma == Chroma::Full { 8 } else { 16 };
        let columns = (raster.width() as usize).div_ceil(unit);
        let rows = (raster.height() as usize).div_ceil(unit);
        let across = columns * unit;
        let [blue, red] = [(); 2].map(|()| vec![0.0; columns * 8 * 8]);
        let padded = [(); 2].map(|()| vec![0; across * 3]);
        Self { unit, columns, rows, bright: vec![0.0; across * unit], blue, red, padded }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Reads a row of units. Beyond the edges stands what is at them, which costs the fewest bytes.
    #[inline(always)]
    pub(super) fn read(&mut self, raster: &Raster, row: usize) {
        let (width, height) = (raster.width() as usize * 3, raster.height() as usize);
        let across = self.columns * self.unit;
        let mut padded = std::mem::take(&mut self.padded);
        for pair in 0..self.unit / 2 {
            let [above, below] = &mut padded;
            let line = |at: usize| {
                let y = (row * self.unit + pair * 2 + at).min(height - 1);
                &raster.pixels()[y * width..(y + 1) * width]
            };
            let lines = if width == across * 3 {
                [line(0), line(1)]
            } else {
                [repeated(line(0), above), repeated(line(1), below)]
            };
            for (at, line) in lines.into_iter().enumerate() {
                let start = (pair * 2 + at) * across;
                for (bright, pixel) in self.bright[start..start + across].iter_mut().zip(line.chunks_exact(3)) {
                    *bright = brightness(f32::from(pixel[0]), f32::from(pixel[1]), f32::from(pixel[2])) - 128.0;
                }
            }
            if self.unit == 16 {
                self.halve(pair, lines);
            } else {
                self.keep(pair, lines);
            }
        }
        self.padded = padded;
    }

    /// The colour of each pixel.
    #[inline(always)]
    fn keep(&mut self, pair: usize, lines: [&[u8]; 2]) {
        let across = self.columns * 8;
        for (at, line) in lines.into_iter().enumerate() {
            let start = (pair * 2 + at) * across;
            let (blue, red) = (&mut self.blue[start..start + across], &mut self.red[start..start + across]);
            for ((blue, red), pixel) in blue.iter_mut().zip(red).zip(line.chunks_exact(3)) {
                let [r, g, b] = [0, 1, 2].map(|channel| f32::from(pixel[channel]));
                (*blue, *red) = differences(r, g, b);
            }
        }
    }

    /// The mean colour of each four.
    #[inline(always)]
    fn halve(&mut self, pair: usize, lines: [&[u8]; 2]) {
        let across = self.columns * 8;
        let start = pair * across;
        let (blue, red) = (&mut self.blue[start..start + across], &mut self.red[start..start + across]);
        let pixels = lines[0].chunks_exact(6).zip(lines[1].chunks_exact(6));
        for ((blue, red), (above, below)) in blue.iter_mut().zip(red).zip(pixels) {
            let [r, g, b] = [0, 1, 2].map(|channel| {
                let sum = u16::from(above[channel])
                    + u16::from(above[channel + 3])
                    + u16::from(below[channel])
                    + u16::from(below[channel + 3]);
                f32::from(sum) * 0.25
            });
            (*blue, *red) = differences(r, g, b);
        }
    }

    /// The blocks of brightness of a unit: one, or four by rows.
    #[inline(always)]
    pub(super) fn bright(&self, column: usize) -> impl Iterator<Item = Block<'_>> {
        let across = self.columns * self.unit;
        let side = self.unit / 8;
        (0..side * side).map(move |at| {
            let start = (at / side) * 8 * across + column * self.unit + (at % side) * 8;
            Block { samples: &self.bright[start..], across }
        })
    }

    /// Its two blocks of colour.
    #[inline(always)]
    pub(super) fn colours(&self, column: usize) -> [Block<'_>; 2] {
        let across = self.columns * 8;
        [&self.blue, &self.red].map(|plane| Block { samples: &plane[column * 8..], across })
    }
}

impl Block<'_> {
    /// One of its eight rows.
    #[inline(always)]
    pub(super) fn row(&self, at: usize) -> &[f32] {
        &self.samples[at * self.across..at * self.across + 8]
    }
}

/// A line of pixels with the last one repeated to the end of the last unit.
fn repeated<'a>(line: &[u8], padded: &'a mut [u8]) -> &'a [u8] {
    padded[..line.len()].copy_from_slice(line);
    for at in line.len()..padded.len() {
        padded[at] = padded[at - 3];
    }
    padded
}

/// The weights of JFIF.
#[inline(always)]
fn brightness(red: f32, green: f32, blue: f32) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

#[inline(always)]
fn differences(red: f32, green: f32, blue: f32) -> (f32, f32) {
    let to_blue = -0.168_735_9 * red - 0.331_264_1 * green + 0.5 * blue;
    let to_red = 0.5 * red - 0.418_687_6 * green - 0.081_312_4 * blue;
    (to_blue, to_red)
}
