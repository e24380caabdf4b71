//! Small pictures of every kind, which mutations begin with.

use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageFormat, Rgba, RgbaImage};

use crate::fixtures::{exif, jpeg, jpeg_with, png, png_with, scene, written};

/// Each with a name.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let picture = scene(48, 40);
    let any = DynamicImage::from(picture.clone());
    let frames = || [40, 200].map(|red| RgbaImage::from_pixel(24, 20, Rgba([red, 30, 90, 255])));
    let mut gif = Vec::new();
    GifEncoder::new(&mut gif).encode_frames(frames().map(Frame::new)).expect("an animation");
    let config = webp::WebPConfig::new().expect("a configuration");
    let [first, second] = frames();
    let mut animation = webp::AnimEncoder::new(24, 20, &config);
    animation.add_frame(webp::AnimFrame::from_rgba(first.as_raw(), 24, 20, 0));
    animation.add_frame(webp::AnimFrame::from_rgba(second.as_raw(), 24, 20, 100));
    vec![
        ("baseline.jpg", jpeg(&picture)),
        ("progressive.jpg", jpeg_with(&picture, |encoder| encoder.set_progressive(true))),
        ("optimised.jpg", jpeg_with(&picture, |encoder| encoder.set_optimized_huffman_tables(true))),
        ("libjpeg.jpg", include_bytes!("../tests/it/separate/libjpeg-420.jpg").to_vec()),
        ("restarts.jpg", jpeg_with(&picture, |encoder| encoder.set_restart_interval(2))),
        ("grey.png", png(any.to_luma8())),
        ("rgb.png", png(picture.clone())),
        ("rgba16.png", png(DynamicImage::from(any.to_rgba16()))),
        ("turned.png", png_with(&picture, &[(*b"eXIf", &exif(6)), (*b"tEXt", b"Comment\0seed")])),
        ("lossless.webp", written(any.clone(), ImageFormat::WebP)),
        ("lossy.webp", webp::Encoder::from_rgb(picture.as_raw(), 48, 40).encode(80.0).to_vec()),
        ("alpha.webp", webp::Encoder::from_rgba(any.to_rgba8().as_raw(), 48, 40).encode(60.0).to_vec()),
        ("animation.webp", animation.encode().to_vec()),
        ("still.gif", written(picture, ImageFormat::Gif)),
        ("animation.gif", gif),
    ]
}
