//! From one decode to all renditions.

use std::borrow::Cow;

use atelier_events::RenditionKind;
use image::metadata::Orientation;

use crate::decode::decode;
use crate::encode::{self, Chroma};
use crate::gate::{self, Inspected};
use crate::palette::palette;
use crate::placeholder::placeholder;
use crate::policy::Policy;
use crate::raster::{Raster, fit};
use crate::refused::Refused;
use crate::watermark;

/// What became of an upload: all of its renditions, and what is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The upload itself.
    pub source: Source,
    /// Display, thumb, icon and preview, in this order, one of each.
    pub renditions: Vec<Picture>,
    /// A thumbhash, base64.
    pub placeholder: String,
    /// Up to six colours as red, green and blue, the most present first.
    pub palette: Vec<[u8; 3]>,
}

/// An upload, as it turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// By content.
    pub media_type: &'static str,
    /// Width in pixels, as seen: any orientation applied.
    pub width: u32,
    /// Height in pixels, as seen.
    pub height: u32,
}

/// One rendition.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// What it is for.
    pub kind: RenditionKind,
    /// The file: JPEG or WebP, without metadata.
    pub bytes: Vec<u8>,
    /// Its media type.
    pub media_type: &'static str,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// Cuts every rendition of `original`, with `watermark` on the display rendition.
///
/// Nothing is enlarged. A picture smaller than the display or preview keeps its size. A thumb or icon is a centred
/// square: of the side the policy says, or of the picture's short side where that is less; so 300 x 300 and 128 x 128
/// hold for every picture at least that wide and high.
///
/// Equal bytes, watermark and policy give equal renditions.
pub fn cut(original: &[u8], watermark: Option<&str>, policy: &Policy) -> Result<Cut, Refused> {
    let inspected = gate::inspect(original, &policy.limits)?;
    let source = decode(original, &inspected, &policy.limits)?;
    let chroma = if inspected.flat { Chroma::Full } else { Chroma::Halved };
    let Stages { display, thumb, icon, preview } = Stages::of(source, &inspected, policy);

    let placeholder = placeholder(&preview);
    let palette = palette(&preview);
    let mut display = display.flattened();
    if let Some(text) = watermark {
        watermark::draw(&mut display, text);
    }
    let renditions = vec![
        jpeg(RenditionKind::Display, &display, policy.display_quality, chroma),
        jpeg(RenditionKind::Thumb, &thumb.flattened(), policy.thumb_quality, chroma),
        jpeg(RenditionKind::Icon, &icon.flattened(), policy.icon_quality, chroma),
        webp(RenditionKind::Preview, &preview, policy.preview_quality, chroma),
    ];
    let (width, height) = seen(&inspected);
    let source = Source { media_type: inspected.format.media_type(), width, height };
    Ok(Cut { source, renditions, placeholder, palette })
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, bytes, media_type, width, height } = self;
        write!(formatter, "{kind:?} {width}x{height} {media_type} ({} bytes)", bytes.len())
    }
}

/// The largest side that every output format can hold.
const LARGEST_SIDE_PX: u16 = 16_383;

/// The pixels of each rendition, all cut from the one decode.
struct Stages {
    display: Raster,
    thumb: Raster,
    icon: Raster,
    preview: Raster,
}

impl Stages {
    /// The display is cut from the source, everything smaller from the display: sampling 3 million pixels instead of 12
    /// costs a quarter, and looks the same. Turning comes after the first step for the same reason.
    fn of(source: Raster, inspected: &Inspected, policy: &Policy) -> Self {
        let [display_side, thumb_side, icon_side, preview_side] =
            [policy.display_side_px, policy.thumb_side_px, policy.icon_side_px, policy.preview_side_px]
                .map(|side| u32::from(side.clamp(1, LARGEST_SIDE_PX)));
        let preview_side = preview_side.min(display_side);
        let turn = inspected.orientation;

        let (width, height) = fit(source.width(), source.height(), display_side);
        let thumb_side = thumb_side.min(source.short_side());
        // A panorama's display may be lower than the thumb: then only the source has enough pixels for it.
        let mut thumb = None;
        let small = if (width, height) == (source.width(), source.height()) {
            source
        } else {
            let small = source.resized(width, height);
            if small.short_side() < thumb_side {
                thumb = Some(source.covering(thumb_side, thumb_side).oriented(turn));
            }
            small
        };
        let display = small.oriented(turn);

        let mut base = Cow::Borrowed(&display);
        while base.short_side() >= 4 * thumb_side.max(preview_side) {
            base = Cow::Owned(base.halved());
        }
        let thumb = thumb.unwrap_or_else(|| base.covering(thumb_side, thumb_side));
        let icon_side = icon_side.min(thumb_side);
        let icon = thumb.resized(icon_side, icon_side);
        let (width, height) = fit(display.width(), display.height(), preview_side);
        let preview = base.resized(width, height);
        Self { display, thumb, icon, preview }
    }
}

/// Width and height as seen.
fn seen(inspected: &Inspected) -> (u32, u32) {
    match inspected.orientation {
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => (inspected.width, inspected.height),
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH => {
            (inspected.height, inspected.width)
        }
    }
}

fn jpeg(kind: RenditionKind, raster: &Raster, quality: u8, chroma: Chroma) -> Picture {
    picture(kind, raster, encode::jpeg(raster, quality, chroma), "image/jpeg")
}

fn webp(kind: RenditionKind, raster: &Raster, quality: u8, chroma: Chroma) -> Picture {
    picture(kind, raster, encode::webp(raster, quality, chroma), "image/webp")
}

fn picture(kind: RenditionKind, raster: &Raster, bytes: Vec<u8>, media_type: &'static str) -> Picture {
    Picture { kind, bytes, media_type, width: raster.width(), height: raster.height() }
}
