//! Pixels in memory: eight bits a channel, with or without alpha.

use std::borrow::Cow;
use std::cell::RefCell;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{ImageBuffer, Pixel, Rgb, Rgba, imageops};

use crate::buffers::{self, Buffer};

/// RGB or RGBA (not premultiplied), row by row without padding; never empty.
pub(crate) struct Raster {
    width: u32,
    height: u32,
    alpha: bool,
    pixels: Buffer,
}

thread_local! {
    /// Keeps its buffers between pictures.
    static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
}

impl Raster {
    /// Takes `pixels` of three channels.
    pub(crate) fn rgb(width: u32, height: u32, pixels: impl Into<Buffer>) -> Self {
        let pixels = pixels.into();
        assert_eq!(pixels.len(), width as usize * height as usize * 3, "three channels");
        Self { width, height, alpha: false, pixels }
    }

    /// Takes `pixels` of four channels. Where every pixel is opaque, alpha is dropped: a quarter less of everything.
    pub(crate) fn rgba(width: u32, height: u32, pixels: impl Into<Buffer>) -> Self {
        let mut pixels = pixels.into();
        assert_eq!(pixels.len(), width as usize * height as usize * 4, "four channels");
        let alpha = pixels.chunks_exact(4).any(|pixel| pixel[3] != 255);
        if !alpha {
            let mut write = 0;
            for read in (0..pixels.len()).step_by(4) {
                pixels.copy_within(read..read + 3, write);
                write += 3;
            }
            pixels.truncate(write);
        }
        Self { width, height, alpha, pixels }
    }

    /// All of one colour.
    pub(crate) fn filled(width: u32, height: u32, colour: [u8; 3]) -> Self {
        let mut pixels = buffers::take(width as usize * height as usize * 3);
        for pixel in pixels.chunks_exact_mut(3) {
            pixel.copy_from_slice(&colour);
        }
        Self::rgb(width, height, pixels)
    }

    pub(crate) fn width(&self) -> u32 {
        self.width
    }

    pub(crate) fn height(&self) -> u32 {
        self.height
    }

    pub(crate) fn short_side(&self) -> u32 {
        self.width.min(self.height)
    }

    pub(crate) fn long_side(&self) -> u32 {
        self.width.max(self.height)
    }

    pub(crate) fn has_alpha(&self) -> bool {
        self.alpha
    }

    /// Bytes of a pixel.
    pub(crate) fn channels(&self) -> usize {
        if self.alpha { 4 } else { 3 }
    }

    pub(crate) fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    pub(crate) fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// The whole picture in `width` x `height`, by Lanczos3. Of a large picture in bands, each from the rows that reach into
    /// it: what the resizer holds between its two passes would be a third of what the picture takes. Its weights are computed
    /// again for each band, so others are done in one.
    pub(crate) fn resized(&self, width: u32, height: u32) -> Self {
        let (row, target_row) = (self.width as usize * self.channels(), width as usize * self.channels());
        if row * height as usize <= ONE_PASS_BYTES || width >= self.width || height >= self.height {
            return self.scaled(width, height, &options(ResizeAlg::Convolution(FilterType::Lanczos3)));
        }
        let high = rows((BAND_BYTES / row).max(1));
        let mut pixels = buffers::take(target_row * height as usize);
        let shrink = f64::from(self.height) / f64::from(height);
        for (at, band) in (0..).zip(pixels.chunks_mut(target_row * high as usize)) {
            let count = rows(band.len() / target_row);
            let (first, last) = (f64::from(at * high) * shrink, f64::from(at * high + count) * shrink);
            let reach = 1.0 + LANCZOS_REACH * shrink;
            let start = whole((first - reach).max(0.0)).min(self.height - 1);
            let end = (whole(last + reach) + 1).min(self.height);
            let part = &self.pixels[start as usize * row..end as usize * row];
            let top = first - f64::from(start);
            // Rounded, the last band could end behind the picture.
            let length = (last - first).min((f64::from(end - start) - top).next_down());
            let options =
                options(ResizeAlg::Convolution(FilterType::Lanczos3)).crop(0.0, top, f64::from(self.width), length);
            let source = ImageRef::new(self.width, end - start, part, self.kind()).expect("rows of the picture");
            let mut target = Image::from_slice_u8(width, count, band, self.kind()).expect("rows of the target");
            resize(&source, &mut target, &options);
        }
        Self { width, height, alpha: self.alpha, pixels }
    }

    /// Half as wide and high, each pixel the mean of four: what Lanczos3 then samples from costs a quarter, and a
    /// picture that stays at least twice the size of its last step shows no difference.
    pub(crate) fn halved(&self) -> Self {
        let (width, height) = ((self.width / 2).max(1), (self.height / 2).max(1));
        self.scaled(width, height, &options(ResizeAlg::Convolution(FilterType::Box)))
    }

    /// Each pixel as a square of `times` x `times`.
    pub(crate) fn enlarged(&self, times: u32) -> Self {
        self.scaled(self.width * times, self.height * times, &options(ResizeAlg::Nearest))
    }

    /// The largest centred part of the shape of `width` x `height`, in that size. The crop is to fractions of a pixel,
    /// so nothing shifts.
    pub(crate) fn covering(&self, width: u32, height: u32) -> Self {
        let options = options(ResizeAlg::Convolution(FilterType::Lanczos3)).fit_into_destination(None);
        self.scaled(width, height, &options)
    }

    /// Lays an opaque or see-through picture on this one, which has no alpha and room for it.
    pub(crate) fn lay(&mut self, above: &Self, left: u32, top: u32) {
        assert!(!self.alpha && left + above.width <= self.width && top + above.height <= self.height, "it fits");
        let step = above.channels();
        for (row, line) in above.pixels.chunks_exact(above.width as usize * step).enumerate() {
            let start = ((top as usize + row) * self.width as usize + left as usize) * 3;
            let below = &mut self.pixels[start..start + above.width as usize * 3];
            for (below, above) in below.chunks_exact_mut(3).zip(line.chunks_exact(step)) {
                let alpha = above.get(3).map_or(255, |alpha| u16::from(*alpha));
                for (below, above) in below.iter_mut().zip(above) {
                    *below = mixed(*below, *above, alpha);
                }
            }
        }
    }

    /// Turned and mirrored as the orientation asks.
    pub(crate) fn oriented(self, orientation: Orientation) -> Self {
        if self.alpha { self.turned::<Rgba<u8>>(orientation) } else { self.turned::<Rgb<u8>>(orientation) }
    }

    fn turned<P: Pixel<Subpixel = u8> + 'static>(mut self, orientation: Orientation) -> Self {
        let right = matches!(orientation, Orientation::Rotate90 | Orientation::Rotate90FlipH);
        if right || matches!(orientation, Orientation::Rotate270 | Orientation::Rotate270FlipH) {
            let pixels = buffers::take(self.pixels.len());
            let mut turned = Self { width: self.height, height: self.width, pixels, ..self };
            let (from, mut to) = (self.view::<P>(), turned.view_mut::<P>());
            let done =
                if right { imageops::rotate90_in(&from, &mut to) } else { imageops::rotate270_in(&from, &mut to) };
            done.expect("the sides have changed places");
            self = turned;
        }
        match orientation {
            Orientation::FlipHorizontal | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH => {
                imageops::flip_horizontal_in_place(&mut self.view_mut::<P>());
            }
            Orientation::FlipVertical => imageops::flip_vertical_in_place(&mut self.view_mut::<P>()),
            Orientation::Rotate180 => imageops::rotate180_in_place(&mut self.view_mut::<P>()),
            Orientation::NoTransforms | Orientation::Rotate90 | Orientation::Rotate270 => {}
        }
        self
    }

    fn view<P: Pixel<Subpixel = u8>>(&self) -> ImageBuffer<P, &[u8]> {
        ImageBuffer::from_raw(self.width, self.height, &self.pixels[..]).expect("the constructors hold the length")
    }

    fn view_mut<P: Pixel<Subpixel = u8>>(&mut self) -> ImageBuffer<P, &mut [u8]> {
        ImageBuffer::from_raw(self.width, self.height, &mut self.pixels[..]).expect("the constructors hold the length")
    }

    /// Without alpha, on white.
    pub(crate) fn flattened(&self) -> Cow<'_, Self> {
        if !self.alpha {
            return Cow::Borrowed(self);
        }
        let mut pixels = buffers::take(self.pixels.len() / 4 * 3);
        for (flat, pixel) in pixels.chunks_exact_mut(3).zip(self.pixels.chunks_exact(4)) {
            for (flat, value) in flat.iter_mut().zip(pixel) {
                *flat = mixed(255, *value, u16::from(pixel[3]));
            }
        }
        Cow::Owned(Self { alpha: false, pixels, ..*self })
    }

    /// The resizer premultiplies alpha before it mixes pixels and divides afterwards.
    fn scaled(&self, width: u32, height: u32, options: &ResizeOptions) -> Self {
        if (width, height) == (self.width, self.height) {
            return self.clone();
        }
        let source = ImageRef::new(self.width, self.height, &self.pixels, self.kind())
            .expect("the constructors hold the length");
        let mut pixels = buffers::take(width as usize * height as usize * self.channels());
        let mut target =
            Image::from_slice_u8(width, height, &mut pixels, self.kind()).expect("a buffer of that length was taken");
        resize(&source, &mut target, options);
        Self { width, height, alpha: self.alpha, pixels }
    }

    fn kind(&self) -> PixelType {
        if self.alpha { PixelType::U8x4 } else { PixelType::U8x3 }
    }
}

/// One channel of a picture, and how much of it is shown.
pub(crate) struct Plane {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) samples: Buffer,
    /// Across and down from the first sample on, to fractions of one.
    pub(crate) shown: (f64, f64),
}

impl Plane {
    /// What is shown in `width` x `height`, its samples as they are where it has that size. More samples than there are come
    /// from straight lines between them: Lanczos3 would add waves that nobody has drawn.
    pub(crate) fn resized(self, width: u32, height: u32) -> Buffer {
        let Self { width: wide, height: high, samples, shown } = self;
        if (wide, high) == (width, height) && shown == (f64::from(width), f64::from(height)) {
            return samples;
        }
        let filter = if wide < width || high < height { FilterType::Bilinear } else { FilterType::Lanczos3 };
        let options = options(ResizeAlg::Convolution(filter)).crop(0.0, 0.0, shown.0, shown.1);
        let source = ImageRef::new(wide, high, &samples, PixelType::U8).expect("a sample for each place");
        let mut resized = buffers::take(width as usize * height as usize);
        let mut target = Image::from_slice_u8(width, height, &mut resized, PixelType::U8).expect("room of that size");
        resize(&source, &mut target, &options);
        // What it held between its passes is not kept beside the next plane.
        RESIZER.with_borrow_mut(Resizer::reset_internal_buffers);
        resized
    }
}

/// What the resizer may hold between its two passes; that of a picture of 12 million pixels is less.
const ONE_PASS_BYTES: usize = 20 << 20;

/// What it holds of a band.
const BAND_BYTES: usize = 8 << 20;

/// How many pixels of the source, for each that it becomes less, Lanczos3 looks to either side.
const LANCZOS_REACH: f64 = 3.0;

fn resize(source: &ImageRef<'_>, target: &mut Image<'_>, options: &ResizeOptions) {
    RESIZER
        .with_borrow_mut(|resizer| resizer.resize(source, target, options))
        .expect("both have one pixel type and the crop lies inside");
}

fn rows(count: usize) -> u32 {
    u32::try_from(count).expect("at most the rows of a picture")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, below zero is none")]
fn whole(length: f64) -> u32 {
    length as u32
}

impl Clone for Raster {
    fn clone(&self) -> Self {
        let mut pixels = buffers::take(self.pixels.len());
        pixels.copy_from_slice(&self.pixels);
        Self { pixels, ..*self }
    }
}

/// The size in which `width` x `height` fits a square of `side`, never larger than it is and never empty.
pub(crate) fn fit(width: u32, height: u32, side: u32) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= side {
        return (width, height);
    }
    let scaled = |length: u32| {
        let rounded = (u64::from(length) * u64::from(side) * 2 + u64::from(longest)) / (u64::from(longest) * 2);
        u32::try_from(rounded).expect("at most the side").max(1)
    };
    (scaled(width), scaled(height))
}

fn options(algorithm: ResizeAlg) -> ResizeOptions {
    ResizeOptions::new().resize_alg(algorithm)
}

/// `below` covered by `above` to `alpha` 255ths, rounded.
pub(crate) fn mixed(below: u8, above: u8, alpha: u16) -> u8 {
    let sum = u16::from(above) * alpha + u16::from(below) * (255 - alpha) + 127;
    u8::try_from(sum / 255).expect("a mean of two bytes is a byte")
}
