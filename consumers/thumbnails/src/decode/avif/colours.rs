//! Brightness and two differences of colour to red, green and blue of eight bits.

use re_rav1d::dav1d::{Picture, PixelLayout, PlanarImageComponent, Plane};

use crate::buffers::{self, Buffer};
use crate::gate::Coding;
use crate::refused::Refused;

/// The colours of a picture, three bytes a pixel.
pub(super) fn rgb(picture: &Picture, coding: Coding) -> Result<Buffer, Refused> {
    let layout = picture.pixel_layout();
    if layout == PixelLayout::I400 {
        let grey = brightness(picture, coding.full_range)?;
        let mut pixels = buffers::take(grey.len() * 3);
        for (pixel, grey) in pixels.chunks_exact_mut(3).zip(grey) {
            pixel.fill(grey);
        }
        return Ok(pixels);
    }
    let matrix = Matrix::of(coding.matrix, layout)?;
    let scale = Scale::of(picture, coding.full_range)?;
    let (halved_across, halved_down) = match layout {
        PixelLayout::I420 => (true, true),
        PixelLayout::I422 => (true, false),
        _ => (false, false),
    };
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let bright = Samples::of(picture, PlanarImageComponent::Y);
    let across = if halved_across { width.div_ceil(2) } else { width };
    let planes = [PlanarImageComponent::U, PlanarImageComponent::V].map(|of| Samples::of(picture, of));
    let (mut row, mut mixed) = (vec![0.0; width], [vec![0.0; across], vec![0.0; across]]);
    let mut pixels = buffers::take(width * height * 3);
    for (y, line) in pixels.chunks_exact_mut(width * 3).enumerate() {
        bright.read(y, &mut row);
        for (plane, mixed) in planes.iter().zip(&mut mixed) {
            if halved_down {
                plane.read_between(y, height.div_ceil(2), mixed);
            } else {
                plane.read(y, mixed);
            }
        }
        for (x, pixel) in line.chunks_exact_mut(3).enumerate() {
            let [blue, red] =
                [0, 1].map(|plane| if halved_across { between(&mixed[plane], x) } else { mixed[plane][x] });
            pixel.copy_from_slice(&matrix.rgb(&scale, row[x], blue, red));
        }
    }
    Ok(pixels)
}

/// The brightness alone, a byte a pixel.
pub(super) fn brightness(picture: &Picture, full_range: bool) -> Result<Vec<u8>, Refused> {
    let scale = Scale::of(picture, full_range)?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let bright = Samples::of(picture, PlanarImageComponent::Y);
    let mut row = vec![0.0; width];
    let mut pixels = vec![0; width * height];
    for (y, line) in pixels.chunks_exact_mut(width).enumerate() {
        bright.read(y, &mut row);
        for (pixel, value) in line.iter_mut().zip(&row) {
            *pixel = byte(scale.bright(*value));
        }
    }
    Ok(pixels)
}

/// One plane of a picture.
struct Samples {
    plane: Plane,
    /// Bytes from one row to the next.
    stride: usize,
    /// Each of two bytes.
    wide: bool,
}

impl Samples {
    fn of(picture: &Picture, component: PlanarImageComponent) -> Self {
        let plane = picture.plane(component);
        Self { plane, stride: picture.stride(component) as usize, wide: picture.bit_depth() > 8 }
    }

    fn read(&self, y: usize, row: &mut [f32]) {
        let line = &self.plane[y * self.stride..];
        if self.wide {
            for (value, sample) in row.iter_mut().zip(line.chunks_exact(2)) {
                *value = f32::from(u16::from_ne_bytes([sample[0], sample[1]]));
            }
        } else {
            for (value, sample) in row.iter_mut().zip(line) {
                *value = f32::from(*sample);
            }
        }
    }

    /// A row of the picture from the two nearest of a plane with half as many, of which each lies between two of the picture's.
    fn read_between(&self, y: usize, rows: usize, row: &mut [f32]) {
        let near = y / 2;
        let far = if y % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(rows - 1) };
        let mut other = vec![0.0; row.len()];
        self.read(near, row);
        self.read(far, &mut other);
        for (near, far) in row.iter_mut().zip(other) {
            *near = 0.75 * *near + 0.25 * far;
        }
    }
}

/// The same across a row.
fn between(row: &[f32], x: usize) -> f32 {
    let near = x / 2;
    let far = if x % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(row.len() - 1) };
    0.75 * row[near] + 0.25 * row[far]
}

/// From stored numbers to 0..=1 of brightness, and to -0.5..=0.5 of a difference.
struct Scale {
    black: f32,
    bright: f32,
    none: f32,
    difference: f32,
}

impl Scale {
    fn of(picture: &Picture, full_range: bool) -> Result<Self, Refused> {
        let most: u16 = match picture.bit_depth() {
            8 => 255,
            10 => 1023,
            12 => 4095,
            bits => return Err(Refused::Unsupported(format!("an AVIF of {bits} bits per sample"))),
        };
        let (most, step) = (f32::from(most), f32::from((most + 1) / 256));
        Ok(if full_range {
            Self { black: 0.0, bright: most, none: 128.0 * step, difference: most }
        } else {
            Self { black: 16.0 * step, bright: 219.0 * step, none: 128.0 * step, difference: 224.0 * step }
        })
    }

    fn bright(&self, value: f32) -> f32 {
        (value - self.black) / self.bright
    }

    fn difference(&self, value: f32) -> f32 {
        (value - self.none) / self.difference
    }
}

/// How the three planes make a colour.
enum Matrix {
    /// They are green, blue and red themselves.
    Identity,
    /// By the shares of red and of blue in the brightness.
    Shares { red: f32, blue: f32 },
}

impl Matrix {
    /// By the code point of H.273; a picture that says nothing is taken for what JPEG has.
    fn of(code: u8, layout: PixelLayout) -> Result<Self, Refused> {
        match code {
            0 if layout == PixelLayout::I444 => Ok(Self::Identity),
            1 => Ok(Self::Shares { red: 0.2126, blue: 0.0722 }),
            2 | 5 | 6 => Ok(Self::Shares { red: 0.299, blue: 0.114 }),
            9 => Ok(Self::Shares { red: 0.2627, blue: 0.0593 }),
            other => Err(Refused::Unsupported(format!("an AVIF whose colours are stored by the matrix {other}"))),
        }
    }

    fn rgb(&self, scale: &Scale, first: f32, second: f32, third: f32) -> [u8; 3] {
        match self {
            Self::Identity => [third, first, second].map(|value| byte(scale.bright(value))),
            Self::Shares { red, blue } => {
                let bright = scale.bright(first);
                let r = bright + 2.0 * (1.0 - red) * scale.difference(third);
                let b = bright + 2.0 * (1.0 - blue) * scale.difference(second);
                let g = (bright - red * r - blue * b) / (1.0 - red - blue);
                [r, g, b].map(byte)
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what a byte holds")]
fn byte(share: f32) -> u8 {
    (share * 255.0 + 0.5).clamp(0.0, 255.0) as u8
}
