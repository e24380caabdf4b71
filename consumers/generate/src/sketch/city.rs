//! A skyline with lit windows, mirrored in a river or standing at the edge of the picture.

use super::{
    canvas::{Canvas, Ink},
    colour::Rgb,
    dice::Dice,
    noise::lerp,
    outline::{line, polygon},
    palette::Palette,
    sky::Sky,
    water,
    words::{Light, Subject},
};

/// One house front: its left edge, its top, its width, where it stands.
struct Front {
    left: f32,
    top: f32,
    width: f32,
    foot: f32,
}

pub(super) fn paint(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) {
    let Subject { palette, light, .. } = subject;
    let river = dice.chance(0.65);
    let quay = (canvas.height * if river { dice.between(0.68, 0.78) } else { 1.0 }).round();
    let mut sky = Sky::new(canvas, palette, *light, quay * 0.92, dice);
    sky.radius *= 1.5;
    sky.sun.1 = quay * dice.between(0.24, 0.46);
    canvas.shade(|x, y| sky.at(x, y));

    let layers = 5;
    for layer in 0..layers {
        let nearness = layer as f32 / (layers - 1) as f32;
        let near = if *light == Light::Day { palette.deep } else { palette.ink };
        let wall = sky.haze.mix(palette.deep, 0.2 + 0.55 * nearness).mix(near, nearness * nearness);
        let mut left = -canvas.unit * dice.between(0.0, 0.05);
        while left < canvas.width {
            let width = canvas.unit * lerp(0.034, 0.08, nearness) * dice.between(0.6, 1.45);
            let towering = if dice.chance(0.16) { 1.45 } else { 1.0 };
            let tall = quay * lerp(0.5, 0.27, nearness) * dice.between(0.5, 1.0) * towering;
            let front = Front { left, top: quay - tall, width, foot: quay };
            house(canvas, &front, wall, &sky, nearness, dice);
            windows(canvas, &front, palette, *light, nearness, dice);
            left += width + canvas.unit * if dice.chance(0.3) { dice.between(0.0, 0.03) } else { 0.0 };
        }
    }
    canvas.glow((canvas.width / 2.0, quay), canvas.width.max(canvas.unit) * 0.6, palette.glow, 0.10);
    if river {
        water::mirror(canvas, quay, palette.ink.mix(palette.deep, 0.5), dice);
    }
}

fn house(canvas: &mut Canvas, front: &Front, wall: Rgb, sky: &Sky, nearness: f32, dice: &mut Dice) {
    let Front { left, top, width, foot } = *front;
    let right = left + width;
    let middle = left + width / 2.0;
    let setback = width * dice.between(0.12, 0.25);
    let step = width * dice.between(0.3, 0.7);
    let shape = match dice.below(9) {
        0 => vec![
            (left, foot),
            (left, top + step),
            (left + setback, top + step),
            (left + setback, top),
            (right - setback, top),
            (right - setback, top + step),
            (right, top + step),
            (right, foot),
        ],
        1 => vec![(left, foot), (left, top + step * 0.6), (right, top), (right, foot)],
        2 => vec![(left, foot), (left, top), (middle, top - step), (right, top), (right, foot)],
        _ => vec![(left, foot), (left, top), (right, top), (right, foot)],
    };
    let air = wall.mix(sky.haze, lerp(0.6, 0.12, nearness));
    canvas.fill(polygon(&shape), &Ink::down(top, wall, foot, air));
    if dice.chance(0.25) {
        let mast = line(&[(middle, top), (middle, top - width * dice.between(0.5, 1.1))]);
        canvas.stroke(mast, (width * 0.035).max(0.8), &Ink::Flat(wall, 1.0));
    }
}

fn windows(canvas: &mut Canvas, front: &Front, palette: &Palette, light: Light, nearness: f32, dice: &mut Dice) {
    let columns = 3 + dice.below(4);
    let cell = front.width / (columns as f32 + 0.6);
    let storey = cell * dice.between(1.1, 1.7);
    let floors = ((front.foot - front.top) / storey - 1.2).max(0.0) as usize;
    let busy = match light {
        Light::Day => 0.16,
        Light::Dusk => 0.34,
        Light::Night => 0.46,
    } * dice.between(0.35, 1.25);
    let lamp = dice.pick([palette.glow, palette.glow, palette.soft, palette.accent, palette.second]);
    let bright = lerp(0.35, 0.95, nearness);
    for floor in 0..floors.min(90) {
        for column in 0..columns {
            if !dice.chance(busy) {
                continue;
            }
            let x = front.left + cell * (column as f32 + 0.55);
            let y = front.top + storey * (floor as f32 + 0.8);
            let (across, down) = (cell * 0.52, storey * 0.5);
            let pane = [(x, y), (x + across, y), (x + across, y + down), (x, y + down)];
            canvas.fill(polygon(&pane), &Ink::Flat(lamp, bright * dice.between(0.45, 1.0)));
        }
    }
}
