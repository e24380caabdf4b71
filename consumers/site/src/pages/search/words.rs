//! The words of a text as they are searched. `assets/shard.js` makes the same of what a reader types.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Longer words are found by their beginning.
const WORD_MAX_CHARS: usize = 32;

/// Without case, accents and forms of one character; `ß` and the like stay, whoever writes them types them.
fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let lower = text.nfkd().collect::<String>().to_lowercase();
    lower.chars().filter(|c| !is_combining_mark(*c)).map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

/// Calls `each` with every word, as often as it occurs. What is written without blanks between words is cut into pairs of
/// neighbours, and its last character alone: what a reader types is found anywhere in it, by all of its own pairs.
pub(super) fn each_word(text: &str, mut each: impl FnMut(&str)) {
    let folded = folded(text);
    let mut rest = folded.as_str();
    while let Some(start) = rest.find(char::is_alphanumeric) {
        rest = &rest[start..];
        let is_dense = rest.starts_with(is_written_densely);
        let end = rest.find(|c: char| !c.is_alphanumeric() || is_written_densely(c) != is_dense).unwrap_or(rest.len());
        let run = &rest[..end];
        if is_dense {
            for (at, first) in run.char_indices() {
                let pair = first.len_utf8() + run[at + first.len_utf8()..].chars().next().map_or(0, char::len_utf8);
                each(&run[at..at + pair]);
            }
        } else {
            let cut = run.char_indices().nth(WORD_MAX_CHARS).map_or(run.len(), |(at, _)| at);
            each(&run[..cut]);
        }
        rest = &rest[end..];
    }
}

/// Scripts without blanks between words: Thai and Lao, Burmese, Khmer, kana, Chinese characters.
fn is_written_densely(c: char) -> bool {
    matches!(
        c,
        '\u{e00}'..='\u{eff}'
            | '\u{1000}'..='\u{109f}'
            | '\u{1780}'..='\u{17ff}'
            | '\u{3005}'..='\u{3007}'
            | '\u{3040}'..='\u{30ff}'
            | '\u{31f0}'..='\u{31ff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{20000}'..='\u{323af}'
    )
}

#[cfg(test)]
mod tests {
    use super::each_word;

    fn words(text: &str) -> Vec<String> {
        let mut words = vec![];
        each_word(text, |word| words.push(word.to_owned()));
        words
    }

    #[test]
    fn words_are_without_case_and_accents() {
        assert_eq!(words("Ærø, Élan—CAFÉ no.7"), ["ærø", "elan", "cafe", "no", "7"]);
        assert_eq!(words("ΟΔΟΣ ὁδός"), ["οδοσ", "οδοσ"]);
        assert_eq!(words("ﬁne ½ İstanbul"), ["fine", "1", "2", "istanbul"]);
        assert_eq!(words(""), Vec::<String>::new());
        assert_eq!(words(&"x".repeat(40)), ["x".repeat(32)]);
    }

    #[test]
    fn what_has_no_blanks_is_cut_into_pairs() {
        assert_eq!(words("夕焼け空 2024年"), ["夕焼", "焼け", "け空", "空", "2024", "年"]);
        assert_eq!(words("sea海"), ["sea", "海"]);
    }
}
