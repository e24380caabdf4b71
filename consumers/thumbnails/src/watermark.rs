//! The artist's name on the display rendition.

mod mask;

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};

use crate::raster::Raster;
use mask::{Mask, Paint};

/// Writes `text` into the lower right corner: white on a soft dark halo, which reads on light and on dark.
///
/// What cannot be drawn is left out (see [`legible`]), and a name wider than most of the picture is shortened with an
/// ellipsis. A picture too small for a readable name stays as it is.
pub(crate) fn draw(picture: &mut Raster, text: &str) {
    if picture.short_side() < SMALLEST_PX {
        return;
    }
    let size = (px(picture.short_side()) * SIZE_SHARE).clamp(SIZE_PX.0, SIZE_PX.1);
    let Some(line) = Line::set(&legible(text), size, px(picture.width()) * WIDTH_SHARE) else {
        return;
    };
    let radius = (size * HALO_SHARE).round().max(1.0);
    // Two passes of the blur reach two radii far.
    let pad = 2.0 * radius + 1.0;
    let letters = line.mask(pad);
    let halo = letters.blurred(pixels(radius)).blurred(pixels(radius));
    // The mask carries room for its halo on every side; the letters themselves keep the margin.
    let margin = pixels(size * MARGIN_SHARE - pad);
    halo.paint(picture, margin, HALO);
    letters.paint(picture, margin, LETTERS);
}

/// Below this short side a name would cover more than it marks.
const SMALLEST_PX: u32 = 96;

/// Height of the font against the picture's short side.
const SIZE_SHARE: f32 = 0.03;

/// Smallest and largest height of the font in pixels.
const SIZE_PX: (f32, f32) = (13.0, 96.0);

/// The most of the picture's width that a name takes.
const WIDTH_SHARE: f32 = 0.6;

/// Distance from the corner against the height of the font.
const MARGIN_SHARE: f32 = 0.7;

/// How far each pass of the halo's blur reaches, against the height of the font.
const HALO_SHARE: f32 = 0.08;

/// A blurred letter covers little of a pixel, so its halo is made firmer, up to a bound that lets the picture through.
const HALO: Paint = Paint { value: 0, gain: 460, most: 140 };
const LETTERS: Paint = Paint { value: 255, gain: 225, most: 225 };

/// Longer names are not even looked at to their end.
const MOST_CHARACTERS: usize = 160;

static FONT: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(include_bytes!("../assets/DejaVuSans.ttf")).expect("the embedded font is a font")
});

/// What of a name can be drawn: no control or invisible characters (among them those that reorder text), nothing that
/// the font lacks, nothing of a script that runs from right to left or joins its letters; blanks are single.
fn legible(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars().take(MOST_CHARACTERS) {
        if character.is_whitespace() {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
        } else if is_drawn(character) {
            line.push(character);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

fn is_drawn(character: char) -> bool {
    let plain = !character.is_control() && !is_invisible(character) && !needs_shaping(character);
    plain && FONT.glyph_id(character).0 != 0
}

fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Hebrew to Arabic Extended, their presentation forms, and the right-to-left scripts beyond the basic plane.
fn needs_shaping(character: char) -> bool {
    matches!(
        character,
        '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' | '\u{10800}'..='\u{10fff}'
            | '\u{1e800}'..='\u{1efff}'
    )
}

/// Glyphs in a row, and the room they take in pixels.
struct Line {
    glyphs: Vec<Glyph>,
    size: f32,
    width: f32,
}

impl Line {
    /// The text or as much of it as fits `room` together with an ellipsis; none if that is nothing.
    fn set(text: &str, size: f32, room: f32) -> Option<Self> {
        let whole = Self::laid_out(text, size);
        if whole.width <= room {
            return (!whole.glyphs.is_empty()).then_some(whole);
        }
        // A name has at most MOST_CHARACTERS, so trying each length costs nothing that shows.
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).filter(|at| *at > 0).collect();
        ends.iter()
            .rev()
            .map(|end| Self::laid_out(&format!("{}…", text[..*end].trim_end()), size))
            .find(|line| line.width <= room)
    }

    fn laid_out(text: &str, size: f32) -> Self {
        let scale = PxScale::from(size);
        let font = FONT.as_scaled(scale);
        let mut pen = 0.0;
        let mut last = None;
        let mut glyphs = Vec::new();
        for character in text.chars() {
            let id = font.glyph_id(character);
            if let Some(last) = last {
                pen += font.kern(last, id);
            }
            glyphs.push(id.with_scale_and_position(scale, point(pen, font.ascent())));
            pen += font.h_advance(id);
            last = Some(id);
        }
        Self { glyphs, size, width: pen }
    }

    /// How much of each pixel the letters cover, with `pad` pixels of room on every side.
    fn mask(self, pad: f32) -> Mask {
        let height = FONT.as_scaled(PxScale::from(self.size)).height();
        let mut mask = Mask::empty(pixels(self.width + 2.0 * pad), pixels(height + 2.0 * pad));
        for mut glyph in self.glyphs {
            glyph.position += point(pad, pad);
            if let Some(outline) = FONT.outline_glyph(glyph) {
                let corner = outline.px_bounds().min;
                outline.draw(|x, y, covered| mask.add(corner.x + px(x), corner.y + px(y), covered));
            }
        }
        mask
    }
}

#[expect(clippy::cast_precision_loss, reason = "pixels of a side are far below the 16 million that f32 counts exactly")]
fn px(count: u32) -> f32 {
    count as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and below zero means none"
)]
fn pixels(length: f32) -> u32 {
    length.ceil() as u32
}
