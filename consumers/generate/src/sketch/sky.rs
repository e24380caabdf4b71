//! The sky above a landscape: its gradient, the sun or moon with a halo, clouds, stars.

use super::{
    canvas::Canvas,
    colour::{Ramp, Rgb},
    dice::Dice,
    noise::{Noise, hash_unit, smooth},
    palette::Palette,
    words::Light,
};

pub(super) struct Sky {
    ramp: Ramp,
    light: Light,
    /// Where the sky ends, in pixels from the top.
    pub(super) horizon: f32,
    pub(super) sun: (f32, f32),
    pub(super) radius: f32,
    pub(super) sunlight: Rgb,
    halo: Rgb,
    /// The colour of the air close to the horizon: what distance fades to.
    pub(super) haze: Rgb,
    clouds: Noise,
    cloudiness: f32,
    cloud: Rgb,
    star_salt: u32,
    unit: f32,
}

impl Sky {
    pub(super) fn new(canvas: &Canvas, palette: &Palette, light: Light, horizon: f32, dice: &mut Dice) -> Self {
        let stops = match light {
            Light::Day => {
                [palette.mid.mix(palette.soft, 0.55), palette.soft, palette.soft.mix(palette.pale, 0.7), palette.pale]
            }
            Light::Dusk => [palette.deep, palette.mid, palette.soft, palette.glow.mix(palette.soft, 0.25)],
            Light::Night => {
                [palette.ink, palette.ink.mix(palette.deep, 0.55), palette.deep, palette.deep.mix(palette.mid, 0.75)]
            }
        };
        let ramp = Ramp::new(&[(0.0, stops[0]), (0.42, stops[1]), (0.78, stops[2]), (1.0, stops[3])]);
        let across = 0.5 + dice.side() * dice.between(0.06, 0.3);
        Self {
            haze: ramp.at(0.95),
            sunlight: match light {
                Light::Day | Light::Dusk => palette.glow,
                Light::Night => palette.glow.mix(palette.pale, 0.5),
            },
            halo: match light {
                Light::Day | Light::Dusk => palette.glow,
                Light::Night => palette.mid.mix(palette.soft, 0.35),
            },
            cloud: match light {
                Light::Day => palette.pale.mix(Rgb::WHITE, 0.5),
                Light::Dusk => palette.glow.mix(palette.accent, 0.25),
                Light::Night => palette.mid,
            },
            sun: (across * canvas.width, horizon * dice.between(0.28, 0.62)),
            radius: canvas.unit * dice.between(0.045, 0.105),
            clouds: Noise::new(dice.salt()),
            cloudiness: dice.between(-0.1, 0.22),
            star_salt: dice.salt(),
            unit: canvas.unit,
            ramp,
            light,
            horizon,
        }
    }

    /// The colour of the sky at a place; below the horizon it stays that of the horizon.
    pub(super) fn at(&self, x: f32, y: f32) -> Rgb {
        let mut colour = self.air(x, y);
        if self.light == Light::Night {
            colour = colour.lit(Rgb::WHITE, self.star(x, y));
        }
        let (across, down) = (x - self.sun.0, y - self.sun.1);
        let distance = (across * across + down * down).sqrt();
        let disc = smooth(0.7, -0.7, distance - self.radius);
        colour = colour.lerp(self.sunlight, disc * 0.96);
        let drift = self.clouds.layered(x / self.unit * 1.6, y / self.unit * 7.0, 4) + self.cloudiness;
        let low = smooth(0.05, 0.5, y / self.horizon) * 0.55;
        colour.lerp(self.cloud, smooth(0.08, 0.55, drift) * low)
    }

    /// The colour of the air alone: the gradient and the halo, without disc, clouds or stars.
    pub(super) fn air(&self, x: f32, y: f32) -> Rgb {
        let (across, down) = (x - self.sun.0, y - self.sun.1);
        let spread = (across * across + down * down).sqrt() / (self.radius * 2.6);
        let strength = 0.62 / (1.0 + spread * spread) + 0.12 / (1.0 + spread * 0.3);
        self.ramp.at(y / self.horizon).lit(self.halo, strength)
    }

    /// Light that falls from the sun in shafts over what is painted.
    pub(super) fn beams(&self, canvas: &mut Canvas, dice: &mut Dice) {
        let strength = match self.light {
            Light::Day => 0.3,
            Light::Dusk => 0.4,
            Light::Night => 0.14,
        };
        let shafts = Noise::new(dice.salt());
        let reach = canvas.height * 0.95;
        canvas.retouch(|x, y, there| {
            let (across, down) = (x - self.sun.0, y - self.sun.1 + self.radius * 2.0);
            let distance = (across * across + down * down).sqrt().max(1.0);
            let shaft = smooth(-0.15, 0.5, shafts.layered(across / distance * 5.0, 3.0, 2));
            let falling = smooth(-0.2, 0.4, down / distance);
            let fade = smooth(reach, 0.0, distance) * smooth(0.0, self.radius * 3.0, distance);
            there.lit(self.sunlight, strength * shaft * falling * fade)
        });
    }

    /// How bright a star shines here: each cell of a grid holds one, most of them too faint to see.
    fn star(&self, x: f32, y: f32) -> f32 {
        let cell = self.unit * 0.024;
        let (column, row) = ((x / cell).floor(), (y / cell).floor());
        let fraction = |salt: u32| hash_unit(column as i32, row as i32, self.star_salt ^ salt);
        let brightness = fraction(1);
        let size = (self.unit * 0.0011 * (0.6 + brightness)).max(0.55);
        let across = x - (column + 0.2 + 0.6 * fraction(2)) * cell;
        let down = y - (row + 0.2 + 0.6 * fraction(3)) * cell;
        let near = smooth(size * 1.5, size * 0.4, (across * across + down * down).sqrt());
        near * smooth(0.55, 1.0, brightness) * smooth(1.0, 0.45, y / self.horizon)
    }
}
