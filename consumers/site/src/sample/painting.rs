//! Pictures from a number: hills behind hills, and sprites.

/// Something that can be painted at any size.
#[derive(Debug)]
pub(super) enum Painting {
    /// Ridges, the farthest first, each `(phase, height, colour)`, below a sky and before a sun.
    Landscape { sky: [[u8; 3]; 2], sun: (f32, f32), ridges: [(f32, f32, [u8; 3]); 4] },
    /// Squares that are on or off, mirrored.
    Sprite { rows: [u16; 12], colours: [[u8; 3]; 2] },
}

impl Painting {
    /// Hills in the evening.
    pub(super) fn landscape(number: u32) -> Self {
        let hue = part(number, 1) * 360.0;
        let ridge = |depth: f32| {
            let step = part(number, 3.0 + depth) - 0.5;
            let colour = colour(hue + 200.0 + 12.0 * depth, 0.28 + 0.04 * depth, 0.62 - 0.145 * depth);
            (part(number, 11.0 + depth) * 40.0, 0.42 + 0.145 * depth + 0.06 * step, colour)
        };
        Self::Landscape {
            sky: [colour(hue + 210.0, 0.38, 0.70), colour(hue + 30.0, 0.75, 0.86)],
            sun: (0.15 + 0.7 * part(number, 5), 0.22 + 0.16 * part(number, 6)),
            ridges: [ridge(0.0), ridge(1.0), ridge(2.0), ridge(3.0)],
        }
    }

    /// A creature of twelve rows.
    pub(super) fn sprite(number: u32) -> Self {
        let hue = part(number, 1) * 360.0;
        let mut rows = [0; 12];
        for (row, bits) in (0_u32..).zip(&mut rows) {
            *bits = (0..6_u32)
                .filter(|column| part(number, 20 + row * 6 + column) < 0.55)
                .fold(0, |bits, on| bits | 1 << on);
        }
        Self::Sprite { rows, colours: [colour(hue, 0.65, 0.60), colour(hue + 190.0, 0.35, 0.16)] }
    }

    /// What it is made of mostly.
    pub(super) fn colours(&self) -> Vec<[u8; 3]> {
        match self {
            Self::Landscape { sky, ridges, .. } => vec![sky[0], sky[1], ridges[1].2, ridges[3].2],
            Self::Sprite { colours, .. } => vec![colours[1], colours[0]],
        }
    }

    /// The whole painting in so many pixels.
    pub(super) fn png(&self, width: u32, height: u32) -> Vec<u8> {
        let mut pixels = vec![0; (width * height * 3) as usize];
        let (across, down) = (float(width), float(height));
        let tops: Vec<[f32; 4]> =
            (0..width).map(|column| self.tops(float(column) / across * (across / down).max(0.6))).collect();
        for (row, line) in (0..height).zip(pixels.chunks_exact_mut(width as usize * 3)) {
            let y = (float(row) + 0.5) / down;
            for ((column, pixel), tops) in (0..width).zip(line.chunks_exact_mut(3)).zip(&tops) {
                pixel.copy_from_slice(&self.colour_at((float(column) + 0.5) / across, y, across / down, tops));
            }
        }
        encode(width, height, &pixels)
    }

    /// How far down each ridge begins.
    fn tops(&self, x: f32) -> [f32; 4] {
        let Self::Landscape { ridges, .. } = self else { return [1.0; 4] };
        ridges.map(|(phase, height, _)| {
            height
                + 0.055 * (x * 5.0 + phase).sin()
                + 0.025 * (x * 13.0 + phase * 3.0).sin()
                + 0.008 * (x * 41.0 + phase).sin()
        })
    }

    fn colour_at(&self, x: f32, y: f32, ratio: f32, tops: &[f32; 4]) -> [u8; 3] {
        match self {
            Self::Landscape { sky, sun, ridges } => {
                if let Some((_, (_, _, colour))) = tops.iter().zip(ridges).rfind(|(top, _)| y > **top) {
                    return *colour;
                }
                let (dx, dy) = ((x - sun.0) * ratio, y - sun.1);
                if dx * dx + dy * dy < 0.006 { [255, 244, 222] } else { mixed(sky[0], sky[1], (y / 0.5).min(1.0)) }
            }
            Self::Sprite { rows, colours } => {
                let (column, row) = (cell(x), cell(y));
                let column = column.min(11 - column);
                colours[usize::from(rows[row] >> column & 1 == 0)]
            }
        }
    }
}

/// Which of twelve cells.
fn cell(at: f32) -> usize {
    (0..11).find(|cell| at * 12.0 < float(cell + 1)).unwrap_or(11) as usize
}

fn mixed(from: [u8; 3], to: [u8; 3], share: f32) -> [u8; 3] {
    std::array::from_fn(|at| byte(f32::from(from[at]) + (f32::from(to[at]) - f32::from(from[at])) * share))
}

/// From 0 up to 1, the same for the same numbers.
fn part(number: u32, salt: impl Into<f64>) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "a part of one needs no more than an f32 holds")]
    let part = ((f64::from(number) * 12.9898 + salt.into() * 78.233).sin() * 43_758.545_3).rem_euclid(1.0) as f32;
    part
}

/// From hue in degrees, saturation and lightness.
fn colour(hue: f32, saturation: f32, lightness: f32) -> [u8; 3] {
    let reach = saturation * lightness.min(1.0 - lightness);
    [0.0, 8.0, 4.0].map(|offset: f32| {
        let turn = (offset + hue / 30.0).rem_euclid(12.0);
        byte((lightness - reach * (turn - 3.0).min(9.0 - turn).clamp(-1.0, 1.0)) * 255.0)
    })
}

fn byte(value: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped to what a byte holds")]
    let byte = value.round().clamp(0.0, 255.0) as u8;
    byte
}

fn float(pixels: u32) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "pictures here have fewer pixels than an f32 can count")]
    let float = pixels as f32;
    float
}

fn encode(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let mut file = vec![];
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(pixels));
    written.expect("a picture of this size fits into memory");
    file
}
