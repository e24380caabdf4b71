//! AVIF, where Atelier is built with the feature of that name. The AV1 in it was made once, by libaom; the boxes around it are
//! made here.

use atelier_events::RenditionKind::{Display, Preview};
use atelier_thumbnails::gate::inspect;
use atelier_thumbnails::settings::RenderSettings;
use atelier_thumbnails::workers::{Task, Workers};
use atelier_thumbnails::{Caption, Limits, Policy, Refused};
use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
use image::{DynamicImage, RgbaImage};
use moxcms::ColorProfile;

use crate::fixtures::{cut_plain, difference, mean, of, scene, seen};

const SIZE: (u32, u32) = (64, 48);
const COLOURS: &[u8] = include_bytes!("avif/scene-420.obu");
const ALPHA: &[u8] = include_bytes!("avif/alpha.obu");
/// Essential, of the picture, and what there is of it: a property.
type Property<'a> = ([u8; 4], &'a [u8], bool);

/// What is written into a file.
struct Written<'a> {
    kind: [u8; 4],
    size: (u32, u32),
    colours: &'a [u8],
    alpha: Option<&'a [u8]>,
    properties: &'a [Property<'a>],
    /// How often the item's one part is named.
    parts: u16,
}

const PLAIN: Written<'static> =
    Written { kind: *b"av01", size: SIZE, colours: COLOURS, alpha: None, properties: &[], parts: 1 };

fn part(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).expect("a box is short").to_be_bytes();
    [&length[..], &kind, body].concat()
}

fn number(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("a small number").to_be_bytes()
}

impl Written<'_> {
    fn bytes(&self) -> Vec<u8> {
        let head = part(*b"ftyp", b"avif\0\0\0\0avifmif1");
        // Where the data lies follows from how long what stands before it is, which does not change with it.
        let before = head.len() + self.meta(0).len() + 8;
        let data = [self.colours, self.alpha.unwrap_or_default()].concat();
        [head, self.meta(before), part(*b"mdat", &data)].concat()
    }

    fn meta(&self, data: usize) -> Vec<u8> {
        let items = 1 + u8::from(self.alpha.is_some());
        let item = |id: u8, kind: [u8; 4]| part(*b"infe", &[&[2, 0, 0, 0, 0, id, 0, 0][..], &kind, b"\0"].concat());
        let place = |id: u8, parts: u16, from: usize, length: usize| {
            let one = [number(from), number(length)].concat();
            [&[0, id, 0, 0][..], &parts.to_be_bytes(), &one.repeat(usize::from(parts))].concat()
        };
        let mut kinds = [&[0, 0, 0, 0, 0, items][..], &item(1, self.kind)].concat();
        let mut places =
            [&[0, 0, 0, 0, 0x44, 0, 0, items][..], &place(1, self.parts, data, self.colours.len())].concat();
        let mut references = Vec::new();
        let mut shape = vec![0; 4];
        shape.extend([self.size.0.to_be_bytes(), self.size.1.to_be_bytes()].concat());
        let mut properties = part(*b"ispe", &shape);
        properties.extend(part(*b"auxC", b"\0\0\0\0urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"));
        let mut own = vec![0, 1, u8::try_from(self.properties.len() + 1).expect("a few"), 1];
        for ((kind, body, essential), at) in self.properties.iter().zip(3..) {
            properties.extend(part(*kind, body));
            own.push(at | u8::from(*essential) << 7);
        }
        let mut associations = [&[0, 0, 0, 0, 0, 0, 0, items][..], &own].concat();
        if let Some(alpha) = self.alpha {
            kinds.extend(item(2, *b"av01"));
            places.extend(place(2, 1, data + self.colours.len(), alpha.len()));
            references = part(*b"iref", &[&[0; 4][..], &part(*b"auxl", &[0, 2, 0, 1, 0, 1])].concat());
            associations.extend([0, 2, 2, 1, 2]);
        }
        let properties = [part(*b"ipco", &properties), part(*b"ipma", &associations)].concat();
        let boxes = [
            part(*b"hdlr", b"\0\0\0\0\0\0\0\0pict\0\0\0\0\0\0\0\0\0\0\0\0\0"),
            part(*b"pitm", &[0, 0, 0, 0, 0, 1]),
            part(*b"iinf", &kinds),
            part(*b"iloc", &places),
            references,
            part(*b"iprp", &properties),
        ];
        part(*b"meta", &[&[0; 4][..], &boxes.concat()].concat())
    }
}

fn with(properties: &[Property<'_>]) -> Vec<u8> {
    Written { properties, ..PLAIN }.bytes()
}

fn nclx(primaries: u8, transfer: u8, matrix: u8) -> Vec<u8> {
    [&b"nclx"[..], &[0, primaries, 0, transfer, 0, matrix, 0x80]].concat()
}

fn refused(upload: &[u8]) -> Refused {
    cut_plain(upload).expect_err("it must be refused")
}

fn displayed(upload: &[u8]) -> RgbaImage {
    let cut = cut_plain(upload).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(cut.source.media_type, "image/avif");
    seen(of(&cut, Display))
}

#[test]
fn every_sampling_of_colours_and_either_range_is_seen_as_it_was_meant() {
    let original = DynamicImage::from(scene(SIZE.0, SIZE.1));
    let original = original.to_rgba8();
    let mut grey = original.clone();
    for image::Rgba([red, green, blue, _]) in grey.pixels_mut() {
        // The shares that its encoder takes.
        let bright = (u32::from(*red) * 299 + u32::from(*green) * 587 + u32::from(*blue) * 114 + 500) / 1000;
        [*red, *green, *blue] = [u8::try_from(bright).expect("a mean of bytes"); 3];
    }
    for (name, colours, expected) in [
        ("4:2:0", COLOURS, &original),
        ("4:2:2", include_bytes!("avif/scene-422.obu"), &original),
        ("4:4:4", include_bytes!("avif/scene-444.obu"), &original),
        ("grey", include_bytes!("avif/scene-400.obu"), &grey),
        ("limited", include_bytes!("avif/scene-limited.obu"), &original),
    ] {
        let image = displayed(&Written { colours, ..PLAIN }.bytes());
        let apart = difference(&image, expected);
        assert!(apart < 4.0, "{name} is {apart:.2} apart");
        for (is, should) in mean(&image).into_iter().zip(mean(expected)) {
            assert!((is - should).abs() < 2.0, "{name}: {is:.1} is not {should:.1}");
        }
    }
}

#[test]
fn alpha_is_kept() {
    let cut = cut_plain(&Written { alpha: Some(ALPHA), ..PLAIN }.bytes()).expect("a picture");
    let preview = seen(of(&cut, Preview));
    // It runs from left to right, four steps a pixel.
    for x in [8, 30, 55] {
        let alpha = preview.get_pixel(x, 30)[3];
        assert!(u32::from(alpha).abs_diff(x * 4) < 12, "{alpha} at {x}");
    }
}

#[test]
fn turns_and_mirrors_of_the_container_are_applied_in_their_order() {
    let upright = displayed(&with(&[]));
    for turn in 0..4_u8 {
        // Quarters anticlockwise.
        let turned = match turn {
            0 => upright.clone(),
            1 => rotate270(&upright),
            2 => rotate180(&upright),
            _ => rotate90(&upright),
        };
        let (turn, above, beside) = ([turn], [0], [1]);
        let turn = (*b"irot", &turn[..], true);
        let (above, beside) = ((*b"imir", &above[..], true), (*b"imir", &beside[..], true));
        for (name, properties, expected) in [
            ("turned", &[turn][..], turned.clone()),
            ("above and below exchanged", &[turn, above], flip_vertical(&turned)),
            ("left and right exchanged", &[turn, beside], flip_horizontal(&turned)),
        ] {
            let apart = difference(&displayed(&with(properties)), &expected);
            assert!(apart < 3.0, "{turn:?} {name}: {apart:.2} apart");
        }
        let mirrored_first = match turn.1[0] {
            0 => flip_horizontal(&upright),
            1 => rotate270(&flip_horizontal(&upright)),
            2 => rotate180(&flip_horizontal(&upright)),
            _ => rotate90(&flip_horizontal(&upright)),
        };
        let apart = difference(&displayed(&with(&[beside, turn])), &mirrored_first);
        assert!(apart < 3.0, "{turn:?} after the mirror: {apart:.2} apart");
    }
}

#[test]
fn wide_colours_are_converted_by_code_points_and_by_profile_alike() {
    let plain = mean(&displayed(&with(&[(*b"colr", &nclx(1, 13, 6), false)])));
    let by_code = mean(&displayed(&with(&[(*b"colr", &nclx(12, 13, 6), false)])));
    let profile = [&b"prof"[..], &ColorProfile::new_display_p3().encode().expect("a profile")].concat();
    let by_profile = mean(&displayed(&with(&[(*b"colr", &profile, false)])));
    assert!(by_code.iter().zip(plain).any(|(code, plain)| (code - plain).abs() > 3.0), "{by_code:.1?} {plain:.1?}");
    assert!(by_code.iter().zip(by_profile).all(|(code, profile)| (code - profile).abs() < 1.0), "{by_profile:.1?}");
}

#[test]
fn the_gate_reads_the_size_before_any_decoder() {
    let claiming = |width, height| {
        let upload = Written { size: (width, height), colours: b"\x0a\x01\0", ..PLAIN }.bytes();
        inspect(&upload, &Limits::default()).expect_err("it must be refused")
    };
    assert_eq!(claiming(20_000, 20_000), Refused::TooLong { width: 20_000, height: 20_000, limit: 16_384 });
    assert!(matches!(claiming(10_000, 10_000), Refused::TooManyPixels { width: 10_000, .. }));
    assert!(matches!(claiming(0, 48), Refused::Corrupt(_)));
    // What AV1 says is held as well.
    for size in [(32, 32), (65, 48), (640, 480)] {
        let refused = refused(&Written { size, ..PLAIN }.bytes());
        assert!(matches!(refused, Refused::Corrupt(_)), "{size:?}: {refused}");
    }
}

#[test]
fn what_is_not_shown_as_it_is_meant_is_refused_by_name() {
    let unsupported = |upload: &[u8]| match refused(upload) {
        Refused::Unsupported(what) => what,
        other => panic!("{other}"),
    };
    assert!(unsupported(&Written { kind: *b"grid", ..PLAIN }.bytes()).contains("tiles"));
    assert!(unsupported(&Written { kind: *b"hvc1", ..PLAIN }.bytes()).contains("not AV1"));
    assert!(unsupported(&with(&[(*b"clap", &[0; 32], true)])).contains("clap"));
    assert!(unsupported(&with(&[(*b"colr", &nclx(9, 16, 9), false)])).contains("high dynamic range"));
    assert!(unsupported(&with(&[(*b"colr", &nclx(1, 13, 14), false)])).contains("matrix 14"));
    assert!(unsupported(&part(*b"ftyp", b"avis\0\0\0\0")).contains("without a still picture"));
}

#[test]
fn bombs_are_refused_at_the_gate() {
    let at_the_gate = |upload: &[u8]| inspect(upload, &Limits::default()).expect_err("it must be refused");
    let frames = COLOURS.repeat(3_000);
    let frames = at_the_gate(&Written { colours: &frames, ..PLAIN }.bytes());
    assert_eq!(frames, Refused::TooManyFrames { frames: 3_000, limit: 2_000 });
    let overlapping = at_the_gate(&Written { parts: 4_000, ..PLAIN }.bytes());
    assert!(overlapping.to_string().contains("overlap"), "{overlapping}");
    let many = at_the_gate(&Written { parts: 5_000, ..PLAIN }.bytes());
    assert!(many.to_string().contains("more than 4096 parts"), "{many}");
    let hidden = [with(&[]), part(*b"free", &vec![0; 9 << 20])].concat();
    assert!(matches!(at_the_gate(&hidden), Refused::TooMuchMetadata { .. }));
}

#[test]
fn a_file_that_was_cut_off_or_mangled_is_cut_or_refused() {
    let upload = Written { alpha: Some(ALPHA), ..PLAIN }.bytes();
    for kept in 12..upload.len() {
        refused(&upload[..kept]);
    }
    let mut noise: u32 = 11;
    let mut next = move || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise as usize >> 8
    };
    let mut damaged = 0;
    for _ in 0..400 {
        let mut mangled = upload.clone();
        for _ in 0..=next() % 4 {
            let at = 12 + next() % (mangled.len() - 12);
            mangled[at] = next().to_le_bytes()[0];
        }
        damaged += usize::from(cut_plain(&mangled).is_err());
    }
    assert!(damaged > 0, "mangling does something");
}

#[tokio::test]
async fn a_worker_that_may_do_nothing_else_can_decode_it() -> anyhow::Result<()> {
    let workers = Workers::of(env!("CARGO_BIN_EXE_atelier-thumbnails").as_ref(), RenderSettings::default());
    let task = Task { policy: Policy::default(), caption: Caption::default() };
    let upload = Written { alpha: Some(ALPHA), ..PLAIN }.bytes();
    let cut = workers.render(&upload, &task).await?.outcome?;
    assert_eq!(cut, cut_plain(&upload)?);
    Ok(())
}
