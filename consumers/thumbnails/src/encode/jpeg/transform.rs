//! A block to the few whole numbers that are kept of it.

use super::ZIGZAG;
use super::planes::Block;

/// What the transform's scale and a table's steps are divided out by, in the order that the transform leaves.
pub(super) struct Quantiser {
    shares: [f32; 64],
}

/// The transform's scale along one axis.
const SCALE: [f32; 8] = [1.0, 1.387_039_8, 1.306_563, 1.175_875_6, 1.0, 0.785_694_96, 0.541_196_1, 0.275_899_38];

/// Adding this to a small number leaves its rounded value in the lowest bits: one instruction for eight roundings.
const ROUNDING: f32 = 12_582_912.0;

impl Quantiser {
    pub(super) fn of(steps: &[u8; 64]) -> Self {
        let share = |at: usize| {
            let (across, down) = (at / 8, at % 8);
            1.0 / (f32::from(steps[down * 8 + across]) * SCALE[across] * SCALE[down] * 8.0)
        };
        Self { shares: std::array::from_fn(share) }
    }

    /// In the order of the zigzag.
    #[expect(clippy::cast_possible_wrap, reason = "the lowest sixteen bits are a signed number")]
    pub(super) fn quantised(&self, block: Block) -> [i16; 64] {
        let columns = transposed(waves(block));
        let rows = waves(columns);
        let mut kept = [0_i16; 64];
        for (row, (waves, shares)) in rows.iter().zip(self.shares.chunks_exact(8)).enumerate() {
            for (column, (wave, share)) in waves.iter().zip(shares).enumerate() {
                kept[row * 8 + column] = ((wave * share + ROUNDING).to_bits() & 0xFFFF) as u16 as i16;
            }
        }
        ORDER.map(|place| kept[place])
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

fn transposed(block: Block) -> Block {
    std::array::from_fn(|row| std::array::from_fn(|column| block[column][row]))
}

type Lane = [f32; 8];

fn add(a: Lane, b: Lane) -> Lane {
    std::array::from_fn(|at| a[at] + b[at])
}

fn less(a: Lane, b: Lane) -> Lane {
    std::array::from_fn(|at| a[at] - b[at])
}

fn times(a: Lane, by: f32) -> Lane {
    a.map(|value| value * by)
}

/// The transform down all eight columns at once.
fn waves(rows: Block) -> Block {
    let sums: [Lane; 4] = std::array::from_fn(|at| add(rows[at], rows[7 - at]));
    let rests: [Lane; 4] = std::array::from_fn(|at| less(rows[at], rows[7 - at]));

    let (outer, inner) = (add(sums[0], sums[3]), add(sums[1], sums[2]));
    let (outer_rest, inner_rest) = (less(sums[0], sums[3]), less(sums[1], sums[2]));
    let turned = times(add(inner_rest, outer_rest), 0.707_106_77);

    let (low, middle, high) = (add(rests[3], rests[2]), add(rests[2], rests[1]), add(rests[1], rests[0]));
    let both = times(less(low, high), 0.382_683_43);
    let (low, high) = (add(times(low, 0.541_196_1), both), add(times(high, 1.306_563), both));
    let middle = times(middle, 0.707_106_77);
    let (above, below) = (add(rests[0], middle), less(rests[0], middle));
    [
        add(outer, inner),
        add(above, high),
        add(outer_rest, turned),
        less(below, low),
        less(outer, inner),
        add(below, low),
        less(outer_rest, turned),
        less(above, high),
    ]
}
