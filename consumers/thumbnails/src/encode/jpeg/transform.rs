//! A block to the few whole numbers that are kept of it.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x8, i32x8};

use super::ZIGZAG;
use super::planes::Block;

/// What the transform's scale and a table's steps are divided out by, in the order that the transform leaves.
pub(super) struct Quantiser {
    shares: [[f32; 8]; 8],
}

/// The whole numbers of a block, in the order that the transform leaves: its rows and columns have changed places.
pub(super) struct Kept {
    numbers: [i32; 64],
    /// Which of them are not zero, in the order of the zigzag from the lowest bit on.
    pub(super) filled: u64,
}

impl Kept {
    /// The number at a place of the zigzag. Both are below 64: the masks say so to the compiler.
    #[inline(always)]
    pub(super) fn number(&self, at: usize) -> i32 {
        self.numbers[ORDER[at & 63] & 63]
    }
}

/// The transform's scale along one axis.
const SCALE: [f32; 8] = [1.0, 1.387_039_8, 1.306_563, 1.175_875_6, 1.0, 0.785_694_96, 0.541_196_1, 0.275_899_38];

/// Adding this to a small number leaves its rounded value in the lowest bits: one instruction for eight roundings.
const ROUNDING: f32 = 12_582_912.0;

impl Quantiser {
    pub(super) fn of(steps: &[u8; 64]) -> Self {
        let share = |across: usize, down: usize| {
            1.0 / (f32::from(steps[down * 8 + across]) * SCALE[across] * SCALE[down] * 8.0)
        };
        Self { shares: std::array::from_fn(|across| std::array::from_fn(|down| share(across, down))) }
    }

    #[inline(always)]
    pub(super) fn kept<S: Simd>(&self, simd: S, block: &Block<'_>) -> Kept {
        let rows = std::array::from_fn(
            #[inline(always)]
            |at| f32x8::from_slice(simd, block.row(at)),
        );
        let columns = transposed(waves(rows));
        let rows = waves(columns);
        let mut kept = Kept { numbers: [0; 64], filled: 0 };
        let none = i32x8::splat(simd, 0);
        let places = kept.numbers.chunks_exact_mut(8).zip(&PLACES);
        for ((waves, shares), (numbers, places)) in rows.into_iter().zip(&self.shares).zip(places) {
            let rounded = waves * f32x8::load_array_ref(simd, shares) + ROUNDING;
            let whole = rounded.bitcast::<i32x8<S>>() - ROUNDING.to_bits().cast_signed();
            whole.store_slice(numbers);
            let [zeros, ..] = whole.simd_eq(none).to_bitmask().to_le_bytes();
            kept.filled |= places[usize::from(!zeros)];
        }
        kept
    }
}

/// The zigzag over rows and columns that have changed places.
const ORDER: [usize; 64] = {
    let mut order = [0; 64];
    let mut at = 0;
    while at < 64 {
        order[at] = ZIGZAG[at] % 8 * 8 + ZIGZAG[at] / 8;
        at += 1;
    }
    order
};

/// By row of what the transform leaves, and by which of its numbers are not zero: the same in the order of the zigzag.
static PLACES: [[u64; 256]; 8] = {
    let mut places = [[0; 256]; 8];
    let mut at = 0;
    while at < 64 {
        let (row, column) = (ORDER[at] / 8, ORDER[at] % 8);
        let mut filled = 0;
        while filled < 256 {
            places[row][filled] |= ((filled as u64 >> column) & 1) << at;
            filled += 1;
        }
        at += 1;
    }
    places
};

#[expect(clippy::many_single_char_names, reason = "eight rows, of which none is more than its place")]
#[inline(always)]
fn transposed<S: Simd>(rows: [f32x8<S>; 8]) -> [f32x8<S>; 8] {
    let [a, b, c, d, e, f, g, h] = rows;
    let ((a, e), (b, f), (c, g), (d, h)) = (a.interleave(e), b.interleave(f), c.interleave(g), d.interleave(h));
    let ((a, c), (e, g), (b, d), (f, h)) = (a.interleave(c), e.interleave(g), b.interleave(d), f.interleave(h));
    let ((a, b), (c, d), (e, f), (g, h)) = (a.interleave(b), c.interleave(d), e.interleave(f), g.interleave(h));
    [a, b, c, d, e, f, g, h]
}

/// The transform down all eight columns at once.
#[inline(always)]
fn waves<S: Simd>(rows: [f32x8<S>; 8]) -> [f32x8<S>; 8] {
    let sums: [_; 4] = std::array::from_fn(
        #[inline(always)]
        |at| rows[at] + rows[7 - at],
    );
    let rests: [_; 4] = std::array::from_fn(
        #[inline(always)]
        |at| rows[at] - rows[7 - at],
    );

    let (outer, inner) = (sums[0] + sums[3], sums[1] + sums[2]);
    let (outer_rest, inner_rest) = (sums[0] - sums[3], sums[1] - sums[2]);
    let turned = (inner_rest + outer_rest) * 0.707_106_77;

    let (low, middle, high) = (rests[3] + rests[2], rests[2] + rests[1], rests[1] + rests[0]);
    let both = (low - high) * 0.382_683_43;
    let (low, high) = (low * 0.541_196_1 + both, high * 1.306_563 + both);
    let middle = middle * 0.707_106_77;
    let (above, below) = (rests[0] + middle, rests[0] - middle);
    [
        outer + inner,
        above + high,
        outer_rest + turned,
        below - low,
        outer - inner,
        below + low,
        outer_rest - turned,
        above - high,
    ]
}
