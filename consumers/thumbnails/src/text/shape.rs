//! Characters to glyphs.

use harfrust::{Buffer, Direction, ShapeOptions, ShaperFont};
use skrifa::GlyphId;
use unicode_bidi::BidiInfo;
use unicode_segmentation::UnicodeSegmentation as _;

use super::fonts;

/// A line's glyphs from left to right, in sizes of the font.
#[derive(Default)]
pub(super) struct Shaped {
    pub(super) glyphs: Vec<Glyph>,
    /// How far the pen went.
    pub(super) width: f32,
    /// Whether the text as a whole runs from right to left.
    pub(super) leftward: bool,
}

/// A glyph and where its origin is: right of the line's start and above its base.
pub(super) struct Glyph {
    pub(super) face: usize,
    pub(super) id: GlyphId,
    pub(super) x: f32,
    pub(super) y: f32,
}

/// Shapes cleaned text: runs of one direction in the order in which they are seen, in them spans of one font.
pub(super) fn shape(text: &str) -> Shaped {
    let mut shaped = Shaped::default();
    let bidi = BidiInfo::new(text, None);
    let Some(paragraph) = bidi.paragraphs.first() else {
        return shaped;
    };
    shaped.leftward = paragraph.level.is_rtl();
    let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
    for run in runs {
        let leftward = levels[run.start].is_rtl();
        let mut spans = spans(&text[run]);
        if leftward {
            spans.reverse();
        }
        for (face, span) in spans {
            shaped.append(face, span, leftward);
        }
    }
    shaped
}

/// Pieces of one font each.
fn spans(text: &str) -> Vec<(usize, &str)> {
    let mut spans: Vec<(usize, std::ops::Range<usize>)> = Vec::new();
    for (start, cluster) in text.grapheme_indices(true) {
        let before = spans.last().map(|(face, _)| *face);
        let Some(face) = fonts::for_cluster(cluster, before) else { continue };
        let end = start + cluster.len();
        match spans.last_mut() {
            Some((last, range)) if *last == face && range.end == start => range.end = end,
            _ => spans.push((face, start..end)),
        }
    }
    spans.into_iter().map(|(face, range)| (face, &text[range])).collect()
}

impl Shaped {
    #[expect(clippy::cast_precision_loss, reason = "font units of a line are far below what f32 counts exactly")]
    fn append(&mut self, face: usize, text: &str, leftward: bool) {
        let font = &fonts::face(face).shaping;
        let em = f32::from(font.units_per_em().max(1));
        let mut buffer = Buffer::new();
        if face == fonts::EMOJI {
            buffer.push_str(&toneless(text));
        } else {
            buffer.push_str(text);
        }
        buffer.set_direction(if leftward { Direction::RightToLeft } else { Direction::LeftToRight });
        buffer.guess_segment_properties();
        if harfrust::shape(&ShaperFont::new(font), &mut buffer, ShapeOptions::new()).is_err() {
            return;
        }
        for (glyph, place) in buffer.glyph_infos().iter().zip(buffer.glyph_positions()) {
            if glyph.glyph_id == 0 {
                continue;
            }
            let (x, y) = (self.width + place.x_offset as f32 / em, place.y_offset as f32 / em);
            self.glyphs.push(Glyph { face, id: GlyphId::new(glyph.glyph_id), x, y });
            self.width += place.x_advance as f32 / em;
        }
    }
}

/// Without the tone of skin that people are given: a picture in one colour cannot show it, and the font has nothing but
/// the room for it, as a gap behind the picture. One that follows nothing is a picture itself.
fn toneless(text: &str) -> String {
    let is_tone = |character: char| matches!(character, '\u{1f3fb}'..='\u{1f3ff}');
    let mut before = None;
    text.chars()
        .filter(|character| {
            let follows = before.replace(*character).is_some_and(|before: char| !before.is_whitespace());
            !(is_tone(*character) && follows)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::clean;
    use super::shape;

    const NAMES: [&str; 26] = [
        "Ada Lovelace",
        "Zoë Ångström",
        "Мария Ильинична",
        "Ελένη Παπαδοπούλου",
        "مريم الإدريسي",
        "فاطمه‌ زهرا",
        "שרה כהן",
        "अनुष्का शर्मा",
        "রবীন্দ্রনাথ ঠাকুর",
        "தமிழ்ச்செல்வி",
        "తెలుగు",
        "ಕನ್ನಡ",
        "മലയാളം",
        "ગુજરાતી",
        "ਪੰਜਾਬੀ",
        "සිංහල",
        "สมชาย ใจดี",
        "ລາວ",
        "ភាសាខ្មែរ",
        "မြန်မာ",
        "አማርኛ",
        "Հայկ ქეთი",
        "山田太郎 やまだ タロウ",
        "김민수",
        "欧阳娜娜 繁體",
        "👩🏽‍🎨 🏳️‍🌈 ❤️ ☺",
    ];

    #[test]
    fn every_script_is_shaped_without_a_missing_glyph() {
        for name in NAMES {
            assert_eq!(clean(name), name, "nothing of it is left out");
            let shaped = shape(name);
            assert!(shaped.glyphs.iter().all(|glyph| glyph.id.to_u32() != 0), "{name}");
            assert!(!shaped.glyphs.is_empty() && shaped.width > 1.0, "{name}");
        }
    }

    #[test]
    fn letters_that_join_change_their_form() {
        let forms = |text: &str| -> Vec<u32> { shape(text).glyphs.iter().map(|glyph| glyph.id.to_u32()).collect() };
        let apart: Vec<u32> = "مريم".chars().rev().flat_map(|letter| forms(&letter.to_string())).collect();
        assert_ne!(forms("مريم"), apart, "Arabic joins");
        assert!(forms("क्ष").len() < 3, "Devanagari has ligatures");
        assert_eq!(forms("👩🏽‍🎨").len(), forms("👩").len(), "an emoji of four characters is one picture");
    }

    #[test]
    fn a_tone_of_skin_leaves_no_gap() {
        let seen = |text: &str| -> (Vec<u32>, f32) {
            let shaped = shape(text);
            (shaped.glyphs.iter().map(|glyph| glyph.id.to_u32()).collect(), shaped.width)
        };
        for (toned, plain) in [("👍🏽", "👍"), ("👩🏽‍🎨", "👩‍🎨"), ("👋🏿👋🏻", "👋👋"), ("🧑🏼‍🚀", "🧑‍🚀")]
        {
            assert_eq!(seen(toned), seen(plain), "{toned}");
        }
        let blank = seen("👋 A").1 - seen("👋").1 - seen("A").1;
        assert!(blank < 0.4, "a blank behind a picture is as wide as between words: {blank}");
        assert!(!seen("🏽").0.is_empty(), "one alone is a picture");
    }

    #[test]
    fn right_to_left_text_is_seen_from_the_right() {
        let shaped = shape("שרה Cohen");
        assert!(shaped.leftward);
        let (hebrew, latin): (Vec<_>, Vec<_>) = shaped.glyphs.iter().partition(|glyph| glyph.face == 2);
        assert!(
            hebrew.iter().all(|letter| latin.iter().all(|other| letter.x > other.x)),
            "the first word is on the right"
        );
    }
}
