//! Stems, leaves and blooms pressed on paper.

use std::f32::consts::TAU;

use super::{
    canvas::{Canvas, Ink},
    colour::Rgb,
    dice::Dice,
    noise::lerp,
    outline::{Place, curve, disc, leaf},
    palette::Palette,
    words::Subject,
};

/// How a stem carries its leaves.
#[derive(Clone, Copy)]
enum Habit {
    Pairs,
    Fern,
    Berries,
    Blades,
}

struct Stem {
    points: Vec<Place>,
}

pub(super) fn paint(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) {
    let palette = &subject.palette;
    let dark = dice.chance(0.28);
    let paper = if dark { palette.ink.mix(palette.deep, 0.35) } else { palette.pale.mix(Rgb::WHITE, 0.25) };
    canvas.shade(|_, _| paper);
    backdrop(canvas, palette, paper, dice);

    let greens = [palette.deep, palette.mid, palette.second, palette.deep.mix(palette.mid, 0.5), palette.soft];
    let greens =
        greens.map(|green| if dark && green.lightness() < 0.55 { green.mix(palette.pale, 0.42) } else { green });
    let stems = (canvas.width / canvas.unit * 5.0) as usize + dice.below(3);
    let width = canvas.width * 0.76;
    for index in 0..stems {
        let share = (index as f32 + 0.5) / stems as f32;
        let green = greens[dice.below(greens.len())];
        let stem = Stem::grow(canvas, canvas.width * 0.12 + width * share, dice);
        let habit = dice.pick([Habit::Pairs, Habit::Pairs, Habit::Fern, Habit::Berries, Habit::Blades]);
        stem.paint(canvas, habit, green, palette, dice);
        if !matches!(habit, Habit::Fern | Habit::Berries) || dice.chance(0.3) {
            bloom(canvas, stem.at(1.0), palette, dark, dice);
        }
    }
}

/// A large pale sun or arch behind the stems.
fn backdrop(canvas: &mut Canvas, palette: &Palette, paper: Rgb, dice: &mut Dice) {
    let unit = canvas.unit;
    let centre = (canvas.width * dice.between(0.36, 0.64), canvas.height * dice.between(0.34, 0.48));
    let tint = paper.mix(dice.pick([palette.soft, palette.accent, palette.glow, palette.mid]), 0.5);
    canvas.fill(disc(centre, unit * dice.between(0.2, 0.32)), &Ink::Flat(tint, 0.9));
    if dice.chance(0.5) {
        let beside = (centre.0 + dice.side() * unit * 0.24, centre.1 + unit * dice.between(0.05, 0.2));
        let other = paper.mix(dice.pick([palette.soft, palette.second, palette.mid]), 0.35);
        canvas.stain(disc(beside, unit * dice.between(0.08, 0.16)), &Ink::Flat(other, 0.8));
    }
}

impl Stem {
    /// From the foot of the picture upwards, leaning outwards.
    fn grow(canvas: &Canvas, x: f32, dice: &mut Dice) -> Self {
        let aside = (x / canvas.width - 0.5) * 2.0;
        let foot = (canvas.width * 0.5 + aside * canvas.width * 0.26, canvas.height * 1.02);
        let tall = canvas.height * dice.between(0.48, 0.84) * (1.0 - aside.abs() * 0.22);
        let lean = aside * canvas.unit * 0.2 + dice.around(0.12) * canvas.unit;
        let bend = dice.around(0.16) * canvas.unit;
        let points = (0..=40)
            .map(|step| {
                let share = step as f32 / 40.0;
                let sway = bend * 4.0 * share * (1.0 - share);
                (foot.0 + lean * share * share + sway + aside * canvas.unit * 0.06 * share, foot.1 - tall * share)
            })
            .collect();
        Self { points }
    }

    /// The place on the stem, 0 at the foot and 1 at the top.
    fn at(&self, share: f32) -> Place {
        self.points[((share * 40.0) as usize).min(40)]
    }

    /// A place beside the stem, `out` to the given side and `up` along it.
    fn beside(&self, share: f32, side: f32, out: f32, up: f32) -> Place {
        let (here, next) = (self.at((share - 0.05).max(0.0)), self.at((share + 0.05).min(1.0)));
        let (dx, dy) = (next.0 - here.0, next.1 - here.1);
        let length = (dx * dx + dy * dy).sqrt().max(1e-3);
        let (dx, dy) = (dx / length, dy / length);
        let base = self.at(share);
        (base.0 + dx * up - dy * out * side, base.1 + dy * up + dx * out * side)
    }

    fn paint(&self, canvas: &mut Canvas, habit: Habit, green: Rgb, palette: &Palette, dice: &mut Dice) {
        let unit = canvas.unit;
        canvas.stroke(curve(&self.points), unit * 0.0045, &Ink::Flat(green, 1.0));
        let (count, size, slim, first) = match habit {
            Habit::Pairs => (7 + dice.below(4), unit * dice.between(0.075, 0.12), 0.52, 0.25),
            Habit::Fern => (22 + dice.below(8), unit * dice.between(0.07, 0.1), 0.2, 0.18),
            Habit::Berries => (11 + dice.below(5), unit * dice.between(0.05, 0.07), 0.0, 0.35),
            Habit::Blades => (4 + dice.below(3), unit * dice.between(0.18, 0.27), 0.2, 0.12),
        };
        let rise = dice.between(0.5, 0.95);
        for index in 0..count {
            let share = lerp(first, 0.97, index as f32 / count as f32);
            let length = size * lerp(1.0, 0.42, share) * dice.between(0.88, 1.12);
            for side in [-1.0, 1.0] {
                let base = self.at(share);
                let tip = self.beside(share, side, length * 0.85, length * rise);
                let tint = green.scaled(dice.between(0.88, 1.1));
                if matches!(habit, Habit::Berries) {
                    canvas.stroke(
                        curve(&[base, self.beside(share, side, length * 0.5, length * 0.2), tip]),
                        unit * 0.0025,
                        &Ink::Flat(green, 1.0),
                    );
                    canvas.fill(
                        disc(tip, unit * dice.between(0.008, 0.015)),
                        &Ink::Flat(palette.accent.scaled(dice.between(0.88, 1.08)), 0.95),
                    );
                } else {
                    canvas.fill(leaf(base, tip, length * slim, 0.42), &Ink::Flat(tint, 0.93));
                    let vein = self.beside(share, side, length * 0.62, length * rise * 0.73);
                    canvas.stroke(curve(&[base, vein]), unit * 0.0014, &Ink::Flat(tint.lit(Rgb::WHITE, 0.3), 0.6));
                }
            }
        }
    }
}

/// A flower of one of three makes: a daisy, a layered rosette, a tulip's cup.
fn bloom(canvas: &mut Canvas, top: Place, palette: &Palette, dark: bool, dice: &mut Dice) {
    let unit = canvas.unit;
    let petal = dice.pick([palette.accent, palette.second, palette.soft, palette.accent.mix(palette.soft, 0.5)]);
    let petal = if dark { petal.mix(palette.glow, 0.15) } else { petal };
    let size = unit * dice.between(0.045, 0.085);
    let turn = dice.between(0.0, TAU);
    let rings = [(1.0, 9 + dice.below(6), 1.0), (0.68, 8, 1.1), (0.42, 6, 1.2)];
    match dice.below(3) {
        0 => {
            let count = 9 + dice.below(8);
            ring(canvas, top, size, (count, turn, 0.34), petal);
            canvas.fill(disc(top, size * 0.27), &Ink::Flat(palette.glow.mix(palette.accent, 0.35), 1.0));
            canvas.fill(disc(top, size * 0.14), &Ink::Flat(palette.deep, 0.55));
        }
        1 => {
            for (scale, count, shade) in rings {
                ring(canvas, top, size * scale, (count, turn * scale, 0.62), petal.scaled(1.12 - 0.16 * shade));
            }
            canvas.fill(disc(top, size * 0.16), &Ink::Flat(palette.glow, 0.9));
        }
        _ => {
            for (across, shade) in [(-0.5, 0.9), (0.5, 0.96), (0.0, 1.06)] {
                let tip = (top.0 + across * size, top.1 - size * 1.25);
                canvas.fill(
                    leaf((top.0, top.1 + size * 0.2), tip, size * 0.72, 0.38),
                    &Ink::Flat(petal.scaled(shade), 0.97),
                );
            }
        }
    }
}

fn ring(canvas: &mut Canvas, centre: Place, reach: f32, (count, turn, width): (usize, f32, f32), petal: Rgb) {
    for index in 0..count {
        let angle = turn + index as f32 / count as f32 * TAU;
        let (across, down) = (libm::cosf(angle), libm::sinf(angle));
        let base = (centre.0 + across * reach * 0.1, centre.1 + down * reach * 0.1);
        let tip = (centre.0 + across * reach, centre.1 + down * reach);
        let shade = petal.scaled(if index % 2 == 0 { 1.0 } else { 0.93 });
        canvas.fill(leaf(base, tip, reach * width, 0.62), &Ink::Flat(shade, 0.92));
    }
}
