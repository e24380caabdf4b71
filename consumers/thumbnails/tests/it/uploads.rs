//! Every kind of picture that is taken, told by its content.

use atelier_events::RenditionKind::{Card, Display};
use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageFormat, Rgba, RgbaImage};

use crate::fixtures::{cut_plain, difference, jpeg, jpeg_with, mean, of, png, scene, seen, written};

#[test]
fn each_format_is_known_by_its_content() {
    let picture = scene(320, 200);
    let upright: RgbaImage = DynamicImage::from(picture.clone()).into_rgba8();
    let lossy = webp::Encoder::from_rgb(picture.as_raw(), 320, 200).encode(95.0).to_vec();
    for (upload, media_type) in [
        (jpeg(&picture), "image/jpeg"),
        (jpeg_with(&picture, |encoder| encoder.set_progressive(true)), "image/jpeg"),
        (png(picture.clone()), "image/png"),
        (written(picture.clone(), ImageFormat::WebP), "image/webp"),
        (lossy, "image/webp"),
    ] {
        let cut = cut_plain(&upload).expect("a picture");
        assert_eq!(cut.source.media_type, media_type);
        let apart = difference(&seen(of(&cut, Display)), &upright);
        assert!(apart < 3.0, "{media_type} is {apart:.2} apart");
    }
    let gif = cut_plain(&written(picture, ImageFormat::Gif)).expect("a picture");
    assert_eq!(gif.source.media_type, "image/gif");
    assert!(difference(&seen(of(&gif, Display)), &upright) < 8.0, "a palette of 256 colours stays near");
}

#[test]
fn depths_and_colour_types_of_png_are_all_the_same_picture() {
    let grey = DynamicImage::from(scene(320, 200)).into_luma8();
    let expected = cut_plain(&png(DynamicImage::from(grey.clone()).into_rgb8())).expect("a picture");
    let expected = seen(of(&expected, Display));
    let any = DynamicImage::from(grey);
    for (name, upload) in [
        ("grey", png(any.to_luma8())),
        ("grey with alpha", png(any.to_luma_alpha8())),
        ("grey of 16 bits", png(DynamicImage::from(any.to_luma16()))),
        ("grey with alpha of 16 bits", png(DynamicImage::from(any.to_luma_alpha16()))),
        ("RGB of 16 bits", png(DynamicImage::from(any.to_rgb16()))),
        ("RGBA of 16 bits", png(DynamicImage::from(any.to_rgba16()))),
        ("palette", grey_palette(&any)),
        ("JPEG grey", grey_jpeg(&any)),
    ] {
        let cut = cut_plain(&upload).unwrap_or_else(|refused| panic!("{name}: {refused}"));
        let apart = difference(&seen(of(&cut, Display)), &expected);
        assert!(apart < 1.5, "{name} is {apart:.2} apart");
    }
}

/// An indexed PNG: 256 greys, of which each pixel names one.
fn grey_palette(image: &DynamicImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, image.width(), image.height());
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_palette((0..=255).flat_map(|grey| [grey; 3]).collect::<Vec<u8>>());
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(image.to_luma8().as_raw()).expect("picture data");
    writer.finish().expect("an end");
    bytes
}

fn grey_jpeg(image: &DynamicImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    jpeg_encoder::Encoder::new(&mut bytes, 95)
        .encode(image.to_luma8().as_raw(), 320, 200, jpeg_encoder::ColorType::Luma)
        .expect("an encodable picture");
    bytes
}

#[test]
fn of_an_animation_the_first_frame_is_cut() {
    let frames = [[200, 30, 30, 255], [30, 30, 200, 255]].map(|colour| RgbaImage::from_pixel(64, 48, Rgba(colour)));
    let mut gif = Vec::new();
    GifEncoder::new(&mut gif).encode_frames(frames.iter().cloned().map(Frame::new)).expect("an animation");
    let config = webp::WebPConfig::new().expect("a configuration");
    let mut encoder = webp::AnimEncoder::new(64, 48, &config);
    for (frame, at) in frames.iter().zip([0, 100]) {
        encoder.add_frame(webp::AnimFrame::from_rgba(frame.as_raw(), 64, 48, at));
    }
    for upload in [gif, encoder.encode().to_vec()] {
        let cut = cut_plain(&upload).expect("a picture");
        let [red, _, blue] = mean(&seen(of(&cut, Display)));
        assert!(red > 180.0 && blue < 60.0, "{}: red {red}, blue {blue}", cut.source.media_type);
    }
}

#[test]
fn transparency_lies_on_white_in_jpeg_and_stays_in_webp() {
    let disc = RgbaImage::from_fn(400, 400, |x, y| {
        let inside = (i64::from(x) - 200).pow(2) + (i64::from(y) - 200).pow(2) < 150 * 150;
        // What a transparent pixel's colour is must not show.
        Rgba(if inside { [200, 20, 60, 255] } else { [0, 0, 0, 0] })
    });
    let lossless = written(disc.clone(), ImageFormat::WebP);
    for upload in [png(disc), lossless] {
        let cut = cut_plain(&upload).expect("a picture");
        // The card has words in a corner of its own.
        for picture in cut.renditions.iter().filter(|picture| picture.kind != Card) {
            let image = seen(picture);
            let centre = image.get_pixel(picture.width / 2, picture.height / 2);
            assert!(centre[0].abs_diff(200) < 12 && centre[3] == 255, "{picture:?}: {centre:?}");
            let corner = image.get_pixel(2, 2);
            if picture.media_type == "image/webp" {
                assert_eq!(corner[3], 0, "{picture:?}");
            } else {
                assert!(corner.0.iter().all(|value| *value > 250), "{picture:?}: {corner:?}");
            }
        }
    }
}

#[test]
fn a_wholly_transparent_picture_is_white_and_has_no_palette() {
    let cut = cut_plain(&png(RgbaImage::from_pixel(50, 30, Rgba([9, 9, 9, 0])))).expect("a picture");
    assert!(seen(of(&cut, Display)).pixels().all(|pixel| pixel[0] > 250));
    assert!(cut.palette.is_empty());
}
