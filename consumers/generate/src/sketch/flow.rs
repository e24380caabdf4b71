//! Strokes of ink that follow a field of currents and keep their distance from each other.

use std::f32::consts::TAU;

use super::{
    canvas::{Canvas, Ink},
    colour::Rgb,
    dice::Dice,
    noise::{Noise, lerp, smooth},
    outline::{Place, polygon},
    palette::Palette,
    words::Subject,
};

struct Current {
    field: Noise,
    pace: f32,
    turns: f32,
    heading: f32,
    vortex: Place,
    whirl: f32,
    unit: f32,
}

/// Which cells of the paper hold ink: strokes end before they touch another.
struct Taken {
    cells: Vec<bool>,
    columns: usize,
    rows: usize,
    cell: f32,
}

pub(super) fn paint(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) {
    let palette = &subject.palette;
    let dark = dice.chance(0.45);
    let paper = if dark { palette.ink.mix(Rgb::BLACK, 0.2) } else { palette.pale.mix(Rgb::WHITE, 0.35) };
    let wash = if dark { palette.deep } else { palette.soft };
    let blot = Noise::new(dice.salt());
    let unit = canvas.unit;
    canvas.shade(|x, y| paper.lerp(wash, smooth(-0.1, 0.8, blot.layered(x / unit * 1.5, y / unit * 1.5, 3)) * 0.3));

    let current = Current::new(canvas, dice);
    let inks = inks(palette, dark);
    let mut taken = Taken::new(canvas);
    let region = Noise::new(dice.salt());
    let tries = (canvas.width * canvas.height / (unit * unit) * 5200.0) as usize;
    for attempt in 0..tries {
        let fresh = 1.0 - attempt as f32 / tries as f32;
        let start = (dice.unit() * canvas.width, dice.unit() * canvas.height);
        let width = unit * lerp(0.0022, 0.013, fresh * fresh * fresh) * dice.between(0.7, 1.3);
        let Some(points) = trace(&current, &mut taken, start, width, dice.between(0.12, 0.5) * unit) else {
            continue;
        };
        let zone = region.layered(start.0 / unit * 1.3, start.1 / unit * 1.3, 2) * 0.5 + 0.5 + dice.around(0.16);
        let index = (zone.clamp(0.0, 0.999) * inks.len() as f32) as usize;
        canvas.fill(ribbon(&points, width), &Ink::Flat(inks[index], 0.94));
    }
}

fn inks(palette: &Palette, dark: bool) -> [Rgb; 6] {
    if dark {
        [palette.second, palette.mid, palette.soft, palette.glow, palette.accent, palette.pale]
    } else {
        [palette.ink, palette.deep, palette.mid, palette.accent, palette.second, palette.deep]
    }
}

/// Follows the current until it leaves the picture, meets ink or is long enough; `None` where there is no room.
fn trace(current: &Current, taken: &mut Taken, start: Place, width: f32, longest: f32) -> Option<Vec<Place>> {
    let step = (current.unit * 0.004).max(0.8);
    let gap = width * 0.75 + current.unit * 0.0018;
    let mut points = vec![start];
    let mut place = start;
    while points.len() as f32 * step < longest && taken.free(place, gap) {
        let (across, down) = current.at(place);
        place = (place.0 + across * step, place.1 + down * step);
        points.push(place);
    }
    if (points.len() as f32) * step < current.unit * 0.028 {
        return None;
    }
    for point in &points {
        taken.take(*point, width * 0.5);
    }
    Some(points)
}

/// A stroke that swells and tapers.
fn ribbon(points: &[Place], width: f32) -> Option<tiny_skia::Path> {
    let last = points.len() - 1;
    let edge = |index: usize, side: f32| {
        let (before, after) = (points[index.saturating_sub(1)], points[(index + 1).min(last)]);
        let (dx, dy) = (after.0 - before.0, after.1 - before.1);
        let length = (dx * dx + dy * dy).sqrt().max(1e-3);
        let share = index as f32 / last as f32;
        let half = width * 0.5 * (4.0 * share * (1.0 - share)).max(0.0).sqrt() * side;
        (points[index].0 - dy / length * half, points[index].1 + dx / length * half)
    };
    let mut corners: Vec<Place> = (0..=last).map(|index| edge(index, 1.0)).collect();
    corners.extend((0..=last).rev().map(|index| edge(index, -1.0)));
    polygon(&corners)
}

impl Current {
    fn new(canvas: &Canvas, dice: &mut Dice) -> Self {
        Self {
            field: Noise::new(dice.salt()),
            pace: dice.between(0.7, 1.7) / canvas.unit,
            turns: dice.between(1.6, 3.4),
            heading: dice.between(0.0, TAU),
            vortex: (canvas.width * dice.between(0.2, 0.8), canvas.height * dice.between(0.2, 0.8)),
            whirl: if dice.chance(0.5) { dice.side() * dice.between(0.6, 1.5) } else { 0.0 },
            unit: canvas.unit,
        }
    }

    /// The direction at a place, of length 1.
    fn at(&self, (x, y): Place) -> Place {
        let angle = self.heading + self.field.layered(x * self.pace, y * self.pace, 2) * self.turns;
        let (off_x, off_y) = ((x - self.vortex.0) / self.unit, (y - self.vortex.1) / self.unit);
        let distance = (off_x * off_x + off_y * off_y).sqrt().max(1e-3);
        let pull = self.whirl * smooth(0.6, 0.0, distance) * 2.0;
        let across = libm::cosf(angle) - off_y / distance * pull;
        let down = libm::sinf(angle) + off_x / distance * pull;
        let length = (across * across + down * down).sqrt().max(1e-3);
        (across / length, down / length)
    }
}

impl Taken {
    fn new(canvas: &Canvas) -> Self {
        let cell = (canvas.unit * 0.0022).max(1.0);
        let (columns, rows) = ((canvas.width / cell) as usize + 1, (canvas.height / cell) as usize + 1);
        Self { cells: vec![false; columns * rows], columns, rows, cell }
    }

    /// Whether the place lies on the paper and nothing within `gap` around it is taken.
    fn free(&self, place: Place, gap: f32) -> bool {
        const AROUND: [Place; 9] = [
            (0.0, 0.0),
            (1.0, 0.0),
            (-1.0, 0.0),
            (0.0, 1.0),
            (0.0, -1.0),
            (0.7, 0.7),
            (-0.7, 0.7),
            (0.7, -0.7),
            (-0.7, -0.7),
        ];
        self.index(place).is_some()
            && AROUND.iter().all(|(across, down)| {
                self.index((place.0 + across * gap, place.1 + down * gap)).is_none_or(|index| !self.cells[index])
            })
    }

    fn take(&mut self, (x, y): Place, reach: f32) {
        let steps = (reach / self.cell).ceil() as i32;
        for down in -steps..=steps {
            for across in -steps..=steps {
                if let Some(index) = self.index((x + across as f32 * self.cell, y + down as f32 * self.cell)) {
                    self.cells[index] = true;
                }
            }
        }
    }

    fn index(&self, (x, y): Place) -> Option<usize> {
        if x < 0.0 || y < 0.0 {
            return None;
        }
        let (column, row) = ((x / self.cell) as usize, (y / self.cell) as usize);
        (column < self.columns && row < self.rows).then_some(row * self.columns + column)
    }
}
