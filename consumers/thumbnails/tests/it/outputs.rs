//! What else a set holds: files without loss, what moves, and the note.

use atelier_events::Look;
use atelier_events::RenditionKind::{Animation, Card, Display, Icon, Lossless, Medium640Webp, Thumb};
use atelier_thumbnails::{Caption, Policy, cut};
use image::codecs::gif::{GifEncoder, Repeat};
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder as _, Delay, Frame, Rgb, RgbImage, Rgba, RgbaImage};

use crate::fixtures::{cut_plain, flat_art, jpeg, of, png, scene, seen};

#[test]
fn flat_art_has_a_display_that_lost_nothing() {
    let art = flat_art(900, 700);
    let cut = cut_plain(&png(art.clone())).expect("a picture");
    assert_eq!(cut.look, Look::Flat);
    let lossless = seen(of(&cut, Lossless));
    assert!(lossless.pixels().zip(art.pixels()).all(|(is, should)| is.0[..3] == should.0), "each pixel is the same");
    let photograph = cut_plain(&jpeg(&scene(900, 700))).expect("a picture");
    assert_eq!(photograph.look, Look::Photo);
    assert!(photograph.renditions.iter().all(|picture| picture.kind != Lossless));
}

#[test]
fn pixel_art_is_known_and_its_card_shows_its_pixels_as_squares() {
    let art =
        RgbImage::from_fn(96, 60, |x, y| Rgb(if (x / 8 + y / 6) % 2 == 0 { [250, 30, 40] } else { [20, 60, 200] }));
    let cut = cut_plain(&png(art)).expect("a picture");
    assert_eq!(cut.look, Look::Pixels);
    let card = seen(of(&cut, Card));
    // Ten times as large, in the middle: a pixel's four corners have its colour.
    let (left, top) = ((1200 - 960) / 2, (630 - 600) / 2);
    for (x, y) in [(1, 1), (8, 1), (1, 8)] {
        for (right, down) in [(2, 2), (7, 2), (2, 7), (7, 7)] {
            let pixel = card.get_pixel(left + x * 10 + right, top + y * 10 + down);
            let red = (x / 8 + y / 6) % 2 == 0;
            assert!(if red { pixel[0] > 200 } else { pixel[2] > 150 }, "{x} {y}: {pixel:?}");
        }
    }
}

#[test]
fn an_animation_keeps_moving_in_webp_and_its_stills_show_the_first_frame() {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    encoder.set_repeat(Repeat::Infinite).expect("a header");
    for shade in [250, 150, 50] {
        let image = RgbaImage::from_pixel(640, 320, Rgba([shade, 20, 30, 255]));
        encoder.encode_frame(Frame::from_parts(image, 0, 0, Delay::from_numer_denom_ms(80, 1))).expect("a frame");
    }
    drop(encoder);
    let cut = cut_plain(&bytes).expect("a picture");
    let animation = of(&cut, Animation);
    assert_eq!((animation.width, animation.height), (480, 240));
    let decoder = WebPDecoder::new(std::io::Cursor::new(&animation.bytes)).expect("a WebP");
    let frames = decoder.into_frames().collect_frames().expect("frames");
    let shades: Vec<u8> = frames.iter().map(|frame| frame.buffer().get_pixel(99, 99)[0]).collect();
    assert_eq!(shades.len(), 3);
    assert!(shades.iter().zip([250_u8, 150, 50]).all(|(is, should)| is.abs_diff(should) < 8), "{shades:?}");
    assert_eq!(frames[0].delay().numer_denom_ms(), (80, 1));
    assert!(seen(of(&cut, Thumb)).get_pixel(9, 9)[0] > 240);
    let moving_webp = cut_plain(&animation.bytes).expect("a picture");
    assert!(moving_webp.renditions.iter().any(|picture| picture.kind == Animation), "an animated WebP moves, too");
}

#[test]
fn large_files_say_who_made_them_and_small_ones_nothing() {
    let caption = Caption::of("The sea", "Ada Lovelace");
    let cut = cut(&jpeg(&scene(900, 700)), &caption, &Policy::default()).expect("a picture");
    let says = |kind| of(&cut, kind).bytes.windows(12).any(|window| window == b"Ada Lovelace");
    for kind in [Display, Medium640Webp, Card] {
        assert!(says(kind), "{kind:?}");
        seen(of(&cut, kind));
    }
    for kind in [Thumb, Icon] {
        assert!(!says(kind), "{kind:?}");
    }
}

#[test]
fn the_card_carries_title_and_artist_in_any_script() {
    let upload = png(scene(1600, 900));
    let card = |title: &str, artist: &str| {
        let cut = cut(&upload, &Caption::of(title, artist), &Policy::default()).expect("a picture");
        of(&cut, Card).bytes.clone()
    };
    let plain = card("", "");
    let long = "The Lighthouse ".repeat(13);
    for title in
        ["The sea", "море", "البحر", "הים", "समुद्र", "海", "바다", "🌊", &long, "\u{202e}sea", "Z\u{313}\u{35c}"]
    {
        assert_ne!(card(title, ""), plain, "{title:.30}");
        assert_ne!(card(title, "Ada"), card(title, ""), "{title:.30}");
    }
    assert_eq!(card("\u{202e}sea", ""), card("sea", ""));
}
