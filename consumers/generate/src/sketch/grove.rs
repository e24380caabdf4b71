//! Trunks in the mist under bright leaves, some of them fallen.

use super::{
    canvas::{Canvas, Ink},
    colour::Rgb,
    dice::Dice,
    noise::lerp,
    outline::{leaf, line, polygon},
    palette::Palette,
    sky::Sky,
    words::Subject,
};

const LAYERS: usize = 5;

pub(super) fn paint(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) {
    let palette = &subject.palette;
    let sky = Sky::new(canvas, palette, subject.light, canvas.height * 0.8, dice);
    canvas.shade(|x, y| sky.at(x, y));
    let floor = canvas.height * dice.between(0.8, 0.88);
    for layer in 0..LAYERS {
        stand(canvas, &sky, palette, (layer, floor), dice);
    }
    fallen(canvas, palette, floor, dice);
    sky.beams(canvas, dice);
}

/// The trees of one distance, the ground they stand on and their leaves.
fn stand(canvas: &mut Canvas, sky: &Sky, palette: &Palette, (layer, floor): (usize, f32), dice: &mut Dice) {
    let nearness = layer as f32 / (LAYERS - 1) as f32;
    let ground = lerp(canvas.height * 0.7, floor + canvas.height * 0.08, nearness);
    let earth = sky.haze.mix(palette.deep, lerp(0.3, 1.0, nearness));
    let soil = [
        (0.0, ground),
        (canvas.width, ground - canvas.unit * 0.01),
        (canvas.width, canvas.height),
        (0.0, canvas.height),
    ];
    canvas.fill(
        polygon(&soil),
        &Ink::down(ground - canvas.unit * 0.02, sky.haze.mix(earth, 0.35), ground + canvas.unit * 0.16, earth),
    );
    let bark = sky.haze.mix(if layer % 2 == 0 { palette.ink } else { palette.deep }, lerp(0.25, 0.95, nearness));
    let count = (canvas.width / canvas.unit * lerp(17.0, 4.0, nearness)).max(2.0) as usize;
    for slot in 0..count {
        let x = canvas.width * (slot as f32 + dice.between(0.0, 1.0)) / count as f32;
        trunk(canvas, (x, ground + canvas.unit * 0.02), lerp(0.006, 0.034, nearness), bark, dice);
    }
    let clouds = (canvas.width / canvas.unit * lerp(11.0, 9.0, nearness)) as usize;
    for cloud in 0..clouds {
        let x = canvas.width * (cloud as f32 + dice.unit()) / clouds as f32;
        let y = canvas.height * dice.between(-0.04, lerp(0.4, 0.2, nearness));
        let tint = dice.pick([palette.soft, palette.mid, palette.accent, palette.glow, palette.soft]);
        leaves(canvas, (x, y), lerp(0.006, 0.017, nearness), sky.haze.mix(tint, lerp(0.45, 0.95, nearness)), dice);
    }
}

fn fallen(canvas: &mut Canvas, palette: &Palette, floor: f32, dice: &mut Dice) {
    for _ in 0..(canvas.width / canvas.unit * 130.0) as usize {
        let place = (dice.unit() * canvas.width, lerp(floor, canvas.height, dice.unit()));
        let size = canvas.unit * dice.between(0.004, 0.01);
        let tint = dice.pick([palette.soft, palette.accent, palette.glow, palette.mid]);
        let tip = (place.0 + size * 2.0, place.1 + dice.around(1.0) * size);
        canvas.fill(leaf(place, tip, size * 0.6, 0.5), &Ink::Flat(tint, 0.85));
    }
}

fn trunk(canvas: &mut Canvas, foot: (f32, f32), girth: f32, bark: Rgb, dice: &mut Dice) {
    let half = canvas.unit * girth * dice.between(0.6, 1.2) / 2.0;
    let top = foot.0 + dice.around(0.1) * canvas.unit;
    let corners = [
        (foot.0 - half * 1.35, foot.1),
        (foot.0 - half, foot.1 - half * 4.0),
        (top - half * 0.6, -2.0),
        (top + half * 0.6, -2.0),
        (foot.0 + half, foot.1 - half * 4.0),
        (foot.0 + half * 1.35, foot.1),
    ];
    let (left, right) = ((foot.0 - half, foot.1, bark.lit(Rgb::WHITE, 0.16), 1.0), (foot.0 + half, foot.1, bark, 1.0));
    canvas.fill(polygon(&corners), &Ink::Fade([left, right]));
    for _ in 0..4 {
        let up = dice.between(0.3, 0.95);
        let (x, y) = (lerp(foot.0, top, up), foot.1 * (1.0 - up));
        let side = dice.side();
        let reach = canvas.unit * dice.between(0.05, 0.13);
        let branch = [(x, y), (x + side * reach * 0.5, y - reach * 0.35), (x + side * reach, y - reach * 0.9)];
        canvas.stroke(line(&branch), half * 0.35, &Ink::Flat(bark, 1.0));
    }
}

fn leaves(canvas: &mut Canvas, centre: (f32, f32), size: f32, tint: Rgb, dice: &mut Dice) {
    let spread = canvas.unit * dice.between(0.06, 0.16);
    for _ in 0..70 {
        let place = (centre.0 + dice.around(1.6) * spread, centre.1 + dice.around(0.9) * spread);
        let length = canvas.unit * size * dice.between(0.6, 1.3);
        let tip = (place.0 + dice.around(1.0) * length * 1.4, place.1 + length);
        let shade = tint.scaled(dice.between(0.82, 1.12));
        canvas.fill(leaf(place, tip, length * 0.6, 0.45), &Ink::Flat(shade, 0.8));
    }
}
