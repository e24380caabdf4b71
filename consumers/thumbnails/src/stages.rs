//! The pixels of each rendition, all cut from the one decode.

use image::metadata::Orientation;

use crate::colour;
use crate::decode::Decoded;
use crate::policy::Policy;
use crate::raster::{Raster, fit};

/// The largest side that every output format can hold.
const LARGEST_SIDE_PX: u16 = 16_383;

/// Longest sides of the renditions between display and preview, for `srcset`.
const MEDIUM_SIDES_PX: [u32; 2] = [1280, 640];

/// The size in which an original of this one is enough: the display's, or a multiple of it where the thumb of a panorama has
/// more pixels than that. Where the original has no more, its own.
pub(crate) fn enough(width: u32, height: u32, policy: &Policy) -> (u32, u32) {
    let (wide, high) = fit(width, height, side(policy.display_side_px));
    let times = side(policy.thumb_side_px).div_ceil(wide.min(high));
    let (wide, high) = (wide.saturating_mul(times), high.saturating_mul(times));
    if wide < width && high < height { (wide, high) } else { (width, height) }
}

/// A side that every output format can hold.
fn side(of_policy: u16) -> u32 {
    u32::from(of_policy.clamp(1, LARGEST_SIDE_PX))
}

/// Upright and in sRGB, before anything is drawn on them.
pub(crate) struct Stages {
    pub(crate) display: Raster,
    /// At most 1280 and 640 on the longest side; none where the display is no larger.
    pub(crate) mediums: [Option<Raster>; 2],
    pub(crate) thumb: Raster,
    pub(crate) icon: Raster,
    pub(crate) preview: Raster,
}

impl Stages {
    /// The display is cut from the source, everything smaller from the display: sampling 3 million pixels instead of 12
    /// costs a quarter, and looks the same. Colours are converted and the picture is turned after the first step for the
    /// same reason.
    pub(crate) fn of(decoded: Decoded, turn: Orientation, policy: &Policy, mediums: bool) -> Self {
        let Decoded { raster: source, profile } = decoded;
        let upright = |mut raster: Raster| {
            if let Some(profile) = &profile {
                colour::to_srgb(&mut raster, profile);
            }
            raster.oriented(turn)
        };
        let [display_side, thumb_side, icon_side, preview_side] =
            [policy.display_side_px, policy.thumb_side_px, policy.icon_side_px, policy.preview_side_px].map(side);
        let preview_side = preview_side.min(display_side);
        let (width, height) = fit(source.width(), source.height(), display_side);
        let thumb_side = thumb_side.min(source.short_side());
        // A panorama's display may be lower than the thumb: then only the source has enough pixels for it.
        let mut thumb = None;
        let display = if (width, height) == (source.width(), source.height()) {
            upright(source)
        } else {
            let small = source.resized(width, height);
            if small.short_side() < thumb_side {
                thumb = Some(upright(source.covering(thumb_side, thumb_side)));
            }
            drop(source);
            upright(small)
        };
        let mediums = MEDIUM_SIDES_PX.map(|side| {
            let (width, height) = fit(display.width(), display.height(), side);
            (mediums && display.long_side() > side).then(|| display.resized(width, height))
        });

        let mut halved = None;
        let base = loop {
            let base = halved.as_ref().unwrap_or(&display);
            if base.short_side() < 4 * thumb_side.max(preview_side) {
                break base;
            }
            halved = Some(base.halved());
        };
        let thumb = thumb.unwrap_or_else(|| base.covering(thumb_side, thumb_side));
        let icon_side = icon_side.min(thumb_side);
        let icon = thumb.resized(icon_side, icon_side);
        let (width, height) = fit(display.width(), display.height(), preview_side);
        let preview = base.resized(width, height);
        Self { display, mediums, thumb, icon, preview }
    }
}

#[cfg(test)]
mod tests {
    use image::RgbImage;
    use image::imageops::{FilterType, crop_imm, resize};
    use ssimulacra2::{ColorPrimaries, Rgb, TransferCharacteristic, compute_frame_ssimulacra2};

    use super::*;
    use crate::caption::Caption;
    use crate::card::card;

    /// SSIMULACRA2: 100 is the same, and nobody can tell 90 apart.
    fn likeness(is: &Raster, should: &RgbImage) -> f64 {
        let frame = |pixels: &[u8]| {
            let pixels = pixels.chunks_exact(3).map(|pixel| [0, 1, 2].map(|at| f32::from(pixel[at]) / 255.0)).collect();
            let (width, height) = (is.width() as usize, is.height() as usize);
            Rgb::new(pixels, width, height, TransferCharacteristic::SRGB, ColorPrimaries::BT709).expect("a frame")
        };
        compute_frame_ssimulacra2(frame(should.as_raw()), frame(is.pixels())).expect("frames of one size")
    }

    /// Lanczos3 by another implementation, from the largest part of this shape in the middle of the full source.
    fn best(source: &RgbImage, is: &Raster) -> RgbImage {
        let ((wide, high), (width, height)) = (source.dimensions(), (is.width(), is.height()));
        let (part_wide, part_high) =
            if wide * height > high * width { (high * width / height, high) } else { (wide, wide * height / width) };
        // What differs by the rounding of a side is the whole: to leave out a line would shift all others.
        let whole = wide - part_wide <= 1 && high - part_high <= 1;
        let (part_wide, part_high) = if whole { (wide, high) } else { (part_wide, part_high) };
        let part = crop_imm(source, (wide - part_wide) / 2, (high - part_high) / 2, part_wide, part_high).to_image();
        resize(&part, width, height, FilterType::Lanczos3)
    }

    #[test]
    fn what_is_enough_of_an_original_comes_in_the_sizes_of_the_whole() {
        let policy = Policy::default();
        for (width, height) in
            [(6000, 4000), (5003, 3331), (4999, 700), (901, 6007), (12_800, 1_875), (16_384, 611), (300, 9)]
        {
            let (wide, high) = enough(width, height, &policy);
            let longest = u32::from(policy.display_side_px);
            assert_eq!(fit(wide, high, longest), fit(width, height, longest), "the display of {width} x {height}");
            let thumb = |short: u32| short.min(u32::from(policy.thumb_side_px));
            assert_eq!(thumb(wide.min(high)), thumb(width.min(height)), "the thumb of {width} x {height}");
            assert!(wide <= width && high <= height, "{width} x {height} is never enlarged");
        }
        assert_eq!(enough(6000, 4000, &policy), (2048, 1365));
    }

    #[test]
    fn renditions_of_photographs_and_paintings_look_like_lanczos_from_the_full_source() {
        for name in ["evening-ridges.jpg", "hubble-deep-field.jpg", "paper-rosette.png"] {
            let pictures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/standalone/pictures");
            let source = image::open(format!("{pictures}/{name}")).expect("a picture of the demonstration").into_rgb8();
            let raster = Raster::rgb(source.width(), source.height(), source.as_raw().clone());
            let decoded = Decoded { raster, profile: None };
            let stages = Stages::of(decoded, Orientation::NoTransforms, &Policy::default(), true);
            let card = card(&stages.display, &Caption::default(), atelier_events::Look::Photo, &[]);
            let [large, small] = &stages.mediums;
            let all = [
                ("display", Some(&stages.display)),
                ("medium 1280", large.as_ref()),
                ("medium 640", small.as_ref()),
                ("thumb", Some(&stages.thumb)),
                ("preview", Some(&stages.preview)),
                ("icon", Some(&stages.icon)),
                ("card", Some(&card).filter(|_| source.width() > 1200 && source.width() > source.height())),
            ];
            for (kind, stage) in all.into_iter().filter_map(|(kind, stage)| Some((kind, stage?))) {
                let score = likeness(stage, &best(&source, stage));
                assert!(score >= 92.0, "{name}: {kind} scores {score:.1}");
            }
        }
    }

    /// Its colours are brought to the size of the display one after the other, before there is any pixel.
    #[test]
    fn a_progressive_photograph_looks_like_lanczos_from_the_full_source() {
        let pictures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/standalone/pictures");
        let picture = image::open(format!("{pictures}/evening-ridges.jpg")).expect("a picture").into_rgb8();
        let [width, height] =
            [picture.width(), picture.height()].map(|side| u16::try_from(side).expect("a JPEG's side"));
        for sampling in [jpeg_encoder::SamplingFactor::F_1_1, jpeg_encoder::SamplingFactor::F_2_2] {
            let mut file = Vec::new();
            let mut encoder = jpeg_encoder::Encoder::new(&mut file, 95);
            encoder.set_progressive(true);
            encoder.set_sampling_factor(sampling);
            encoder.encode(&picture, width, height, jpeg_encoder::ColorType::Rgb).expect("an encodable picture");
            let source = image::load_from_memory(&file).expect("a picture").into_rgb8();
            let policy = Policy::default();
            let inspected = crate::gate::inspect(&file, &policy.limits).expect("a picture");
            let decoded = crate::decode::decode(&file, &inspected, &policy).expect("a picture");
            assert_eq!(decoded.raster.width(), 2048, "it comes in the size of the display");
            let stages = Stages::of(decoded, Orientation::NoTransforms, &policy, true);
            for (kind, stage) in [("display", &stages.display), ("thumb", &stages.thumb), ("preview", &stages.preview)]
            {
                let score = likeness(stage, &best(&source, stage));
                assert!(score >= 92.0, "{sampling:?}: {kind} scores {score:.1}");
            }
        }
    }
}
