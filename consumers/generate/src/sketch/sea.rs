//! Open water under a low sun: glitter, far islands, sometimes a sail.

use super::{
    canvas::{Canvas, Ink},
    colour::Rgb,
    dice::Dice,
    noise::{Noise, lerp, smooth},
    outline::{blob, line, polygon},
    palette::Palette,
    ridge::Ridge,
    sky::Sky,
    words::{Light, Subject},
};

pub(super) fn paint(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) {
    let Subject { palette, light, .. } = subject;
    let horizon = (canvas.height * dice.between(0.42, 0.62)).round();
    let mut sky = Sky::new(canvas, palette, *light, horizon, dice);
    sky.sun.1 = horizon - sky.radius * dice.between(0.1, 3.2);
    sky.radius *= dice.between(1.0, 1.5);

    let islands = islands(canvas, horizon, dice);
    let land = sky.haze.mix(palette.deep, 0.55);
    let sea = Sea::new(canvas, palette, *light, dice);
    canvas.shade(|x, y| {
        if y >= horizon {
            return sea.at(&sky, x, y);
        }
        islands.iter().enumerate().fold(sky.at(x, y), |behind, (index, ridge)| {
            let shore = smooth(0.0, 0.06 * sea.unit, horizon - y);
            let colour = sky.haze.lerp(land, (0.45 + 0.4 * index as f32).min(1.0) * lerp(0.75, 1.0, shore));
            behind.lerp(colour, ridge.cover(x, y))
        })
    });
    if dice.chance(0.7) {
        sail(canvas, &sky, palette, dice);
    }
}

/// Far land on one side of the sun, in up to two layers.
fn islands(canvas: &Canvas, horizon: f32, dice: &mut Dice) -> Vec<Ridge> {
    let side = dice.side();
    (0..dice.below(3))
        .map(|layer| {
            let shape = Noise::new(dice.salt());
            let reach = canvas.width * dice.between(0.3, 0.62) / (1.0 + layer as f32 * 0.6);
            let tall = canvas.unit * dice.between(0.05, 0.15);
            Ridge::new(canvas, |x| {
                let inland = if side > 0.0 { x - (canvas.width - reach) } else { reach - x } / reach;
                let rise = shape.ridged(x / canvas.unit * 3.0, 2.0, 4) * smooth(0.0, 0.6, inland);
                if inland <= 0.0 { horizon + 9.0 } else { horizon - tall * rise }
            })
        })
        .collect()
}

struct Sea {
    far: Rgb,
    near: Rgb,
    waves: Noise,
    unit: f32,
    height: f32,
    choppiness: f32,
}

impl Sea {
    fn new(canvas: &Canvas, palette: &Palette, light: Light, dice: &mut Dice) -> Self {
        let (far, near) = match light {
            Light::Day => (palette.soft.mix(palette.mid, 0.5), palette.deep.mix(palette.mid, 0.35)),
            Light::Dusk => (palette.mid, palette.deep.mix(palette.ink, 0.35)),
            Light::Night => (palette.deep, palette.ink),
        };
        let choppiness = dice.between(0.6, 1.3);
        Self { far, near, waves: Noise::new(dice.salt()), unit: canvas.unit, height: canvas.height, choppiness }
    }

    /// Waves lie on a plane: their size on the picture grows with the distance from the horizon.
    fn at(&self, sky: &Sky, x: f32, y: f32) -> Rgb {
        let below = (y - sky.horizon + 1.0) / (self.height - sky.horizon);
        let away = 1.0 / (below + 0.018);
        let (across, along) = ((x - sky.sun.0) / self.unit * away, away * 7.0);
        let calm = smooth(0.0, 0.05, below);
        let swell = self.waves.layered(across * 3.6, along * 2.2, 3) * calm;
        let chop = self.waves.layered(across * 17.0 + 40.0, along * 6.0, 2) * smooth(0.04, 0.25, below);
        let wave = (swell * 0.75 + chop * 0.35) * self.choppiness;

        let mirrored =
            sky.air(x + wave * self.unit * 0.05, sky.horizon * (1.0 - below * 0.75) - wave * self.unit * 0.08);
        let water = self.far.lerp(self.near, smooth(0.0, 0.85, below));
        let mirror = lerp(0.68, 0.26, smooth(0.0, 0.7, below));
        let colour = water.lerp(mirrored, mirror).scaled(1.0 + wave * 0.34 * calm);

        let path = self.unit * (0.05 + 0.26 * below) * (sky.radius / self.unit * 11.0).max(0.6);
        let aside = (x - sky.sun.0) / path;
        let lane = 1.0 / (1.0 + aside * aside * aside * aside);
        let glitter = smooth(0.03, 0.4, wave + 0.12 * lane - 0.02) * lane;
        colour.lit(sky.sunlight, glitter * 0.85 + lane * 0.12)
    }
}

fn sail(canvas: &mut Canvas, sky: &Sky, palette: &Palette, dice: &mut Dice) {
    let unit = canvas.unit;
    let tall = unit * dice.between(0.07, 0.15);
    let x =
        canvas.width * if sky.sun.0 < canvas.width / 2.0 { dice.between(0.58, 0.84) } else { dice.between(0.16, 0.42) };
    let y = sky.horizon + tall * dice.between(0.18, 0.7);
    let lean = dice.side();
    let at = |across: f32, up: f32| (x + across * lean * tall, y - up * tall);
    for band in 0..7 {
        let down = 0.1 + band as f32 * 0.11;
        let half = 0.26 * (1.0 - band as f32 / 8.0);
        let ripple = dice.around(0.06);
        let stripe = line(&[at(ripple - half, -down), at(ripple + half, -down)]);
        canvas.stroke(stripe, tall * 0.035, &Ink::Flat(palette.ink, 0.22));
    }
    let hull = [at(-0.36, 0.1), at(0.38, 0.1), at(0.27, -0.05), at(-0.25, -0.05)];
    let main =
        [at(0.03, 1.0), at(0.03, 1.0), at(0.2, 0.5), at(0.33, 0.16), at(0.33, 0.16), at(0.03, 0.18), at(0.03, 0.18)];
    let jib = [
        at(-0.02, 0.92),
        at(-0.02, 0.92),
        at(-0.18, 0.45),
        at(-0.3, 0.18),
        at(-0.3, 0.18),
        at(-0.02, 0.2),
        at(-0.02, 0.2),
    ];
    canvas.stroke(line(&[at(0.0, 0.08), at(0.0, 1.02)]), tall * 0.018, &Ink::Flat(palette.ink, 1.0));
    canvas.fill(blob(&main), &Ink::Flat(palette.pale, 0.97));
    canvas.fill(blob(&jib), &Ink::Flat(palette.accent, 0.95));
    canvas.fill(polygon(&hull), &Ink::Flat(palette.ink, 1.0));
}
