//! Uploads made in code, and a look at what is cut from them.

use std::io::Cursor;

use atelier_events::RenditionKind;
use atelier_thumbnails::{Caption, Cut, Picture, Policy, Refused, cut};
use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// A picture without any symmetry: colours run along both axes and one corner is marked.
pub(crate) fn scene(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        if x < width / 5 && y < height / 4 {
            return image::Rgb([250, 240, 20]);
        }
        let along = |at: u32, length: u32| u8::try_from(u64::from(at) * 255 / u64::from(length)).expect("at most 255");
        image::Rgb([along(x, width), along(y, height), 255 - along(x, width) / 2])
    })
}

/// A baseline JPEG with one scan.
pub(crate) fn jpeg(image: &RgbImage) -> Vec<u8> {
    jpeg_with(image, |_| {})
}

/// A JPEG whose encoder was prepared by `prepare`.
pub(crate) fn jpeg_with(image: &RgbImage, prepare: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 95);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    prepare(&mut encoder);
    let side = |pixels: u32| u16::try_from(pixels).expect("a side that JPEG can have");
    encoder
        .encode(image.as_raw(), side(image.width()), side(image.height()), ColorType::Rgb)
        .expect("an encodable picture");
    bytes
}

/// Any picture in any format that `image` can write.
pub(crate) fn written(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).expect("an encodable picture");
    bytes.into_inner()
}

pub(crate) fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    written(image, ImageFormat::Png)
}

/// A PNG of `scene` with chunks of one's own before the picture data.
pub(crate) fn png_with(image: &RgbImage, chunks: &[([u8; 4], &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, image.width(), image.height());
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().expect("a header");
    for (kind, body) in chunks {
        writer.write_chunk(png::chunk::ChunkType(*kind), body).expect("a chunk");
    }
    writer.write_image_data(image.as_raw()).expect("picture data");
    writer.finish().expect("an end");
    bytes
}

/// What stands in EXIF for one orientation: a TIFF header and a directory of one entry.
pub(crate) fn exif(orientation: u8) -> Vec<u8> {
    let mut chunk = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    chunk.extend([orientation, 0, 0, 0, 0, 0, 0]);
    chunk
}

pub(crate) fn cut_plain(original: &[u8]) -> Result<Cut, Refused> {
    cut(original, &Caption::default(), &Policy::default())
}

pub(crate) fn of(cut: &Cut, kind: RenditionKind) -> &Picture {
    cut.renditions.iter().find(|picture| picture.kind == kind).expect("one of each kind")
}

pub(crate) fn seen(picture: &Picture) -> RgbaImage {
    let decoded = image::load_from_memory(&picture.bytes).expect("a rendition can be decoded").to_rgba8();
    assert_eq!((decoded.width(), decoded.height()), (picture.width, picture.height), "{picture:?} tells its size");
    decoded
}

/// The mean of how far the channels of all pixels are apart.
pub(crate) fn difference(one: &RgbaImage, other: &RgbaImage) -> f64 {
    assert_eq!(one.dimensions(), other.dimensions());
    let sum: u64 = one.as_raw().iter().zip(other.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    ratio(sum, one.as_raw().len())
}

/// The mean colour.
pub(crate) fn mean(image: &RgbaImage) -> [f64; 3] {
    [0, 1, 2].map(|channel| {
        let sum: u64 = image.pixels().map(|pixel| u64::from(pixel[channel])).sum();
        ratio(sum, image.pixels().len())
    })
}

#[expect(clippy::cast_precision_loss, reason = "sums over test pictures are far below what f64 counts exactly")]
fn ratio(sum: u64, count: usize) -> f64 {
    sum as f64 / count as f64
}

/// A drawing of flat colours: shapes, lines and sprayed dots with hard edges, as children paint them.
pub(crate) fn flat_art(width: u32, height: u32) -> RgbImage {
    let mut dice: u32 = 7;
    let mut roll = |below: u32| {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (dice >> 8) % below
    };
    let mut art = RgbImage::from_pixel(width, height, image::Rgb([255; 3]));
    for _ in 0..40 {
        let (left, top, side) = (roll(width), roll(height), 20 + roll(160));
        let colour = image::Rgb([0; 3].map(|_: u8| [0, 64, 128, 192, 255][roll(5) as usize]));
        let round = roll(2) == 0;
        for (x, y) in (0..side * side).map(|at| (at % side, at / side)) {
            let inside = !round || (2 * x).abs_diff(side).pow(2) + (2 * y).abs_diff(side).pow(2) < side * side;
            if inside && left + x < width && top + y < height {
                art.put_pixel(left + x, top + y, colour);
            }
        }
    }
    art
}
