//! Where letters and their halo cover the picture, and how that is painted.

use ab_glyph_rasterizer::{Point, Rasterizer, point};
use skrifa::MetadataProvider as _;
use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};

use super::fonts;
use super::shape::Shaped;
use crate::raster::{Raster, mixed};

/// Coverage of a rectangle, 0 to 255 a pixel.
pub(crate) struct Mask {
    width: usize,
    height: usize,
    /// Pixels left of the line's start and above its base.
    left: usize,
    above: usize,
    cover: Vec<u8>,
}

/// A grey, and how strongly coverage becomes opacity.
#[derive(Clone, Copy)]
pub(crate) struct Paint {
    /// 0 is black, 255 white.
    pub(crate) value: u8,
    /// Opacity of full coverage in 255ths, before it is bounded.
    pub(crate) gain: u32,
    /// The most opacity there is, in 255ths.
    pub(crate) most: u32,
}

/// How far letters and their marks reach over and under the base, in sizes of the font; what reaches farther is cut.
const ABOVE: f32 = 1.4;
const BELOW: f32 = 0.7;

impl Mask {
    /// Draws the glyphs, each by itself, so that where two overlap nothing cancels out.
    pub(super) fn of(shaped: &Shaped, size: f32, pad: u32) -> Self {
        let pad = pad as usize;
        // Slanted and swashed letters lean out of their line.
        let lean = pixels(size * 0.3);
        let (left, above) = (pad + lean, pad + pixels(size * ABOVE));
        let (width, height) = (pixels(shaped.width * size) + 2 * left, above + pixels(size * BELOW) + pad);
        let mut mask = Self { width, height, left, above, cover: vec![0; width * height] };
        for glyph in &shaped.glyphs {
            let outlines = fonts::face(glyph.face).outlines.outline_glyphs();
            let mut outline = Outline::at(px(left) + glyph.x * size, px(above) - glyph.y * size);
            let drawn = outlines.get(glyph.id).map(|outline_glyph| {
                outline_glyph.draw(DrawSettings::unhinted(Size::new(size), LocationRef::default()), &mut outline)
            });
            if drawn.is_some_and(|drawn| drawn.is_ok()) {
                mask.add(&outline);
            }
        }
        mask
    }

    /// Adds a glyph. One that reaches out of the mask, a tower of marks, is not drawn.
    fn add(&mut self, outline: &Outline) {
        let (low, high) = (outline.low, outline.high);
        if low.x < 0.0 || low.y < 0.0 || high.x >= px(self.width) || high.y >= px(self.height) || low.x > high.x {
            return;
        }
        let (left, top) = (floor(low.x), floor(low.y));
        let (width, height) = (floor(high.x) + 1 - left, floor(high.y) + 1 - top);
        let mut rasterizer = Rasterizer::new(width + 1, height + 1);
        let corner = point(px(left), px(top));
        for curve in &outline.curves {
            match *curve {
                Curve::Line([a, b]) => rasterizer.draw_line(a - corner, b - corner),
                Curve::Quad([a, b, c]) => rasterizer.draw_quad(a - corner, b - corner, c - corner),
                Curve::Cubic([a, b, c, d]) => {
                    rasterizer.draw_cubic(a - corner, b - corner, c - corner, d - corner);
                }
            }
        }
        rasterizer.for_each_pixel_2d(|x, y, covered| {
            let (x, y) = (left + x as usize, top + y as usize);
            if x < self.width && y < self.height {
                let cover = &mut self.cover[y * self.width + x];
                *cover = cover.saturating_add(byte(covered));
            }
        });
    }

    /// The mean over a square that reaches `radius` pixels in each direction.
    pub(crate) fn blurred(&self, radius: u32) -> Self {
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

    /// Paints the letters with the line's start and base at this pixel. What reaches over an edge is passed over.
    pub(crate) fn paint(&self, picture: &mut Raster, x: i64, base: i64, paint: Paint) {
        let (width, height) = (i64::from(picture.width()), i64::from(picture.height()));
        let channels = picture.channels();
        let (x, y) = (x - int(self.left), base - int(self.above));
        let pixels = picture.pixels_mut();
        for (row, line) in self.cover.chunks_exact(self.width).enumerate() {
            let at_y = y + int(row);
            if !(0..height).contains(&at_y) {
                continue;
            }
            for (column, cover) in line.iter().enumerate().filter(|(_, cover)| **cover > 0) {
                let at_x = x + int(column);
                if !(0..width).contains(&at_x) {
                    continue;
                }
                let opacity = (u32::from(*cover) * paint.gain / 255).min(paint.most.min(255));
                let opacity = u16::try_from(opacity).expect("bounded to 255");
                let at = usize::try_from(at_y * width + at_x).expect("inside") * channels;
                blend(&mut pixels[at..at + channels], paint.value, opacity);
            }
        }
    }
}

/// Lays a grey over a pixel; over one that is partly transparent, which becomes less so.
fn blend(pixel: &mut [u8], value: u8, opacity: u16) {
    let (colours, alpha) = pixel.split_at_mut(3);
    // The share of the grey in what is then there.
    let share = match alpha.first_mut() {
        None => opacity,
        Some(alpha) => {
            let whole = mixed(*alpha, 255, opacity);
            *alpha = whole;
            if whole == 0 { 0 } else { (opacity * 255 / u16::from(whole)).min(255) }
        }
    };
    for channel in colours {
        *channel = mixed(*channel, value, share);
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

/// A glyph's outline in pixels, downwards.
struct Outline {
    origin: Point,
    start: Point,
    pen: Point,
    low: Point,
    high: Point,
    curves: Vec<Curve>,
}

enum Curve {
    Line([Point; 2]),
    Quad([Point; 3]),
    Cubic([Point; 4]),
}

impl Outline {
    fn at(x: f32, y: f32) -> Self {
        let (low, high) = (point(f32::MAX, f32::MAX), point(f32::MIN, f32::MIN));
        let origin = point(x, y);
        Self { origin, start: origin, pen: origin, low, high, curves: Vec::new() }
    }

    fn go(&mut self, x: f32, y: f32) -> Point {
        let to = self.seen(x, y);
        self.pen = to;
        to
    }

    fn seen(&mut self, x: f32, y: f32) -> Point {
        let seen = point(self.origin.x + x, self.origin.y - y);
        self.low = point(self.low.x.min(seen.x), self.low.y.min(seen.y));
        self.high = point(self.high.x.max(seen.x), self.high.y.max(seen.y));
        seen
    }
}

impl OutlinePen for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.start = self.go(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let from = self.pen;
        let to = self.go(x, y);
        self.curves.push(Curve::Line([from, to]));
    }

    fn quad_to(&mut self, bent_x: f32, bent_y: f32, x: f32, y: f32) {
        let from = self.pen;
        let bent = self.seen(bent_x, bent_y);
        let to = self.go(x, y);
        self.curves.push(Curve::Quad([from, bent, to]));
    }

    fn curve_to(&mut self, first_x: f32, first_y: f32, second_x: f32, second_y: f32, x: f32, y: f32) {
        let from = self.pen;
        let (first, second) = (self.seen(first_x, first_y), self.seen(second_x, second_y));
        let to = self.go(x, y);
        self.curves.push(Curve::Cubic([from, first, second, to]));
    }

    fn close(&mut self) {
        self.curves.push(Curve::Line([self.pen, self.start]));
        self.pen = self.start;
    }
}

#[expect(clippy::cast_precision_loss, reason = "pixels of a side are far below the 16 million that f32 counts exactly")]
fn px(count: usize) -> f32 {
    count as f32
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, below zero is none")]
fn pixels(length: f32) -> usize {
    length.ceil() as usize
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "only of what is not negative")]
fn floor(length: f32) -> usize {
    length as usize
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held between 0 and 255")]
fn byte(covered: f32) -> u8 {
    (covered.clamp(0.0, 1.0) * 255.0) as u8
}

fn int(count: usize) -> i64 {
    i64::try_from(count).expect("a count of pixels")
}
