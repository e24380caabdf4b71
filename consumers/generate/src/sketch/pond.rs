//! A pond from above: rings on the water, koi below it, lily pads and blossoms on it.

use std::f32::consts::TAU;

use super::{
    canvas::{Canvas, Ink},
    colour::Ramp,
    dice::Dice,
    koi::Koi,
    noise::{Noise, lerp, smooth},
    outline::{Place, arc, curve, disc, leaf},
    palette::Palette,
    words::Subject,
};

pub(super) fn paint(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) {
    let palette = &subject.palette;
    let depths = Ramp::new(&[(0.0, palette.ink), (0.5, palette.deep), (1.0, palette.mid)]);
    let (bed, unit) = (Noise::new(dice.salt()), canvas.unit);
    canvas.shade(|x, y| depths.at(0.42 + bed.layered(x / unit * 1.8, y / unit * 1.8, 4) * 0.5));

    let area = canvas.width * canvas.height / (unit * unit);
    let fish = (area * dice.between(3.0, 6.0)) as usize;
    let mut homes: Vec<Place> = Vec::new();
    for _ in 0..fish * 4 {
        let home = (dice.between(0.12, 0.88) * canvas.width, dice.between(0.12, 0.88) * canvas.height);
        let apart = |other: &Place| {
            (home.0 - other.0) * (home.0 - other.0) + (home.1 - other.1) * (home.1 - other.1) > unit * unit * 0.065
        };
        if homes.len() < fish && homes.iter().all(apart) {
            homes.push(home);
        }
    }
    let swim = dice.between(0.0, TAU);
    for home in homes {
        let heading = swim + dice.around(1.6);
        Koi::new(canvas, home, heading, dice).paint(canvas, palette, dice);
    }
    surface(canvas, palette, dice);
    for _ in 0..=(area * dice.between(2.0, 4.0)) as usize {
        let corner = (dice.pick([0.0, 1.0]), dice.pick([0.0, 1.0]));
        let cluster = (
            canvas.width * lerp(corner.0, 0.5, dice.unit() * 0.42),
            canvas.height * lerp(corner.1, 0.5, dice.unit() * 0.42),
        );
        pads(canvas, cluster, palette, dice);
    }
}

/// Rings that spread over the surface and bend the light, and a shimmer on top.
fn surface(canvas: &mut Canvas, palette: &Palette, dice: &mut Dice) {
    let below = canvas.snapshot();
    let (unit, waves) = (canvas.unit, Noise::new(dice.salt()));
    let rings: Vec<(Place, f32)> = (0..3 + dice.below(3))
        .map(|_| ((dice.unit() * canvas.width, dice.unit() * canvas.height), dice.between(0.12, 0.3) * unit))
        .collect();
    canvas.retouch(|x, y, _| {
        let mut slope = (0.0, 0.0);
        for ((centre_x, centre_y), reach) in &rings {
            let (across, down) = (x - centre_x, y - centre_y);
            let distance = (across * across + down * down).sqrt().max(1.0);
            if distance < *reach {
                let fade = smooth(*reach, reach * 0.3, distance) * smooth(0.0, reach * 0.12, distance);
                let wave = libm::sinf(distance / unit * 210.0) * fade;
                slope = (slope.0 + across / distance * wave, slope.1 + down / distance * wave);
            }
        }
        let (across, down) = (x / unit * 5.0, y / unit * 5.0);
        let drift = (waves.layered(across, down, 2), waves.layered(across + 50.0, down, 2));
        let bend = unit * 0.004;
        let seen = below.at(x + (slope.0 + drift.0) * bend, y + (slope.1 + drift.1) * bend);
        let caustic = smooth(0.82, 1.0, waves.ridged(across * 0.9 + drift.1, down * 0.9 + drift.0, 2)) * 0.14;
        let shine = (-slope.0 - slope.1).max(0.0) * 0.22;
        seen.lit(palette.pale, shine + caustic).scaled(1.0 - (slope.0 + slope.1).max(0.0) * 0.14)
    });
}

fn pads(canvas: &mut Canvas, cluster: Place, palette: &Palette, dice: &mut Dice) {
    let unit = canvas.unit;
    let green = palette.mid.mix(palette.soft, 0.45);
    for _ in 0..2 + dice.below(4) {
        let centre = (cluster.0 + dice.around(0.2) * unit, cluster.1 + dice.around(0.2) * unit);
        let radius = unit * dice.between(0.035, 0.095);
        let notch = dice.between(0.0, TAU);
        let shade = green.mix(palette.deep, dice.between(0.0, 0.4));
        let shadow = (centre.0 + radius * 0.12, centre.1 + radius * 0.16);
        canvas.fill(arc(shadow, 0.0, radius, notch + 0.22, notch + TAU - 0.22), &Ink::Flat(palette.ink, 0.4));
        canvas.fill(arc(centre, 0.0, radius, notch + 0.2, notch + TAU - 0.2), &Ink::Flat(shade, 1.0));
        canvas.fill(arc(centre, radius * 0.94, radius, notch + 0.2, notch + TAU - 0.2), &Ink::Flat(palette.soft, 0.6));
        for vein in 1..9 {
            let angle = notch + 0.2 + (TAU - 0.4) * vein as f32 / 9.0;
            let tip = (centre.0 + libm::cosf(angle) * radius * 0.86, centre.1 + libm::sinf(angle) * radius * 0.86);
            canvas.stroke(curve(&[centre, tip]), (radius * 0.018).max(0.5), &Ink::Flat(palette.soft, 0.55));
        }
        if dice.chance(0.3) {
            lotus(canvas, centre, radius * 0.7, palette, dice);
        }
    }
}

fn lotus(canvas: &mut Canvas, centre: Place, size: f32, palette: &Palette, dice: &mut Dice) {
    let turn = dice.between(0.0, TAU);
    let petal = palette.pale.mix(palette.accent, 0.3);
    for (ring, reach) in [1.0, 0.74, 0.48].into_iter().enumerate() {
        for index in 0..8 {
            let angle = turn + (index as f32 + ring as f32 * 0.5) / 8.0 * TAU;
            let tip = (centre.0 + libm::cosf(angle) * size * reach, centre.1 + libm::sinf(angle) * size * reach);
            let shade = petal.mix(palette.pale, ring as f32 * 0.35).scaled(if index % 2 == 0 { 1.0 } else { 0.95 });
            canvas.fill(leaf(centre, tip, size * 0.3, 0.55), &Ink::Flat(shade, 0.97));
        }
    }
    canvas.fill(disc(centre, size * 0.14), &Ink::Flat(palette.glow.mix(palette.accent, 0.3), 1.0));
}
