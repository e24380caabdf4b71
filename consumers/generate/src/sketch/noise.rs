//! Gradient noise over the plane, from integer hashes and plain arithmetic only, so that it is exact everywhere.

/// A smooth random field, about -1 to 1, one bump per unit of its coordinates.
#[derive(Clone, Copy)]
pub(super) struct Noise {
    salt: u32,
}

impl Noise {
    pub(super) fn new(salt: u32) -> Self {
        Self { salt }
    }

    /// One octave.
    pub(super) fn at(self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let (dx, dy) = (x - left, y - top);
        let (column, row) = (left as i32, top as i32);
        let corner = |across: i32, down: i32| {
            let bits = hash(column.wrapping_add(across), row.wrapping_add(down), self.salt);
            let slope_x = (bits & 0xffff) as f32 / 32_768.0 - 1.0;
            let slope_y = (bits >> 16) as f32 / 32_768.0 - 1.0;
            slope_x * (dx - across as f32) + slope_y * (dy - down as f32)
        };
        let (ease_x, ease_y) = (ease(dx), ease(dy));
        let upper = lerp(corner(0, 0), corner(1, 0), ease_x);
        let lower = lerp(corner(0, 1), corner(1, 1), ease_x);
        1.5 * lerp(upper, lower, ease_y)
    }

    /// Several octaves, each twice as fine and half as strong as the one before.
    pub(super) fn layered(self, x: f32, y: f32, octaves: u32) -> f32 {
        let (mut sum, mut weight, mut scale, mut total) = (0.0, 1.0, 1.0, 0.0);
        for octave in 0..octaves {
            let shift = octave as f32 * 17.3;
            sum += weight * self.at(x * scale + shift, y * scale - shift);
            total += weight;
            weight *= 0.5;
            scale *= 2.03;
        }
        sum / total
    }

    /// Sharp crests and soft valleys, 0 to 1: what mountains and filaments look like.
    pub(super) fn ridged(self, x: f32, y: f32, octaves: u32) -> f32 {
        let (mut sum, mut weight, mut scale, mut total) = (0.0, 1.0, 1.0, 0.0);
        for octave in 0..octaves {
            let shift = octave as f32 * 11.7;
            let crest = 1.0 - self.at(x * scale + shift, y * scale + shift).abs();
            sum += weight * crest * crest;
            total += weight;
            weight *= 0.5;
            scale *= 2.07;
        }
        sum / total
    }
}

/// Thirty-two well mixed bits for a cell of a grid.
pub(super) fn hash(column: i32, row: i32, salt: u32) -> u32 {
    let mut bits = salt ^ column.cast_unsigned().wrapping_mul(0x9e37_79b1);
    bits = (bits ^ (bits >> 15)).wrapping_mul(0x2c1b_3c6d);
    bits ^= row.cast_unsigned().wrapping_mul(0x85eb_ca77);
    bits = (bits ^ (bits >> 12)).wrapping_mul(0x297a_2d39);
    bits ^ (bits >> 15)
}

/// The same, as a fraction from 0 up to but without 1.
pub(super) fn hash_unit(column: i32, row: i32, salt: u32) -> f32 {
    (hash(column, row, salt) >> 8) as f32 / 16_777_216.0
}

pub(super) fn lerp(from: f32, to: f32, share: f32) -> f32 {
    from + (to - from) * share
}

/// 0 below `low`, 1 above `high`, and a soft S between; `high` may lie below `low` to turn it around.
pub(super) fn smooth(low: f32, high: f32, value: f32) -> f32 {
    let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}

fn ease(share: f32) -> f32 {
    share * share * share * (share * (share * 6.0 - 15.0) + 10.0)
}
