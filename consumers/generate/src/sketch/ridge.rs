//! Skylines over the whole width, one height per column of pixels, and the land of several of them behind each other.

use super::{canvas::Canvas, colour::Rgb};

pub(super) struct Ridge {
    crest: Vec<f32>,
    /// How much a slope stretches the soft edge, per column.
    stretch: Vec<f32>,
}

/// Land below a skyline.
pub(super) trait Land {
    fn ridge(&self) -> &Ridge;

    /// The colour of the land at a place below its skyline.
    fn colour(&self, x: f32, y: f32) -> Rgb;
}

/// The colour at a place where `lands`, farthest first, stand before `sky`. Of what is wholly hidden nothing is computed.
pub(super) fn stacked(lands: &[impl Land], sky: impl FnOnce() -> Rgb, x: f32, y: f32) -> Rgb {
    let hiding = lands.iter().rposition(|land| land.ridge().cover(x, y) >= 1.0);
    let (behind, before) = match hiding {
        Some(index) => (lands[index].colour(x, y), &lands[index + 1..]),
        None => (sky(), lands),
    };
    before.iter().fold(behind, |behind, land| match land.ridge().cover(x, y) {
        0.0 => behind,
        cover => behind.lerp(land.colour(x, y), cover),
    })
}

impl Ridge {
    /// `crest` answers where the ground begins at `x`, in pixels from the top.
    pub(super) fn new(canvas: &Canvas, crest: impl FnMut(f32) -> f32) -> Self {
        let columns = canvas.width as usize;
        let crest: Vec<f32> = (0..columns).map(|column| column as f32 + 0.5).map(crest).collect();
        let stretch = (0..columns)
            .map(|column| {
                let slope = crest[(column + 1).min(columns - 1)] - crest[column.saturating_sub(1)];
                1.0 / (1.0 + slope * slope * 0.25).sqrt()
            })
            .collect();
        Self { crest, stretch }
    }

    /// Where the ground begins.
    pub(super) fn at(&self, x: f32) -> f32 {
        self.crest[self.column(x)]
    }

    /// How much of the pixel at this place is ground, 0 to 1.
    pub(super) fn cover(&self, x: f32, y: f32) -> f32 {
        let column = self.column(x);
        ((y - self.crest[column]) * self.stretch[column] + 0.5).clamp(0.0, 1.0)
    }

    fn column(&self, x: f32) -> usize {
        (x.max(0.0) as usize).min(self.crest.len() - 1)
    }
}
