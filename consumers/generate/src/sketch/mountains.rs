//! Ranges of mountains behind each other, paler with distance, mist between them.

use super::{
    canvas::{Canvas, Ink},
    colour::Rgb,
    dice::Dice,
    noise::{Noise, lerp, smooth},
    outline::{curve, pine},
    palette::Palette,
    ridge::{Land, Ridge, stacked},
    sky::Sky,
    water,
    words::{Light, Subject},
};

struct Range {
    ridge: Ridge,
    rock: Rgb,
    haze: Rgb,
    relief: Noise,
    /// Where the sun stands, in pixels from the left.
    sun: f32,
    unit: f32,
    /// 0 for the farthest, 1 for the nearest.
    nearness: f32,
}

pub(super) fn paint(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) {
    let Subject { palette, light, .. } = subject;
    let lake = dice.chance(0.35);
    let ground = canvas.height * if lake { 0.74 } else { 1.0 };
    let sky = Sky::new(canvas, palette, *light, ground * dice.between(0.62, 0.72), dice);
    let ranges = ranges(canvas, &sky, palette, *light, ground, dice);
    canvas.shade(|x, y| stacked(&ranges, || sky.at(x, y), x, y));

    if let Some(nearest) = ranges.last() {
        trees(canvas, nearest, ground, dice);
    }
    if lake {
        water::mirror(canvas, ground, palette.deep.mix(sky.haze, 0.4), dice);
    }
    birds(canvas, &sky, palette.ink, dice);
}

fn ranges(canvas: &Canvas, sky: &Sky, palette: &Palette, light: Light, ground: f32, dice: &mut Dice) -> Vec<Range> {
    let count = 5 + dice.below(3);
    let near = match light {
        Light::Day => palette.ink.mix(palette.deep, 0.45),
        Light::Dusk => palette.ink,
        Light::Night => palette.ink.scaled(0.7),
    };
    let far = sky.haze.mix(if light == Light::Night { palette.deep } else { palette.mid }, 0.35);
    (0..count)
        .map(|index| {
            let nearness = index as f32 / (count - 1) as f32;
            let shape = Noise::new(dice.salt());
            let base = ground * lerp(0.62, 0.97, nearness);
            let tall = canvas.unit * lerp(0.46, 0.13, nearness) * dice.between(0.85, 1.15);
            let pace = lerp(1.5, 2.6, nearness) / canvas.unit;
            let wooded = smooth(0.7, 1.0, nearness) * 0.006 * canvas.unit;
            let ridge = Ridge::new(canvas, |x| {
                let peaks = shape.ridged(x * pace, nearness * 31.0, 5) - 0.45;
                let rough = shape.at(x * 160.0 / canvas.unit, 7.0) * wooded;
                base - tall * peaks * lerp(1.25, 0.8, nearness) - rough
            });
            let rock = far.mix(near, libm::powf(nearness, 1.15));
            Range {
                ridge,
                rock,
                haze: sky.haze,
                relief: Noise::new(dice.salt()),
                sun: sky.sun.0,
                unit: canvas.unit,
                nearness,
            }
        })
        .collect()
}

impl Land for Range {
    fn ridge(&self) -> &Ridge {
        &self.ridge
    }

    /// Rock in facets turned towards the sun or away from it, fading into mist downwards.
    fn colour(&self, x: f32, y: f32) -> Rgb {
        let depth = (y - self.ridge.at(x)) / self.unit;
        let mist = smooth(0.02, 0.36, depth) * lerp(0.72, 0.12, self.nearness);
        let strength = 0.6 * (1.0 - self.nearness * 0.85) * smooth(0.6, 0.0, depth);
        if strength < 0.05 || mist > 0.7 {
            return self.rock.lerp(self.haze, mist);
        }
        let lean = if x < self.sun { 0.6 } else { -0.6 };
        let (across, down) = (x / self.unit * 7.0 + depth * lean * 4.0, depth * 3.0);
        let facet = self.relief.layered(across, down, 3) - self.relief.layered(across + lean * 0.22, down + 0.1, 2);
        self.rock.scaled(1.0 + facet.clamp(-0.5, 0.5) * strength).lerp(self.haze, mist)
    }
}

fn trees(canvas: &mut Canvas, nearest: &Range, ground: f32, dice: &mut Dice) {
    let crowding = dice.between(0.2, 1.0);
    let count = (canvas.width / canvas.unit * 46.0 * crowding) as usize;
    let grove = Noise::new(dice.salt());
    for _ in 0..count {
        let x = dice.unit() * canvas.width;
        let height = canvas.unit * dice.between(0.03, 0.1) * (0.75 + 0.6 * grove.at(x / canvas.unit * 3.0, 0.5));
        let foot = (nearest.ridge.at(x) + height * 0.12).min(ground);
        let outline = pine((x, foot), height, dice);
        canvas.fill(outline, &Ink::Flat(nearest.rock, 1.0));
    }
}

fn birds(canvas: &mut Canvas, sky: &Sky, ink: Rgb, dice: &mut Dice) {
    if dice.chance(0.45) {
        return;
    }
    let flock = (canvas.width * dice.between(0.2, 0.8), sky.horizon * dice.between(0.2, 0.55));
    for _ in 0..3 + dice.below(6) {
        let (x, y) = (flock.0 + dice.around(0.14) * canvas.unit, flock.1 + dice.around(0.07) * canvas.unit);
        let span = canvas.unit * dice.between(0.006, 0.013);
        let lift = span * dice.between(0.35, 0.75);
        let wings = [
            (x - span, y - lift * 0.6),
            (x - span * 0.4, y - lift),
            (x, y),
            (x + span * 0.4, y - lift),
            (x + span, y - lift * 0.5),
        ];
        canvas.stroke(curve(&wings), (canvas.unit * 0.0022).max(0.7), &Ink::Flat(ink, 0.75));
    }
}
