//! Lines that fit their room.

use unicode_segmentation::UnicodeSegmentation as _;

use super::mask::Mask;
use super::shape::{Shaped, shape};

/// One line of text in a size.
pub(crate) struct Line {
    shaped: Shaped,
    size: f32,
}

impl Line {
    /// Cleaned text, or as much of it as fits `room` pixels together with an ellipsis; none if that is nothing.
    pub(crate) fn set(text: &str, size: f32, room: f32) -> Option<Self> {
        let whole = Self { shaped: shape(text), size };
        if whole.width() <= room {
            return (!whole.shaped.glyphs.is_empty()).then_some(whole);
        }
        let ends: Vec<usize> = text.grapheme_indices(true).map(|(at, _)| at).filter(|at| *at > 0).collect();
        let shortened = |end: &usize| Self { shaped: shape(&format!("{}…", text[..*end].trim_end())), size };
        let fitting = ends.partition_point(|end| shortened(end).width() <= room);
        // Joining letters can make a longer text the narrower one, so the point is tried and not trusted.
        ends[..fitting].iter().rev().map(shortened).find(|line| line.width() <= room)
    }

    /// In pixels.
    pub(crate) fn width(&self) -> f32 {
        self.shaped.width * self.size
    }

    /// Whether it runs from right to left.
    pub(crate) fn leftward(&self) -> bool {
        self.shaped.leftward
    }

    /// How much of each pixel the letters cover, with at least `pad` pixels of room on every side.
    pub(crate) fn mask(&self, pad: u32) -> Mask {
        Mask::of(&self.shaped, self.size, pad)
    }
}

/// Cleaned text in at most so many lines, broken between words; the last is shortened.
pub(crate) fn paragraph(text: &str, size: f32, room: f32, most: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && lines.len() < most {
        let whole = Line { shaped: shape(rest), size };
        if whole.width() <= room || lines.len() + 1 == most {
            lines.extend(Line::set(rest, size, room));
            break;
        }
        let fits = |end: &usize| shape(rest[..*end].trim_end()).width * size <= room;
        let between_words = breaks(rest);
        let end = match between_words.partition_point(fits) {
            0 => {
                // One word is wider than the room.
                let letters: Vec<usize> = rest.grapheme_indices(true).map(|(at, _)| at).filter(|at| *at > 0).collect();
                match letters.partition_point(fits) {
                    0 => break,
                    fitting => letters[fitting - 1],
                }
            }
            fitting => between_words[fitting - 1],
        };
        lines.extend(Line::set(rest[..end].trim_end(), size, room));
        rest = rest[end..].trim_start();
    }
    lines
}

/// Where a line may end: behind a blank, and around every character of scripts that write without blanks.
fn breaks(text: &str) -> Vec<usize> {
    let mut last = ' ';
    let mut breaks = Vec::new();
    for (at, cluster) in text.grapheme_indices(true) {
        let first = cluster.chars().next().unwrap_or(' ');
        if at > 0
            && (last == ' ' || is_unspaced(last) && !is_closing(first) || is_unspaced(first) && !is_closing(first))
        {
            breaks.push(at);
        }
        last = first;
    }
    breaks
}

fn is_unspaced(character: char) -> bool {
    matches!(character, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}')
}

/// What must not begin a line.
fn is_closing(character: char) -> bool {
    matches!(character, '、' | '。' | '，' | '．' | '！' | '？' | '」' | '』' | '）' | '：' | '；' | 'ー' | '…')
        || character.is_ascii_punctuation()
}

#[cfg(test)]
mod tests {
    use super::super::clean;
    use super::{Line, paragraph};

    #[test]
    fn a_line_never_takes_more_than_its_room() {
        for text in ["W".repeat(200), "Ada ".repeat(50), "山田".repeat(100), "مريم ".repeat(40), "👩🏽‍🎨".repeat(60)]
        {
            let line = Line::set(&clean(&text), 40.0, 300.0).expect("something fits");
            assert!(line.width() <= 300.0 && line.width() > 200.0, "{text:.20}: {}", line.width());
        }
        assert!(Line::set("Ada", 40.0, 5.0).is_none());
    }

    #[test]
    fn a_paragraph_breaks_between_words_and_ends_in_time() {
        let widths = |text: &str| -> Vec<f32> { paragraph(text, 40.0, 300.0, 3).iter().map(Line::width).collect() };
        assert_eq!(widths("Sea").len(), 1);
        assert_eq!(widths("The lighthouse in the fog of November mornings and much more of that").len(), 3);
        assert_eq!(widths(&"山田".repeat(100)).len(), 3);
        assert_eq!(widths(&"W".repeat(200)).len(), 3);
        assert!(widths(&"Ada of the Sea ".repeat(20)).iter().all(|width| *width <= 300.0));
        assert!(paragraph("WWW", 40.0, 3.0, 3).is_empty());
    }
}
