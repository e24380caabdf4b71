//! Dunes with a bright and a shaded flank under a wide sky.

use super::{
    canvas::{Canvas, Ink},
    colour::Rgb,
    dice::Dice,
    noise::{Noise, lerp, smooth},
    outline::line,
    palette::Palette,
    ridge::{Land, Ridge, stacked},
    sky::Sky,
    words::{Light, Subject},
};

/// A row of dunes: each rises slowly on the side of the sun and falls steeply into its own shadow.
struct Row {
    ridge: Ridge,
    peaks: Vec<Peak>,
    wind: Noise,
    lit: Rgb,
    shaded: Rgb,
    haze: Rgb,
    /// 1 where shadows fall to the right, -1 where they fall to the left.
    side: f32,
    /// 0 for the farthest, 1 for the nearest.
    nearness: f32,
    unit: f32,
}

struct Peak {
    x: f32,
    rise: f32,
    top: f32,
    winding: f32,
    lee: f32,
}

pub(super) fn paint(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) {
    let Subject { palette, light, .. } = subject;
    let horizon = canvas.height * dice.between(0.42, 0.55);
    let sky = Sky::new(canvas, palette, *light, horizon, dice);
    let (lit, shaded) = match light {
        Light::Day => (palette.soft.mix(palette.glow, 0.4), palette.mid),
        Light::Dusk => (palette.soft.mix(palette.mid, 0.25), palette.deep.mix(palette.ink, 0.2)),
        Light::Night => (palette.mid.mix(palette.deep, 0.3), palette.ink.mix(palette.deep, 0.25)),
    };
    let count = 5 + dice.below(2);
    let rows: Vec<Row> = (0..count)
        .map(|index| Row::new(canvas, &sky, index as f32 / (count - 1) as f32, (lit, shaded), dice))
        .collect();
    canvas.shade(|x, y| stacked(&rows, || sky.at(x, y), x, y));
    if dice.chance(0.6) {
        caravan(canvas, palette, &rows[1], dice);
    }
}

impl Row {
    fn new(canvas: &Canvas, sky: &Sky, nearness: f32, (lit, shaded): (Rgb, Rgb), dice: &mut Dice) -> Self {
        let unit = canvas.unit;
        let side = if sky.sun.0 < canvas.width / 2.0 { 1.0 } else { -1.0 };
        let base = sky.horizon + (canvas.height - sky.horizon) * libm::powf(nearness, 1.35) * 0.86;
        let spacing = unit * lerp(0.34, 0.95, nearness);
        let mut peaks = Vec::new();
        let mut x = -spacing * dice.between(0.3, 1.0);
        while x < canvas.width + spacing {
            let rise = unit * lerp(0.035, 0.2, nearness) * dice.between(0.45, 1.1);
            let winding = dice.between(0.05, 0.12) * lerp(0.5, 1.6, nearness);
            let lee = unit * lerp(0.13, 0.5, nearness) * dice.between(0.7, 1.2);
            peaks.push(Peak { x, rise, top: base - rise, winding, lee });
            x += spacing * dice.between(0.65, 1.35);
        }
        let swell = Noise::new(dice.salt());
        let ridge = Ridge::new(canvas, |x| {
            let long = swell.at(x / unit * 1.3, nearness * 9.0) * unit * 0.02;
            base - long - height_between(&peaks, side, x)
        });
        let air = libm::powf(1.0 - nearness, 1.3) * 0.75;
        let (lit, shaded) = (lit.mix(sky.haze, air), shaded.mix(sky.haze, air));
        Self { ridge, peaks, wind: Noise::new(dice.salt()), lit, shaded, haze: sky.haze, side, nearness, unit }
    }

    /// How much of a place lies in the shadow behind a crest, which winds down from its peak.
    fn shadow(&self, x: f32, y: f32) -> f32 {
        self.peaks.iter().enumerate().fold(0.0, |most: f32, (index, peak)| {
            let down = (y - peak.top) / self.unit;
            let wander = self.wind.at(down * 4.5 / lerp(0.5, 1.4, self.nearness), index as f32 * 7.3 + 0.4);
            let crest =
                peak.x + self.side * self.unit * peak.winding * (wander * 2.2 * smooth(0.0, 0.12, down) + down * 1.8);
            let behind = (x - crest) * self.side;
            let edge = self.unit * 0.002 + 0.7 + down.max(0.0) * self.unit * 0.05;
            let length = lerp(0.16, 0.62, self.nearness) * peak.rise / (self.unit * lerp(0.035, 0.2, self.nearness));
            let here = smooth(-edge, edge, behind) * smooth(peak.lee, 0.0, behind) * smooth(length, length * 0.2, down);
            most.max(here)
        })
    }
}

/// How high the dunes stand at `x`: the lee of the peak before it and the slope up to the peak after it.
fn height_between(peaks: &[Peak], side: f32, x: f32) -> f32 {
    let Some(after) = peaks.iter().position(|peak| peak.x > x).filter(|index| *index > 0) else {
        return 0.0;
    };
    let (left, right) = (&peaks[after - 1], &peaks[after]);
    let share = (x - left.x) / (right.x - left.x);
    let (passed, ahead, gone) = if side > 0.0 { (left, right, share) } else { (right, left, 1.0 - share) };
    let lee = (1.0 - gone / 0.62).max(0.0);
    let climb = smooth(0.12, 1.0, gone);
    passed.rise * lee * (0.35 + 0.65 * lee) + ahead.rise * climb * (0.6 + 0.4 * gone)
}

impl Land for Row {
    fn ridge(&self) -> &Ridge {
        &self.ridge
    }

    fn colour(&self, x: f32, y: f32) -> Rgb {
        let depth = (y - self.ridge.at(x)) / self.unit;
        let shadow = self.shadow(x, y);
        let scale = self.unit * lerp(0.004, 0.016, self.nearness);
        let drift = self.wind.at(x / self.unit * 5.0, y / self.unit * 9.0);
        let blown = smooth(-0.2, 0.5, self.wind.at(x / self.unit * 2.1 + 60.0, y / self.unit * 4.0));
        let ripple = self.wind.at(x / scale * 0.09, y / scale + drift * 3.0) * blown * (1.0 - shadow * 0.6);
        let sand = self.lit.lerp(self.shaded, shadow * 0.92 + smooth(0.05, 0.5, depth) * 0.16 * (1.0 - shadow));
        let rim = smooth(0.012, 0.0, depth) * (1.0 - shadow) * 0.10;
        let mist = smooth(0.1, 0.5, depth) * (1.0 - self.nearness) * 0.5;
        sand.scaled(1.0 + ripple * 0.1 * self.nearness).lit(Rgb::WHITE, rim).lerp(self.haze, mist)
    }
}

fn caravan(canvas: &mut Canvas, palette: &Palette, row: &Row, dice: &mut Dice) {
    let tall = canvas.unit * 0.024;
    let start = canvas.width * dice.between(0.2, 0.6);
    let ink = Ink::Flat(palette.ink, 0.9);
    let mut x = start;
    for _ in 0..3 + dice.below(4) {
        x += tall * dice.between(1.1, 1.7);
        let y = row.ridge.at(x) + tall * 0.1;
        let size = tall * dice.between(0.75, 1.0);
        canvas.stroke(line(&[(x, y - size * 0.24), (x, y - size * 0.62)]), size * 0.3, &ink);
        canvas.stroke(line(&[(x, y - size * 0.92), (x, y - size * 0.93)]), size * 0.2, &ink);
        canvas.stroke(line(&[(x - size * 0.08, y), (x, y - size * 0.3), (x + size * 0.08, y)]), size * 0.1, &ink);
        let cast = (x + row.side * size * 1.5, y + size * 0.25);
        canvas.stroke(line(&[(x, y), cast]), size * 0.14, &Ink::Flat(palette.ink, 0.25));
    }
}
