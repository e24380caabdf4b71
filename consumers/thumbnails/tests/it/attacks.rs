//! Files made to hurt: each is refused, or done, for less than a tenth of a second of CPU and 64 MiB.

use std::time::Duration;

use atelier_events::RenditionKind;
use atelier_thumbnails::settings::RenderSettings;
use atelier_thumbnails::workers::{Cost, Done, Task, Workers};
use atelier_thumbnails::{Caption, Cut, Limits, Policy, Refused};
use image::codecs::gif::GifEncoder;
use image::{Frame, ImageFormat, Rgba, RgbaImage};
use moxcms::{ColorProfile, ToneReprCurve};

use crate::bombs;
use crate::fixtures::{jpeg, jpeg_with, png, scene, written};

const CPU: Duration = Duration::from_millis(100);
const MEMORY: u64 = 64 << 20;
/// CPU time for each frame of a moving preview, beside what the rest of the set takes.
const MOVING_FRAME_CPU: Duration = Duration::from_millis(5);

/// What became of a file in a worker that has seen no other, and what it took beyond an empty file.
async fn attacked(upload: &[u8]) -> anyhow::Result<(Result<Cut, Refused>, Cost)> {
    attacked_by(upload, Policy::default()).await
}

async fn attacked_by(upload: &[u8], policy: Policy) -> anyhow::Result<(Result<Cut, Refused>, Cost)> {
    let settings = RenderSettings { max_renders: 1, ..RenderSettings::default() };
    let workers = Workers::of(env!("CARGO_BIN_EXE_atelier-thumbnails").as_ref(), settings);
    let task = Task { policy, caption: Caption::default() };
    let baseline = workers.render(b"", &task).await?.cost.peak_bytes;
    let Done { outcome, cost } = workers.render(upload, &task).await?;
    Ok((outcome, Cost { peak_bytes: cost.peak_bytes.saturating_sub(baseline), ..cost }))
}

/// Refused, and why, for next to nothing.
async fn refused(name: &str, upload: &[u8]) -> anyhow::Result<Refused> {
    let (outcome, cost) = attacked(upload).await?;
    hold(name, cost);
    Ok(outcome.expect_err(name))
}

/// A picture like any other, for next to nothing; and nothing of `payload` is left in what is shown.
async fn harmless(name: &str, upload: &[u8], payload: &[u8]) -> anyhow::Result<Cut> {
    let (outcome, cost) = attacked(upload).await?;
    hold(name, cost);
    let cut = outcome.unwrap_or_else(|refused| panic!("{name}: {refused}"));
    for picture in &cut.renditions {
        let left = picture.bytes.windows(payload.len()).any(|window| window == payload);
        assert!(!left, "{name}: the payload is still in {picture:?}");
    }
    Ok(cut)
}

fn hold(name: &str, Cost { cpu, peak_bytes }: Cost) {
    assert!(cpu < CPU, "{name} took {cpu:?}");
    assert!(peak_bytes < MEMORY, "{name} took {peak_bytes} bytes");
}

#[tokio::test]
async fn dimension_bombs() -> anyhow::Result<()> {
    let small = jpeg(&scene(64, 48));
    let progressive = jpeg_with(&scene(64, 48), |encoder| encoder.set_progressive(true));
    for side in [16_385, 20_000, 65_500] {
        for upload in [&small, &progressive] {
            let bomb = bombs::jpeg_claiming(upload, side, side);
            let refused = refused("JPEG", &bomb).await?;
            assert!(matches!(refused, Refused::TooLong { limit: 16_384, .. }), "{refused}");
        }
    }
    let implausible = refused("7000 x 7000 in a few bytes", &bombs::jpeg_claiming(&small, 7000, 7000)).await?;
    assert!(matches!(implausible, Refused::Implausible { width: 7000, .. }), "{implausible}");

    let wide = bombs::grey_png(60_000_000, 1, 8);
    let wide = refused("60,000,000 x 1", &wide).await?;
    assert_eq!(wide, Refused::TooLong { width: 60_000_000, height: 1, limit: 16_384 });
    let bits = refused("20,000 x 20,000 of one bit", &bombs::grey_png(20_000, 20_000, 1)).await?;
    assert!(matches!(bits, Refused::TooLong { .. }), "{bits}");
    let large = refused("16,000 x 16,000 of one bit", &bombs::grey_png(16_000, 16_000, 1)).await?;
    assert!(matches!(large, Refused::TooManyPixels { limit: 50_000_000, .. }), "{large}");
    let gif = refused("a GIF of 65,535 x 65,535", &bombs::gif_of_frames((65_535, 65_535), (1, 1), 1)).await?;
    assert!(matches!(gif, Refused::TooLong { .. }), "{gif}");
    let webp = refused("a WebP of 16,384 x 16,384", &bombs::animated_webp(16_384, 16_384, 1)).await?;
    assert!(matches!(webp, Refused::TooManyPixels { .. }), "{webp}");
    Ok(())
}

#[tokio::test]
async fn a_scan_bomb() -> anyhow::Result<()> {
    let upload = jpeg_with(&scene(640, 640), |encoder| encoder.set_progressive(true));
    let bomb = bombs::jpeg_with_scans(&upload, 3000);
    let refused = refused("3,000 scans", &bomb).await?;
    assert!(matches!(refused, Refused::TooManyScans { limit: 64, .. }), "{refused}");
    Ok(())
}

#[tokio::test]
async fn packed_profiles_and_texts_stay_packed() -> anyhow::Result<()> {
    let zeros = bombs::deflated_zeros(300 << 20);
    let profile = [&b"profile\0\0"[..], &zeros].concat();
    harmless("iCCP of 300 MiB", &bombs::png_with(*b"iCCP", &profile), &zeros[..64]).await?;
    let text = [&b"Comment\0\0"[..], &zeros].concat();
    harmless("zTXt of 300 MiB", &bombs::png_with(*b"zTXt", &text), &zeros[..64]).await?;
    let international = [&b"Comment\0\x01\0\0\0"[..], &zeros].concat();
    harmless("iTXt of 300 MiB", &bombs::png_with(*b"iTXt", &international), &zeros[..64]).await?;

    let long = refused("tEXt of 9 MiB", &bombs::png_with(*b"tEXt", &vec![b'x'; 9 << 20])).await?;
    assert!(matches!(long, Refused::TooMuchMetadata { .. }), "{long}");
    let many = bombs::jpeg_with_segments(&jpeg(&scene(64, 48)), 0xE2, &vec![0; 65_000], 200);
    let many = refused("13 MB of APP2 in a JPEG", &many).await?;
    assert!(matches!(many, Refused::TooMuchMetadata { .. }), "{many}");
    Ok(())
}

#[tokio::test]
async fn profiles_that_are_as_large_as_they_may_be() -> anyhow::Result<()> {
    // Curves of 650,000 points each, all of them different.
    let points = (0..650_000_u32).map(|at| u16::try_from(at / 10).expect("at most 65,000"));
    let curve = ToneReprCurve::Lut(points.collect());
    let mut profile = ColorProfile::new_display_p3();
    profile.red_trc = Some(curve.clone());
    profile.green_trc = Some(curve.clone());
    profile.blue_trc = Some(curve);
    let profile = profile.encode()?;
    let most = Limits::default().max_profile_bytes;
    assert!((most * 9 / 10..most).contains(&(profile.len() as u64)), "{} bytes", profile.len());
    let as_png = bombs::png_with(*b"iCCP", &[&b"profile\0\0"[..], &bombs::deflated(&profile)].concat());
    harmless("in a PNG", &as_png, &profile[..64]).await?;
    let as_jpeg = jpeg_with(&scene(64, 48), |encoder| encoder.add_icc_profile(&profile).expect("segments"));
    harmless("in a JPEG", &as_jpeg, &profile[..64]).await?;
    Ok(())
}

#[tokio::test]
async fn animation_bombs() -> anyhow::Result<()> {
    let many = refused("5,000 frames of GIF", &bombs::gif_of_frames((1, 1), (1, 1), 5_000)).await?;
    assert_eq!(many, Refused::TooManyFrames { frames: 2_001, limit: 2_000 });
    let large = refused("500 frames of 4 million", &bombs::gif_of_frames((2_000, 2_000), (1, 1), 500)).await?;
    assert!(matches!(large, Refused::TooManyFramePixels { .. }), "{large}");
    // Frames may be larger than the screen they are shown on: a decoder makes room for them all the same.
    let hidden = refused("frames of 49 million on 1 x 1", &bombs::gif_of_frames((1, 1), (7_000, 7_000), 500)).await?;
    assert!(matches!(hidden, Refused::TooManyFramePixels { .. }), "{hidden}");
    let apng = refused("an APNG of 4,000,000,000 frames", &bombs::apng_claiming(4_000_000_000)).await?;
    assert!(matches!(apng, Refused::TooManyFrames { .. }), "{apng}");
    let webp = refused("3,000 frames of WebP", &bombs::animated_webp(64, 64, 3_000)).await?;
    assert!(matches!(webp, Refused::TooManyFrames { .. }), "{webp}");
    Ok(())
}

#[tokio::test]
async fn truncated_files() -> anyhow::Result<()> {
    let picture = scene(640, 480);
    for (name, upload) in [
        ("JPEG", jpeg(&picture)),
        ("progressive JPEG", jpeg_with(&picture, |encoder| encoder.set_progressive(true))),
        ("PNG", png(picture.clone())),
        ("WebP", written(picture.clone(), ImageFormat::WebP)),
        ("GIF", written(picture, ImageFormat::Gif)),
    ] {
        let refused = refused(name, &upload[..upload.len() / 2]).await?;
        assert!(matches!(refused, Refused::Corrupt(_) | Refused::Implausible { .. }), "{name}: {refused}");
    }
    Ok(())
}

#[tokio::test]
async fn archives_and_scripts_inside_pictures_are_left_behind() -> anyhow::Result<()> {
    let archive = b"PK\x03\x04 an archive that would run somewhere PK\x05\x06";
    let script = b"<script>alert(document.domain)</script>";
    let document = b"%PDF-1.7 1 0 obj <</JavaScript (app.alert(1))>>";
    let (picture, small) = (scene(320, 240), png(scene(320, 240)));
    for payload in [&archive[..], script, document] {
        harmless("behind a PNG", &[&small, payload].concat(), payload).await?;
        harmless("behind a JPEG", &[&jpeg(&picture), payload].concat(), payload).await?;
        harmless("in a PNG's text", &bombs::png_with(*b"tEXt", &[b"Comment\0", payload].concat()), payload).await?;
        harmless("in a JPEG's comment", &bombs::jpeg_with_segments(&jpeg(&picture), 0xFE, payload, 1), payload).await?;
        let gif = [&written(picture.clone(), ImageFormat::Gif), payload].concat();
        harmless("behind a GIF", &gif, payload).await?;
    }
    // Read as a script, the size of this GIF opens a comment that the payload closes.
    let both = [&bombs::gif_of_frames((0x2A2F, 8), (8, 8), 1), &b"*/=1;alert(1)"[..]].concat();
    harmless("a GIF that is a script", &both, b"alert(1)").await?;
    Ok(())
}

#[tokio::test]
async fn what_begins_like_another_kind_is_taken_for_that_or_refused() -> anyhow::Result<()> {
    let picture = png(scene(64, 48));
    for (name, head) in [("a PDF", &b"%PDF-1.7\n"[..]), ("a ZIP", b"PK\x03\x04"), ("a page", b"<html>")] {
        let refused = refused(name, &[head, &picture].concat()).await?;
        assert!(matches!(refused, Refused::NotAnImage { .. }), "{name}: {refused}");
    }
    let mut masked = picture;
    masked[..3].copy_from_slice(&[0xFF, 0xD8, 0xFF]);
    let refused = refused("a PNG with the head of a JPEG", &masked).await?;
    assert!(matches!(refused, Refused::Corrupt(_)), "{refused}");
    Ok(())
}

/// Sixty frames of 200 x 150 pixels, as many as a second of film needs.
fn moving() -> anyhow::Result<Vec<u8>> {
    let frames = (0..60_u8).map(|grey| Frame::new(RgbaImage::from_pixel(200, 150, Rgba([grey * 4, 0, 0, 255]))));
    let mut gif = Vec::new();
    GifEncoder::new(&mut gif).encode_frames(frames)?;
    Ok(gif)
}

#[tokio::test]
async fn an_animation_within_bounds_costs_what_its_first_frame_does() -> anyhow::Result<()> {
    let extras = Policy::default().extras.into_iter().filter(|kind| *kind != RenditionKind::Animation).collect();
    let (outcome, cost) = attacked_by(&moving()?, Policy { extras, ..Policy::default() }).await?;
    hold("60 frames", cost);
    let cut = outcome?;
    assert_eq!((cut.source.width, cut.source.height), (200, 150));
    assert!(cut.renditions.iter().all(|picture| picture.kind != RenditionKind::Animation));
    Ok(())
}

#[tokio::test]
async fn the_moving_preview_of_an_animation_has_a_budget_of_its_own() -> anyhow::Result<()> {
    let (outcome, cost) = attacked(&moving()?).await?;
    let cut = outcome?;
    assert!(cut.renditions.iter().any(|picture| picture.kind == RenditionKind::Animation), "it moves");
    let budget = CPU + MOVING_FRAME_CPU * 60;
    assert!(cost.cpu < budget, "60 frames took {:?} of {budget:?}", cost.cpu);
    assert!(cost.peak_bytes < MEMORY, "60 frames took {} bytes", cost.peak_bytes);
    Ok(())
}
