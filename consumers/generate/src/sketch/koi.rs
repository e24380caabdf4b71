//! A koi seen from above: a body around a bent spine, fins, and patches that follow it.

use super::{
    canvas::{Canvas, Ink},
    colour::Rgb,
    dice::Dice,
    outline::{Place, blob, curve, disc, leaf},
    palette::Palette,
};

pub(super) struct Koi {
    home: Place,
    heading: f32,
    bend: f32,
    length: f32,
}

/// Half the width of the body along it, both as shares of its length.
const GIRTH: [Place; 7] =
    [(0.0, 0.03), (0.06, 0.075), (0.18, 0.11), (0.34, 0.115), (0.55, 0.082), (0.75, 0.042), (0.92, 0.02)];

/// The outline of a patch: along the body, and out to its sides.
const PATCH: [Place; 6] = [(-0.09, 0.0), (-0.05, 1.0), (0.05, 0.9), (0.1, 0.1), (0.05, -1.0), (-0.05, -0.8)];

impl Koi {
    /// `heading` is in radians, `home` where the nose is.
    pub(super) fn new(canvas: &Canvas, home: Place, heading: f32, dice: &mut Dice) -> Self {
        Self { home, heading, bend: dice.around(0.9), length: canvas.unit * dice.between(0.15, 0.23) }
    }

    pub(super) fn paint(&self, canvas: &mut Canvas, palette: &Palette, dice: &mut Dice) {
        let mut body: Vec<Place> = GIRTH.iter().map(|(share, out)| self.beside(*share, *out)).collect();
        body.extend(GIRTH.iter().rev().map(|(share, out)| self.beside(*share, -out)));
        let drop = canvas.unit * 0.016;
        let shadow: Vec<Place> = body.iter().map(|(x, y)| (x + drop, y + drop * 1.3)).collect();
        canvas.fill(blob(&shadow), &Ink::Flat(palette.ink, 0.35));
        let (base, patch) = dice.pick([
            (palette.pale, palette.accent),
            (palette.accent, palette.pale),
            (palette.pale, palette.ink),
            (palette.glow, palette.accent),
        ]);
        self.fins(canvas, base, patch);
        canvas.fill(blob(&body), &Ink::Flat(base, 0.97));
        self.patches(canvas, patch, dice);
        let back = [0.28, 0.4, 0.55].map(|share| self.spine(share));
        canvas.stroke(curve(&back), self.length * 0.025, &Ink::Flat(Rgb::WHITE, 0.3));
        for side in [-1.0, 1.0] {
            canvas.fill(disc(self.beside(0.07, side * 0.05), self.length * 0.014), &Ink::Flat(palette.ink, 0.9));
        }
    }

    fn fins(&self, canvas: &mut Canvas, base: Rgb, patch: Rgb) {
        for side in [-1.0, 1.0] {
            let fin = leaf(self.beside(0.24, side * 0.08), self.beside(0.44, side * 0.26), self.length * 0.09, 0.6);
            canvas.fill(fin, &Ink::Flat(base, 0.55));
            let small = leaf(self.beside(0.58, side * 0.06), self.beside(0.7, side * 0.16), self.length * 0.05, 0.6);
            canvas.fill(small, &Ink::Flat(base, 0.5));
            let tail = leaf(self.spine(0.88), self.beside(1.24, side * 0.13), self.length * 0.075, 0.55);
            canvas.fill(tail, &Ink::Flat(base.lerp(patch, 0.25), 0.65));
        }
    }

    fn patches(&self, canvas: &mut Canvas, colour: Rgb, dice: &mut Dice) {
        for _ in 0..3 + dice.below(3) {
            let share = dice.between(0.08, 0.72);
            let reach = 0.1 * (1.0 - share * 0.8) * dice.between(0.3, 0.75);
            let lean = dice.around(0.05) * (1.0 - share);
            let edge =
                PATCH.map(|(along, out)| self.beside(share + along * dice.between(0.7, 1.2), lean + out * reach));
            canvas.fill(blob(&edge), &Ink::Flat(colour, 0.92));
        }
    }

    /// A place on the spine, 0 at the nose and 1 at the root of the tail.
    fn spine(&self, share: f32) -> Place {
        let angle = self.heading + self.bend * (share - 0.3);
        let back = -share * self.length;
        (self.home.0 + libm::cosf(angle) * back, self.home.1 + libm::sinf(angle) * back)
    }

    /// A place beside the spine, `out` as a share of the length.
    fn beside(&self, share: f32, out: f32) -> Place {
        let (ahead, behind) = (self.spine(share - 0.03), self.spine(share + 0.03));
        let (dx, dy) = (ahead.0 - behind.0, ahead.1 - behind.1);
        let long = (dx * dx + dy * dy).sqrt().max(1e-3);
        let place = self.spine(share);
        (place.0 - dy / long * out * self.length, place.1 + dx / long * out * self.length)
    }
}
