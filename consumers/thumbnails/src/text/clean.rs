//! Text as people write it, made fit to be drawn in a line.

use unicode_segmentation::UnicodeSegmentation as _;

use super::fonts;
use super::hangul::composed;

/// Longer texts are not even looked at to their end.
const MOST_CHARACTERS: usize = 400;

/// Marks on one letter, at most: more of them only climb over the picture.
const MOST_MARKS: usize = 4;

/// The text without control characters and without those that reorder it, its blanks single, each letter with few marks,
/// and without all that no font has.
pub(crate) fn clean(text: &str) -> String {
    let mut line = String::new();
    let spoken = composed(text.chars().take(MOST_CHARACTERS).filter(|character| !is_disruptive(*character)));
    for cluster in spoken.graphemes(true) {
        if cluster.chars().all(char::is_whitespace) {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
            continue;
        }
        let marked: String = cluster.chars().take(1 + longest(cluster)).collect();
        if fonts::for_cluster(&marked, None).is_some() {
            line.push_str(&marked);
        } else {
            // A letter without a mark that no font has is better than none.
            let bare: String = marked.chars().take(1).collect();
            if fonts::for_cluster(&bare, None).is_some() && !bare.chars().all(fonts::is_ignorable) {
                line.push_str(&bare);
            }
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// Emoji are joined from many characters, and letters of India from several.
fn longest(cluster: &str) -> usize {
    if cluster.chars().any(|character| character == '\u{200d}') || cluster.chars().skip(1).all(char::is_alphabetic) {
        16
    } else {
        MOST_MARKS
    }
}

/// Control characters but blanks, what overrides the direction of text, and what stands for nothing.
fn is_disruptive(character: char) -> bool {
    let control = character.is_control() && !character.is_whitespace();
    control
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffd}' | '\u{e000}'..='\u{f8ff}'
        )
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn what_reorders_or_breaks_a_line_is_taken_out() {
        assert_eq!(clean(" A\u{202e}d\u{0}a\u{200b}\n\t\u{2066} B\u{feff} "), "Ada B");
        assert_eq!(clean("\u{202e}\u{202d}\u{7}\u{1b} \u{3000}\n"), "");
        assert_eq!(clean("Z\u{313}\u{35c}\u{313}\u{313}\u{313}\u{313}\u{313}").chars().count(), 5);
    }

    #[test]
    fn what_no_font_has_is_left_out() {
        // A hieroglyph, an unassigned character and a private one.
        assert_eq!(clean("Ada \u{13080}\u{0378}\u{e123}B"), "Ada B");
    }

    #[test]
    fn korean_in_letters_is_korean_in_syllables() {
        assert_eq!(clean("\u{1100}\u{1175}\u{11b7} \u{1106}\u{1175}\u{11ab}\u{1109}\u{116e}"), "김 민수");
    }

    #[test]
    fn names_stay_whole() {
        for name in ["Zoë Ångström", "Мария", "مريم", "שרה", "अनुष्का", "山田太郎", "김민수", "👩🏽‍🎨 Ada", "Đặng Thị", "Нıⱥ"]
        {
            assert_eq!(clean(name), name);
        }
    }
}
