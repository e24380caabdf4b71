//! Where letters and their halo cover the picture, and how that is painted.

use crate::raster::{Raster, mixed};

/// Coverage of a rectangle, 0 to 255 a pixel.
pub(super) struct Mask {
    width: usize,
    height: usize,
    cover: Vec<u8>,
}

/// A grey, and how strongly coverage becomes opacity.
#[derive(Clone, Copy)]
pub(super) struct Paint {
    /// 0 is black, 255 white.
    pub(super) value: u8,
    /// Opacity of full coverage in 255ths, before it is bounded.
    pub(super) gain: u32,
    /// The most opacity there is, in 255ths.
    pub(super) most: u32,
}

impl Mask {
    pub(super) fn empty(width: u32, height: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        Self { width, height, cover: vec![0; width * height] }
    }

    /// Adds a share of 1 to the pixel at whole coordinates. Part of a mark that leans out of its letter's box may lie
    /// outside: that is not drawn.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "both casts are of values held in range"
    )]
    pub(super) fn add(&mut self, x: f32, y: f32, covered: f32) {
        if x < 0.0 || y < 0.0 {
            return;
        }
        let (x, y) = (x as usize, y as usize);
        if x < self.width && y < self.height {
            let cover = &mut self.cover[y * self.width + x];
            *cover = cover.saturating_add((covered.clamp(0.0, 1.0) * 255.0) as u8);
        }
    }

    /// The mean over a square that reaches `radius` pixels in each direction.
    pub(super) fn blurred(&self, radius: u32) -> Self {
        let mut blurred = Self { cover: self.cover.clone(), ..*self };
        let radius = radius as usize;
        for row in 0..self.height {
            blur_line(&mut blurred.cover, row * self.width, 1, self.width, radius);
        }
        for column in 0..self.width {
            blur_line(&mut blurred.cover, column, self.width, self.height, radius);
        }
        blurred
    }

    /// Paints the picture's lower right corner, `margin` pixels off its edges.
    pub(super) fn paint(&self, picture: &mut Raster, margin: u32, paint: Paint) {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let margin = margin as usize;
        // What reaches over the left or upper edge of a small picture is passed over.
        let (right, bottom) = (width.saturating_sub(margin), height.saturating_sub(margin));
        let pixels = picture.rgb_mut();
        for (row, line) in self.cover.chunks_exact(self.width).enumerate() {
            let Some(y) = (bottom + row).checked_sub(self.height) else {
                continue;
            };
            for (column, cover) in line.iter().enumerate().filter(|(_, cover)| **cover > 0) {
                let Some(x) = (right + column).checked_sub(self.width) else {
                    continue;
                };
                let opacity = (u32::from(*cover) * paint.gain / 255).min(paint.most.min(255));
                let opacity = u16::try_from(opacity).expect("bounded to 255");
                let at = (y * width + x) * 3;
                for channel in &mut pixels[at..at + 3] {
                    *channel = mixed(*channel, paint.value, opacity);
                }
            }
        }
    }
}

/// A running mean along one row or column; outside there is nothing.
fn blur_line(cover: &mut [u8], start: usize, step: usize, length: usize, radius: usize) {
    let line: Vec<usize> = (0..length).map(|at| usize::from(cover[start + at * step])).collect();
    let window = 2 * radius + 1;
    let mut sum: usize = line.iter().take(radius).sum();
    for at in 0..length {
        sum += line.get(at + radius).unwrap_or(&0);
        cover[start + at * step] = u8::try_from(sum / window).expect("a mean of bytes is a byte");
        if let Some(leaving) = at.checked_sub(radius) {
            sum -= line[leaving];
        }
    }
}
