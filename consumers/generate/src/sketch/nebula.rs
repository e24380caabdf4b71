//! Deep space: clouds of gas folded into each other, stars of three sizes, sometimes a planet.

use super::{
    canvas::{Canvas, Ink},
    colour::{Ramp, Rgb},
    dice::Dice,
    noise::{Noise, smooth},
    outline::{Place, line},
    palette::Palette,
    words::Subject,
};

pub(super) fn paint(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) {
    let palette = &subject.palette;
    let night = palette.ink.mix(Rgb::BLACK, 0.55);
    let warm = palette.soft.mix(palette.accent, 0.4);
    let gas = Ramp::new(&[
        (0.0, night),
        (0.3, palette.ink),
        (0.5, palette.deep),
        (0.68, palette.mid),
        (0.85, warm),
        (1.0, palette.glow),
    ]);
    let [folds, body, dust, tint] = [(); 4].map(|()| Noise::new(dice.salt()));
    let (unit, scale) = (canvas.unit, dice.between(1.3, 2.2));
    let heart = (canvas.width * dice.between(0.3, 0.7), canvas.height * dice.between(0.3, 0.7));
    let slant = dice.around(1.2);
    canvas.shade(|x, y| {
        let (across, down) = (x / unit * scale, y / unit * scale);
        let (fold_x, fold_y) = (folds.layered(across, down, 2), folds.layered(across + 31.0, down + 17.0, 2));
        let (bent_x, bent_y) = (across + fold_x * 1.5, down + fold_y * 1.5);
        let (off_x, off_y) = ((x - heart.0) / unit, (y - heart.1) / unit);
        let band = (off_y - off_x * slant) / (1.0 + slant * slant).sqrt();
        let core = 0.42 / (1.0 + band * band * 14.0) + 0.22 / (1.0 + (off_x * off_x + off_y * off_y) * 9.0);
        let density = core + body.layered(bent_x, bent_y, 4) * 0.52 + 0.06;
        let lane = smooth(0.62, 0.95, dust.ridged(bent_x * 0.9, bent_y * 0.9, 3)) * 0.4;
        let other = smooth(-0.1, 0.6, tint.at(bent_x * 0.7, bent_y * 0.7));
        let colour = gas.at(density - lane * smooth(0.2, 0.7, density));
        colour.lerp(palette.second, other * 0.4 * smooth(0.25, 0.6, density) * smooth(1.0, 0.6, density))
    });
    stars(canvas, palette, dice);
    if dice.chance(0.5) {
        planet(canvas, palette, night, dice);
    }
}

fn stars(canvas: &mut Canvas, palette: &Palette, dice: &mut Dice) {
    let unit = canvas.unit;
    let crowd = canvas.width / unit * canvas.height / unit;
    for _ in 0..(crowd * 900.0) as usize {
        let place = (dice.unit() * canvas.width, dice.unit() * canvas.height);
        let size = (unit * dice.between(0.0006, 0.0019)).max(0.5) * 2.0;
        canvas.glow(place, size, palette.glow.lerp(Rgb::WHITE, 0.6), dice.between(0.15, 0.9));
    }
    for _ in 0..(crowd * 26.0) as usize {
        let place = (dice.unit() * canvas.width, dice.unit() * canvas.height);
        let tint = dice.pick([palette.glow, palette.soft, Rgb::WHITE]);
        canvas.glow(place, unit * dice.between(0.008, 0.02), tint, 0.5);
        canvas.glow(place, (unit * 0.0035).max(1.0), Rgb::WHITE, 1.0);
    }
    for _ in 0..=(crowd * 4.0) as usize {
        let place = (dice.unit() * canvas.width, dice.unit() * canvas.height);
        flare(canvas, place, unit * dice.between(0.02, 0.045), palette.glow);
    }
}

fn flare(canvas: &mut Canvas, (x, y): Place, reach: f32, light: Rgb) {
    canvas.glow((x, y), reach * 1.3, light, 0.55);
    for (length, alpha) in [(1.0, 0.35), (0.55, 0.7)] {
        let arm = reach * length;
        let ink = Ink::Flat(light.lerp(Rgb::WHITE, 0.5), alpha);
        canvas.stroke(line(&[(x - arm, y), (x + arm, y)]), (reach * 0.03).max(0.5), &ink);
        canvas.stroke(line(&[(x, y - arm), (x, y + arm)]), (reach * 0.03).max(0.5), &ink);
    }
    canvas.glow((x, y), reach * 0.28, Rgb::WHITE, 1.0);
}

fn planet(canvas: &mut Canvas, palette: &Palette, night: Rgb, dice: &mut Dice) {
    let radius = canvas.unit * dice.between(0.09, 0.21);
    let centre = (canvas.width * dice.between(0.2, 0.8), canvas.height * dice.between(0.25, 0.75));
    let (sun_x, sun_y) = (dice.side() * 0.72, -0.55);
    let bands = Noise::new(dice.salt());
    let surface = Ramp::new(&[(0.0, palette.deep), (0.45, palette.mid), (0.75, palette.soft), (1.0, palette.pale)]);
    let ringed = dice.chance(0.5);
    let tilt = dice.around(0.5);
    canvas.glow(centre, radius * 1.9, palette.mid.lerp(palette.glow, 0.4), 0.35);
    canvas.retouch(|x, y, there| {
        let (across, down) = ((x - centre.0) / radius, (y - centre.1) / radius);
        let square = across * across + down * down;
        let (flat_x, flat_y) = (across, (down - across * tilt) * 4.2);
        let ring_distance = (flat_x * flat_x + flat_y * flat_y).sqrt();
        let grain = bands.at(ring_distance * 14.0, 5.0);
        let ring = smooth(1.3, 1.34, ring_distance) * smooth(2.05, 1.98, ring_distance) * (0.55 + 0.4 * grain);
        let mut colour = there;
        if square < 1.1 {
            let bulge = (1.0 - square).max(0.0).sqrt();
            let stripe = bands.layered(
                across * 0.8,
                (down - across * tilt) * 4.0 + bands.at(across * 3.0, down * 5.0) * 0.35,
                3,
            );
            let shine = across * sun_x + down * sun_y + bulge * 0.45;
            let lit = surface.at(0.55 + stripe * 0.6).lerp(night, smooth(0.55, -0.3, shine));
            let rim = smooth(0.55, 0.0, bulge) * smooth(-0.1, 0.6, shine) * 0.4;
            let edge = smooth(1.0, -1.0, (square.sqrt() - 1.0) * radius);
            colour = colour.lerp(lit.lit(palette.glow, rim), edge);
        }
        if ringed && (square >= 1.0 || flat_y > 0.0) {
            let shadow = if square < 1.0 { 1.0 } else { smooth(-1.4, 0.2, across * sun_x + 0.6) };
            colour =
                colour.lerp(palette.soft.lerp(palette.glow, 0.4).scaled(shadow.max(0.2)), ring.clamp(0.0, 1.0) * 0.8);
        }
        colour
    });
}
