//! Sheets of paper cut along the contours of a landscape and stacked, each throwing a shadow on the one below.

use super::{
    canvas::Canvas,
    colour::{Ramp, Rgb},
    dice::Dice,
    noise::{Noise, hash_unit, smooth},
    palette::Palette,
    words::Subject,
};

struct Relief {
    /// One height per pixel, with a border as wide as the longest shadow.
    heights: Vec<f32>,
    stride: usize,
    border: usize,
}

pub(super) fn paint(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) {
    let sheets = 7 + dice.below(5);
    let border = (canvas.unit * 0.022) as usize + 3;
    let relief = Relief::new(canvas, border, sheets, dice);
    let colours = sheet_colours(&subject.palette, sheets, dice);
    let fibre = dice.salt();
    let drop = canvas.unit * 0.02;
    canvas.shade(|x, y| {
        let height = relief.at(x, y);
        let sheet = height.floor();
        let steep = relief.steepness(x, y);
        let edge = ((height - sheet) / steep.max(1e-5)).min(1.0);
        let below = colours[(sheet as usize).saturating_sub(1).min(sheets - 1)];
        let mut colour = below.lerp(colours[(sheet as usize).min(sheets - 1)], edge);
        let mut shade = 0.0;
        for step in 1..=8 {
            let reach = drop * step as f32 / 8.0;
            let above = relief.at(x - reach * 0.8, y - reach) - (sheet + 1.0);
            shade += smooth(-0.02, 0.05, above) * (1.2 - step as f32 * 0.12);
        }
        colour = colour.scaled(1.0 - 0.075 * shade.min(5.5));
        let rim = smooth(2.4, 0.8, (height - sheet) / steep.max(1e-5));
        colour = colour.lit(Rgb::WHITE, rim * 0.12);
        colour.scaled(0.985 + 0.03 * hash_unit(x as i32 / 2, y as i32, fibre))
    });
}

/// From the lowest sheet to the highest: dark to light, light to dark, or down to a bright basin.
fn sheet_colours(palette: &Palette, sheets: usize, dice: &mut Dice) -> Vec<Rgb> {
    let ramp = match dice.below(3) {
        0 => palette.ramp(),
        1 => Ramp::new(&[(0.0, palette.pale), (0.3, palette.soft), (0.6, palette.mid), (1.0, palette.deep)]),
        _ => Ramp::new(&[
            (0.0, palette.glow),
            (0.18, palette.accent),
            (0.45, palette.mid),
            (0.75, palette.deep),
            (1.0, palette.ink),
        ]),
    };
    (0..sheets).map(|sheet| ramp.at(sheet as f32 / (sheets - 1) as f32)).collect()
}

impl Relief {
    /// Heights in sheets, from 0 up to but without `sheets`.
    fn new(canvas: &Canvas, border: usize, sheets: usize, dice: &mut Dice) -> Self {
        let (ground, bend) = (Noise::new(dice.salt()), Noise::new(dice.salt()));
        let stride = canvas.width as usize + border * 2;
        let rows = canvas.height as usize + border * 2;
        let pace = dice.between(1.3, 2.2) / canvas.unit;
        let basin = (canvas.width * dice.between(0.3, 0.7), canvas.height * dice.between(0.3, 0.7));
        let depth = dice.between(0.1, 0.55);
        let mut heights = Vec::with_capacity(stride * rows);
        for row in 0..rows {
            for column in 0..stride {
                let (x, y) = (column as f32 - border as f32, row as f32 - border as f32);
                let (across, down) = (x * pace, y * pace);
                let twist = bend.at(across * 0.9, down * 0.9) * 0.7;
                let (off_x, off_y) = ((x - basin.0) / canvas.unit, (y - basin.1) / canvas.unit);
                let bowl = (off_x * off_x + off_y * off_y).sqrt();
                let land = ground.layered(across + twist, down - twist, 3) * 0.62 + depth * bowl;
                heights.push(land);
            }
        }
        let (low, high) =
            heights.iter().fold((f32::MAX, f32::MIN), |(low, high), land| (low.min(*land), high.max(*land)));
        let stretch = (sheets as f32 - 0.001) / (high - low).max(1e-3);
        for land in &mut heights {
            *land = (*land - low) * stretch;
        }
        Self { heights, stride, border }
    }

    fn at(&self, x: f32, y: f32) -> f32 {
        let place = |value: f32| (value + self.border as f32).max(0.0) as usize;
        let index = place(y) * self.stride + place(x).min(self.stride - 1);
        self.heights[index.min(self.heights.len() - 1)]
    }

    /// How much the height changes from one pixel to the next.
    fn steepness(&self, x: f32, y: f32) -> f32 {
        let across = self.at(x + 1.0, y) - self.at(x - 1.0, y);
        let down = self.at(x, y + 1.0) - self.at(x, y - 1.0);
        (across * across + down * down).sqrt() / 2.0
    }
}
