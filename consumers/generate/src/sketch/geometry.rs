//! Plain shapes in few colours: a grid of tiles, or one loose arrangement with a weighty circle.

use std::f32::consts::{FRAC_PI_2, TAU};

use super::{
    canvas::{Canvas, Ink},
    colour::Rgb,
    dice::Dice,
    outline::{Place, arc, disc, line, polygon},
    palette::Palette,
    words::Subject,
};

pub(super) fn paint(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) {
    let palette = &subject.palette;
    let paper = palette.pale;
    canvas.shade(|_, _| paper);
    if dice.chance(0.5) {
        tiles(canvas, palette, dice);
    } else {
        arrangement(canvas, palette, dice);
    }
}

fn tiles(canvas: &mut Canvas, palette: &Palette, dice: &mut Dice) {
    let colours = [palette.ink, palette.deep, palette.mid, palette.soft, palette.accent, palette.second, palette.pale];
    let across = 4 + dice.below(3);
    let margin = canvas.unit * 0.07;
    // Whole pixels, or a seam of the paper would show between two tiles.
    let side = ((canvas.unit - margin * 2.0) / across as f32).floor();
    let columns = ((canvas.width - margin * 2.0) / side + 0.01) as usize;
    let rows = ((canvas.height - margin * 2.0) / side + 0.01) as usize;
    let left = ((canvas.width - columns as f32 * side) / 2.0).floor();
    let top = ((canvas.height - rows as f32 * side) / 2.0).floor();
    for row in 0..rows {
        for column in 0..columns {
            let corner = (left + column as f32 * side, top + row as f32 * side);
            let ground = dice.below(colours.len());
            let figure = (ground + 1 + dice.below(colours.len() - 1)) % colours.len();
            let third = (figure + 1 + dice.below(colours.len() - 1)) % colours.len();
            tile(canvas, corner, side, [colours[ground], colours[figure], colours[third]], dice);
        }
    }
}

fn tile(canvas: &mut Canvas, corner: Place, side: f32, [ground, figure, third]: [Rgb; 3], dice: &mut Dice) {
    let at = |across: f32, down: f32| (corner.0 + across * side, corner.1 + down * side);
    let square = polygon(&[at(0.0, 0.0), at(1.0, 0.0), at(1.0, 1.0), at(0.0, 1.0)]);
    canvas.fill(square, &Ink::Flat(ground, 1.0));
    let (ink, other) = (Ink::Flat(figure, 1.0), Ink::Flat(third, 1.0));
    let turn = dice.below(4);
    let start = turn as f32 * FRAC_PI_2;
    let hinge = [at(0.0, 0.0), at(1.0, 0.0), at(1.0, 1.0), at(0.0, 1.0)][turn];
    match dice.below(8) {
        0 => canvas.fill(arc(hinge, 0.0, side, start, start + FRAC_PI_2), &ink),
        1 => {
            for (outer, ink) in [(1.0, &ink), (0.66, &Ink::Flat(ground, 1.0)), (0.33, &other)] {
                canvas.fill(arc(hinge, 0.0, side * outer, start, start + FRAC_PI_2), ink);
            }
        }
        2 => {
            let edge = [at(0.5, 0.0), at(1.0, 0.5), at(0.5, 1.0), at(0.0, 0.5)][turn];
            canvas.fill(arc(edge, 0.0, side * 0.5, start, start + FRAC_PI_2 * 2.0), &ink);
        }
        3 => {
            canvas.fill(disc(at(0.5, 0.5), side * 0.38), &ink);
            canvas.fill(disc(at(0.5, 0.5), side * 0.15), &other);
        }
        4 => {
            let corners = [at(0.0, 0.0), at(1.0, 0.0), at(1.0, 1.0), at(0.0, 1.0)];
            canvas.fill(polygon(&[corners[turn], corners[(turn + 1) % 4], corners[(turn + 2) % 4]]), &ink);
        }
        5 => {
            for stripe in 0..4 {
                let (from, to) = (stripe as f32 / 4.0 + 0.0625, stripe as f32 / 4.0 + 0.1875);
                let bar = match turn {
                    0 | 2 => [at(from, 0.0), at(to, 0.0), at(to, 1.0), at(from, 1.0)],
                    _ => [at(0.0, from), at(1.0, from), at(1.0, to), at(0.0, to)],
                };
                canvas.fill(polygon(&bar), &ink);
            }
        }
        6 => {
            for spot in 0..9 {
                let place = at(0.2 + 0.3 * (spot % 3) as f32, 0.2 + 0.3 * (spot / 3) as f32);
                canvas.fill(disc(place, side * 0.075), &ink);
            }
        }
        _ => {
            let across = [at(0.0, 0.0), at(1.0, 0.0), at(1.0, 1.0), at(0.0, 1.0)][(turn + 2) % 4];
            canvas.fill(arc(hinge, 0.0, side * 0.5, start, start + FRAC_PI_2), &ink);
            let back = start + FRAC_PI_2 * 2.0;
            canvas.fill(arc(across, 0.0, side * 0.5, back, back + FRAC_PI_2), &other);
        }
    }
}

fn arrangement(canvas: &mut Canvas, palette: &Palette, dice: &mut Dice) {
    let (width, height, unit) = (canvas.width, canvas.height, canvas.unit);
    let bold = [palette.accent, palette.second, palette.mid, palette.soft, palette.deep];
    let sun = (width * dice.between(0.32, 0.68), height * dice.between(0.3, 0.55));
    let radius = unit * dice.between(0.2, 0.29);
    let slant = dice.between(0.25, 0.75) * dice.side();
    let along = |from: Place, reach: f32| {
        let length = (1.0 + slant * slant).sqrt();
        (from.0 + reach / length, from.1 - reach * slant / length)
    };
    for _ in 0..2 + dice.below(2) {
        let start = (dice.around(0.25) * width + width * 0.3, dice.between(0.2, 0.9) * height);
        let end = along(start, unit * dice.between(0.5, 1.0));
        let thick = unit * dice.between(0.03, 0.11);
        let band =
            polygon(&[start, end, (end.0 + thick * slant, end.1 + thick), (start.0 + thick * slant, start.1 + thick)]);
        canvas.fill(band, &Ink::Flat(bold[dice.below(5)], 1.0));
    }
    canvas.fill(disc(sun, radius), &Ink::Flat(palette.accent, 1.0));
    let turn = dice.below(4) as f32 * FRAC_PI_2;
    canvas.stain(arc(sun, 0.0, radius, turn, turn + FRAC_PI_2 * 2.0), &Ink::Flat(palette.soft, 0.8));
    let beside = (sun.0 + dice.side() * radius * 1.1, sun.1 + radius * dice.between(0.4, 1.1));
    canvas.stain(disc(beside, radius * dice.between(0.45, 0.75)), &Ink::Flat(palette.second, 0.9));
    for ring in 0..3 {
        let reach = radius * (1.25 + ring as f32 * 0.16);
        let start = dice.between(0.0, 6.0);
        let sweep = dice.between(1.0, 3.6);
        canvas.fill(arc(sun, reach, reach + unit * 0.008, start, start + sweep), &Ink::Flat(palette.ink, 1.0));
    }
    for _ in 0..3 {
        let from = (width * dice.between(0.05, 0.5), height * dice.between(0.3, 0.95));
        canvas.stroke(
            line(&[from, along(from, unit * dice.between(0.4, 0.8))]),
            unit * dice.between(0.003, 0.01),
            &Ink::Flat(palette.ink, 1.0),
        );
    }
    for _ in 0..5 + dice.below(5) {
        let place = (width * dice.between(0.1, 0.9), height * dice.between(0.1, 0.9));
        let size = unit * dice.between(0.012, 0.05);
        let colour = Ink::Flat(bold[dice.below(5)], 1.0);
        match dice.below(3) {
            0 => canvas.fill(disc(place, size), &colour),
            1 => canvas
                .fill(polygon(&[place, along(place, size * 2.4), (place.0 + size, place.1 + size * 1.6)]), &colour),
            _ => canvas.fill(arc(place, size * 0.72, size * 1.1, 0.0, TAU), &colour),
        }
    }
    checks(canvas, palette.ink, dice);
}

/// A small chequered patch that gives the eye a scale.
fn checks(canvas: &mut Canvas, ink: Rgb, dice: &mut Dice) {
    let cell = canvas.unit * 0.024;
    let left = canvas.width * dice.between(0.1, 0.72);
    let top = canvas.height * dice.between(0.1, 0.8);
    for row in 0..4 {
        for column in 0..6 {
            if (row + column) % 2 == 0 {
                let (x, y) = (left + column as f32 * cell, top + row as f32 * cell);
                let square = [(x, y), (x + cell, y), (x + cell, y + cell), (x, y + cell)];
                canvas.fill(polygon(&square), &Ink::Flat(ink, 1.0));
            }
        }
    }
}
