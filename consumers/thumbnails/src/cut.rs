//! From one decode to all renditions.

use std::borrow::Cow;

use atelier_events::{Look, RenditionKind, Swatch};
use image::metadata::Orientation;
use serde::{Deserialize, Serialize};

use crate::animation::animation;
use crate::caption::Caption;
use crate::card::card;
use crate::decode::decode;
use crate::encode::{self, Chroma};
use crate::gate::{self, Inspected};
use crate::note;
use crate::palette::palette;
use crate::placeholder::placeholder;
use crate::policy::Policy;
use crate::raster::Raster;
use crate::refused::Refused;
use crate::stages::Stages;
use crate::stopwatch::{Costs, Step, Stopwatch};
use crate::watermark;

/// What became of an upload: all of its renditions, and what is known about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The upload itself.
    pub source: Source,
    /// Display, thumb, icon and preview, one of each, and then what else the policy asks for and the upload has to give.
    pub renditions: Vec<Picture>,
    /// What kind of picture it is.
    pub look: Look,
    /// A thumbhash, base64.
    pub placeholder: String,
    /// Up to six colours, the most present first.
    pub palette: Vec<Swatch>,
}

/// An upload, as it turned out to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// By content.
    pub media_type: Cow<'static, str>,
    /// Width in pixels, as seen: any orientation applied.
    pub width: u32,
    /// Height in pixels, as seen.
    pub height: u32,
}

/// One rendition.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// What it is for.
    pub kind: RenditionKind,
    /// The file: JPEG or WebP, without metadata but the artist's note. On its way between processes it goes behind the
    /// rest.
    #[serde(skip)]
    pub bytes: Vec<u8>,
    /// Its media type.
    pub media_type: Cow<'static, str>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// Cuts every rendition of `original` that `policy` asks for, with `caption` on and in those that carry it.
///
/// Nothing is enlarged but on the card. A picture smaller than the display or preview keeps its size. A thumb or icon is
/// a centred square: of the side the policy says, or of the picture's short side where that is less; so 300 x 300 and
/// 128 x 128 hold for every picture at least that wide and high.
///
/// Equal bytes, caption and policy give equal renditions.
pub fn cut(original: &[u8], caption: &Caption, policy: &Policy) -> Result<Cut, Refused> {
    cut_by(original, caption, policy, &mut Stopwatch::off())
}

/// The same, and what each step cost.
pub fn cut_measured(original: &[u8], caption: &Caption, policy: &Policy) -> Result<(Cut, Costs), Refused> {
    let mut watch = Stopwatch::started();
    let cut = cut_by(original, caption, policy, &mut watch)?;
    Ok((cut, watch.costs()))
}

fn cut_by(original: &[u8], caption: &Caption, policy: &Policy, watch: &mut Stopwatch) -> Result<Cut, Refused> {
    let inspected = gate::inspect(original, &policy.limits)?;
    let decoded = decode(original, &inspected, policy)?;
    watch.lap(Step::Decode);
    let wants = |kind| policy.extras.contains(&kind);
    let stages = Stages::of(decoded, inspected.orientation, policy, MEDIUMS.iter().flatten().any(|kind| wants(*kind)));
    let placeholder = placeholder(&stages.preview);
    let palette = palette(&stages.preview);
    watch.lap(Step::Resize);

    let look = look(&inspected);
    let mut set = Set {
        chroma: if inspected.flat { Chroma::Full } else { Chroma::Halved },
        note: note::exif(&caption.artist),
        pictures: Vec::new(),
        watch,
    };
    let Stages { mut display, mediums, thumb, icon, preview } = stages;
    // The card has the artist's name in its own place, so it is made before the watermark is drawn.
    let card = wants(RenditionKind::Card).then(|| card(&display, caption, look, &palette));
    set.watch.lap(Step::Text);
    set.mark(&mut display, caption);
    set.jpeg(RenditionKind::Display, &display, policy.display_quality);
    set.plain(|set| {
        set.jpeg(RenditionKind::Thumb, &thumb, policy.thumb_quality);
        set.jpeg(RenditionKind::Icon, &icon, policy.icon_quality);
        set.webp(RenditionKind::Preview, &preview, policy.preview_quality);
    });
    if inspected.flat && wants(RenditionKind::Lossless) {
        set.lossless(&display);
    }
    for (kinds, medium) in MEDIUMS.into_iter().zip(mediums) {
        let Some(mut medium) = medium else { continue };
        set.mark(&mut medium, caption);
        if wants(kinds[0]) {
            set.jpeg(kinds[0], &medium, policy.medium_quality);
        }
        if wants(kinds[1]) {
            set.webp(kinds[1], &medium, policy.medium_quality);
        }
    }
    if let Some(card) = card {
        set.jpeg(RenditionKind::Card, &card, policy.card_quality);
    }
    if wants(RenditionKind::Animation)
        && let Some(moving) = animation(original, &inspected, policy)
    {
        set.push(RenditionKind::Animation, WEBP, moving.bytes, moving.width, moving.height);
    }
    set.watch.lap(Step::Encode);
    let (width, height) = seen(&inspected);
    let source = Source { media_type: inspected.format.media_type().into(), width, height };
    Ok(Cut { source, renditions: set.pictures, look, placeholder, palette })
}

const JPEG: &str = "image/jpeg";
const WEBP: &str = "image/webp";

/// The kinds of each medium stage: as JPEG and as WebP.
const MEDIUMS: [[RenditionKind; 2]; 2] = [
    [RenditionKind::Medium1280, RenditionKind::Medium1280Webp],
    [RenditionKind::Medium640, RenditionKind::Medium640Webp],
];

/// Flat art up to this long a side is pixel art; larger drawings have lines that no pixel shows.
const PIXEL_ART_SIDE_PX: u32 = 320;

/// The display without loss may have so many times the bytes of the one as JPEG: it is the better picture.
const LOSSLESS_WORTH: usize = 2;

/// The renditions so far.
struct Set<'a> {
    chroma: Chroma,
    note: Option<Vec<u8>>,
    pictures: Vec<Picture>,
    watch: &'a mut Stopwatch,
}

impl Set<'_> {
    /// Files without the note: of small squares it would be a part of their bytes that shows.
    fn plain(&mut self, add: impl FnOnce(&mut Self)) {
        let note = self.note.take();
        add(self);
        self.note = note;
    }

    fn mark(&mut self, raster: &mut Raster, caption: &Caption) {
        self.watch.lap(Step::Encode);
        if let Some(mark) = &caption.mark {
            watermark::draw(raster, mark);
        }
        self.watch.lap(Step::Text);
    }

    fn jpeg(&mut self, kind: RenditionKind, raster: &Raster, quality: u8) {
        let mut bytes = encode::jpeg(&raster.flattened(), quality, self.chroma);
        if let Some(note) = &self.note {
            note::into_jpeg(&mut bytes, note);
        }
        self.push(kind, JPEG, bytes, raster.width(), raster.height());
    }

    fn webp(&mut self, kind: RenditionKind, raster: &Raster, quality: u8) {
        let bytes = encode::webp(raster, quality, self.chroma);
        self.noted_webp(kind, raster, bytes);
    }

    /// As WebP without loss, where that is worth its bytes.
    fn lossless(&mut self, display: &Raster) {
        let bytes = encode::lossless_webp(display);
        let most = self.pictures.first().map_or(0, |jpeg| jpeg.bytes.len() * LOSSLESS_WORTH);
        if bytes.len() <= most {
            self.noted_webp(RenditionKind::Lossless, display, bytes);
        }
    }

    fn noted_webp(&mut self, kind: RenditionKind, raster: &Raster, mut bytes: Vec<u8>) {
        if let Some(note) = &self.note {
            note::into_webp(&mut bytes, note, raster.width(), raster.height(), raster.has_alpha());
        }
        self.push(kind, WEBP, bytes, raster.width(), raster.height());
    }

    fn push(&mut self, kind: RenditionKind, media_type: &'static str, bytes: Vec<u8>, width: u32, height: u32) {
        self.pictures.push(Picture { kind, bytes, media_type: media_type.into(), width, height });
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, bytes, media_type, width, height } = self;
        write!(formatter, "{kind:?} {width}x{height} {media_type} ({} bytes)", bytes.len())
    }
}

fn look(inspected: &Inspected) -> Look {
    if !inspected.flat {
        Look::Photo
    } else if inspected.width.max(inspected.height) <= PIXEL_ART_SIDE_PX {
        Look::Pixels
    } else {
        Look::Flat
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
