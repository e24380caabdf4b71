//! Pixels in memory: eight bits a channel, with or without alpha.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, RgbImage, RgbaImage};

/// RGB or RGBA (not premultiplied), row by row without padding; never empty.
#[derive(Clone)]
pub(crate) struct Raster {
    width: u32,
    height: u32,
    alpha: bool,
    pixels: Vec<u8>,
}

impl Raster {
    /// Takes `pixels` of three channels.
    pub(crate) fn rgb(width: u32, height: u32, pixels: Vec<u8>) -> Self {
        assert_eq!(pixels.len(), width as usize * height as usize * 3, "three channels");
        Self { width, height, alpha: false, pixels }
    }

    /// Takes `pixels` of four channels. Where every pixel is opaque, alpha is dropped: a quarter less of everything.
    pub(crate) fn rgba(width: u32, height: u32, mut pixels: Vec<u8>) -> Self {
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

    pub(crate) fn width(&self) -> u32 {
        self.width
    }

    pub(crate) fn height(&self) -> u32 {
        self.height
    }

    pub(crate) fn short_side(&self) -> u32 {
        self.width.min(self.height)
    }

    pub(crate) fn has_alpha(&self) -> bool {
        self.alpha
    }

    pub(crate) fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Only of a raster without alpha: what draws on RGBA would have to blend it, too.
    pub(crate) fn rgb_mut(&mut self) -> &mut [u8] {
        assert!(!self.alpha, "flattened before it is drawn on");
        &mut self.pixels
    }

    /// The whole picture in `width` x `height`, by Lanczos3.
    pub(crate) fn resized(&self, width: u32, height: u32) -> Self {
        self.sampled(width, height, FilterType::Lanczos3)
    }

    /// Half as wide and high, each pixel the mean of four: what Lanczos3 then samples from costs a quarter, and a
    /// picture that stays at least twice the size of its last step shows no difference.
    pub(crate) fn halved(&self) -> Self {
        self.sampled((self.width / 2).max(1), (self.height / 2).max(1), FilterType::Box)
    }

    /// The largest centred part of the shape of `width` x `height`, in that size. The crop is to fractions of a pixel,
    /// so nothing shifts.
    pub(crate) fn covering(&self, width: u32, height: u32) -> Self {
        let options = options(FilterType::Lanczos3).fit_into_destination(None);
        self.scaled(width, height, &options)
    }

    /// Turned and mirrored as the orientation asks.
    pub(crate) fn oriented(self, orientation: Orientation) -> Self {
        if orientation == Orientation::NoTransforms {
            return self;
        }
        let alpha = self.alpha;
        let mut image = if alpha {
            RgbaImage::from_raw(self.width, self.height, self.pixels).map(DynamicImage::ImageRgba8)
        } else {
            RgbImage::from_raw(self.width, self.height, self.pixels).map(DynamicImage::ImageRgb8)
        }
        .expect("the constructors hold the length");
        image.apply_orientation(orientation);
        let (width, height) = (image.width(), image.height());
        Self { width, height, alpha, pixels: image.into_bytes() }
    }

    /// Without alpha, on white.
    pub(crate) fn flattened(&self) -> Self {
        if !self.alpha {
            return self.clone();
        }
        let mut pixels = Vec::with_capacity(self.pixels.len() / 4 * 3);
        for pixel in self.pixels.chunks_exact(4) {
            let alpha = u16::from(pixel[3]);
            pixels.extend(pixel[..3].iter().map(|value| mixed(255, *value, alpha)));
        }
        Self { alpha: false, pixels, ..*self }
    }

    fn sampled(&self, width: u32, height: u32, filter: FilterType) -> Self {
        self.scaled(width, height, &options(filter))
    }

    /// The resizer premultiplies alpha before it mixes pixels and divides afterwards.
    fn scaled(&self, width: u32, height: u32, options: &ResizeOptions) -> Self {
        if (width, height) == (self.width, self.height) {
            return self.clone();
        }
        let kind = if self.alpha { PixelType::U8x4 } else { PixelType::U8x3 };
        let source =
            ImageRef::new(self.width, self.height, &self.pixels, kind).expect("the constructors hold the length");
        let mut target = Image::new(width, height, kind);
        Resizer::new()
            .resize(&source, &mut target, options)
            .expect("both have one pixel type and the crop lies inside");
        Self { width, height, alpha: self.alpha, pixels: target.into_vec() }
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

fn options(filter: FilterType) -> ResizeOptions {
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter))
}

/// `below` covered by `above` to `alpha` 255ths, rounded.
pub(crate) fn mixed(below: u8, above: u8, alpha: u16) -> u8 {
    let sum = u16::from(above) * alpha + u16::from(below) * (255 - alpha) + 127;
    u8::try_from(sum / 255).expect("a mean of two bytes is a byte")
}
