//! The canvas: an opaque picture that is shaded pixel by pixel and painted on with outlines.
//!
//! Of `tiny-skia` only what is exact everywhere is used: no colour dodge or burn (they take the processor's
//! approximate reciprocal), no rotation (the platform's sine), no stroked cubics (the platform's cosine).

use tiny_skia::{
    BlendMode, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Paint, Path, Pixmap, Point, Shader,
    SpreadMode, Stroke, Transform,
};

use super::colour::Rgb;

/// What an outline is filled with.
pub(super) enum Ink {
    /// One colour and its opacity.
    Flat(Rgb, f32),
    /// From a colour and opacity at one point to those at another.
    Fade([(f32, f32, Rgb, f32); 2]),
}

/// Coordinates are pixels from the top left; sizes are given as shares of `unit`, so that a picture looks the same at
/// every size.
pub(super) struct Canvas {
    pixmap: Pixmap,
    pub(super) width: f32,
    pub(super) height: f32,
    /// The shorter side in pixels.
    pub(super) unit: f32,
}

impl Canvas {
    pub(super) fn new(width: u32, height: u32) -> Self {
        let pixmap = Pixmap::new(width, height).expect("both sides lie between 64 and 2048");
        Self { pixmap, width: width as f32, height: height as f32, unit: width.min(height) as f32 }
    }

    /// Asks for the colour of every pixel, given its centre.
    pub(super) fn shade(&mut self, mut colour: impl FnMut(f32, f32) -> Rgb) {
        self.retouch(|x, y, _| colour(x, y));
    }

    /// As [`Canvas::shade`], with the colour that is there.
    pub(super) fn retouch(&mut self, mut colour: impl FnMut(f32, f32, Rgb) -> Rgb) {
        let row_bytes = self.pixmap.width() as usize * 4;
        for (row, pixels) in self.pixmap.data_mut().chunks_exact_mut(row_bytes).enumerate() {
            for (column, pixel) in pixels.chunks_exact_mut(4).enumerate() {
                let there = from_bytes(pixel);
                let [red, green, blue] = colour(column as f32 + 0.5, row as f32 + 0.5, there).bytes();
                pixel.copy_from_slice(&[red, green, blue, 255]);
            }
        }
    }

    /// A soft light that fades to nothing at `radius`.
    pub(super) fn glow(&mut self, (x, y): (f32, f32), radius: f32, light: Rgb, strength: f32) {
        let bound = |place: f32, side: f32| place.clamp(0.0, side) as usize;
        let columns = bound(x - radius, self.width)..bound(x + radius + 1.0, self.width);
        let rows = bound(y - radius, self.height)..bound(y + radius + 1.0, self.height);
        let stride = self.pixmap.width() as usize;
        for row in rows {
            for column in columns.clone() {
                let (across, down) = (column as f32 + 0.5 - x, row as f32 + 0.5 - y);
                let left = (1.0 - (across * across + down * down) / (radius * radius)).max(0.0);
                let start = (row * stride + column) * 4;
                let pixel = &mut self.pixmap.data_mut()[start..start + 3];
                let lit = from_bytes(pixel).lit(light, strength * left * left * left);
                pixel.copy_from_slice(&lit.bytes());
            }
        }
    }

    /// Fills an outline; one without an area (`None`) paints nothing.
    pub(super) fn fill(&mut self, outline: Option<Path>, ink: &Ink) {
        self.fill_blended(outline, ink, BlendMode::SourceOver);
    }

    /// Fills as a transparent pigment: what is below shows through, darker.
    pub(super) fn stain(&mut self, outline: Option<Path>, ink: &Ink) {
        self.fill_blended(outline, ink, BlendMode::Multiply);
    }

    /// Draws a line of rounded ends along an outline of straight or quadratic pieces.
    pub(super) fn stroke(&mut self, outline: Option<Path>, width: f32, ink: &Ink) {
        let Some(path) = outline else { return };
        let stroke = Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
        let paint = ink.paint(BlendMode::SourceOver);
        self.pixmap.stroke_path(&path, &paint, &stroke, Transform::identity(), None);
    }

    /// Copies the pixels as they are, for effects that look at other pixels than the one they change.
    pub(super) fn snapshot(&self) -> Snapshot {
        let (columns, rows) = (self.pixmap.width() as usize, self.pixmap.height() as usize);
        Snapshot { data: self.pixmap.data().to_vec(), columns, rows }
    }

    /// The finished picture as a PNG without an alpha channel.
    pub(super) fn into_png(self) -> Vec<u8> {
        let pixels: Vec<u8> =
            self.pixmap.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.pixmap.width(), self.pixmap.height());
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
        let mut writer = encoder.write_header().expect("a Vec takes every byte");
        writer.write_image_data(&pixels).expect("the buffer has the size of the header");
        writer.finish().expect("a Vec takes every byte");
        file
    }

    fn fill_blended(&mut self, outline: Option<Path>, ink: &Ink, blend: BlendMode) {
        let Some(path) = outline else { return };
        self.pixmap.fill_path(&path, &ink.paint(blend), FillRule::Winding, Transform::identity(), None);
    }
}

impl Ink {
    /// From one colour at height `top` to another at height `bottom`, both opaque.
    pub(super) fn down(top: f32, from: Rgb, bottom: f32, to: Rgb) -> Self {
        Self::Fade([(0.0, top, from, 1.0), (0.0, bottom, to, 1.0)])
    }

    fn paint(&self, blend_mode: BlendMode) -> Paint<'static> {
        let shader = match self {
            Self::Flat(colour, alpha) => Shader::SolidColor(colour.skia(*alpha)),
            Self::Fade([(x0, y0, from, from_alpha), (x1, y1, to, to_alpha)]) => {
                let (start, end) = (from.skia(*from_alpha), to.skia(*to_alpha));
                let stops = vec![GradientStop::new(0.0, start), GradientStop::new(1.0, end)];
                let (from, to) = (Point::from_xy(*x0, *y0), Point::from_xy(*x1, *y1));
                LinearGradient::new(from, to, stops, SpreadMode::Pad, Transform::identity())
                    .unwrap_or(Shader::SolidColor(start))
            }
        };
        Paint { shader, blend_mode, ..Paint::default() }
    }
}

/// The pixels of a canvas at one moment.
pub(super) struct Snapshot {
    data: Vec<u8>,
    columns: usize,
    rows: usize,
}

impl Snapshot {
    /// The colour at a place, blended between its neighbours; beyond an edge it is that of the edge.
    pub(super) fn at(&self, x: f32, y: f32) -> Rgb {
        let (x, y) = ((x - 0.5).max(0.0), (y - 0.5).max(0.0));
        let (column, row) = ((x as usize).min(self.columns - 1), (y as usize).min(self.rows - 1));
        let (right, below) = ((column + 1).min(self.columns - 1), (row + 1).min(self.rows - 1));
        let (across, down) = ((x - column as f32).min(1.0), (y - row as f32).min(1.0));
        let pixel = |column: usize, row: usize| from_bytes(&self.data[(row * self.columns + column) * 4..]);
        let upper = pixel(column, row).lerp(pixel(right, row), across);
        let lower = pixel(column, below).lerp(pixel(right, below), across);
        upper.lerp(lower, down)
    }
}

fn from_bytes(pixel: &[u8]) -> Rgb {
    let channel = |byte: u8| f32::from(byte) / 255.0;
    Rgb { red: channel(pixel[0]), green: channel(pixel[1]), blue: channel(pixel[2]) }
}
