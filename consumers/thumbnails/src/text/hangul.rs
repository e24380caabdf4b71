//! Korean syllables from their letters. Files of a Mac have their names in letters, which fonts do not have: they have the
//! eleven thousand syllables, in the order in which letters make them.

const LEADS: (u32, u32) = (0x1100, 19);
const VOWELS: (u32, u32) = (0x1161, 21);
/// The first of them stands for none.
const TAILS: (u32, u32) = (0x11A7, 28);
const SYLLABLES: (u32, u32) = (0xAC00, 19 * 21 * 28);

/// The text with letters of one syllable put together; all else as it is.
pub(super) fn composed(text: impl Iterator<Item = char>) -> String {
    let mut composed = String::new();
    for character in text {
        match composed.chars().last().and_then(|last| joined(last, character)) {
            Some(syllable) => {
                composed.pop();
                composed.push(syllable);
            }
            None => composed.push(character),
        }
    }
    composed
}

/// A lead and a vowel, or both of them and a tail.
fn joined(last: char, next: char) -> Option<char> {
    if let (Some(lead), Some(vowel)) = (place(last, LEADS), place(next, VOWELS)) {
        return char::from_u32(SYLLABLES.0 + (lead * VOWELS.1 + vowel) * TAILS.1);
    }
    let (syllable, tail) = place(last, SYLLABLES).zip(place(next, TAILS))?;
    let open = syllable.is_multiple_of(TAILS.1) && tail > 0;
    open.then(|| char::from_u32(SYLLABLES.0 + syllable + tail)).flatten()
}

fn place(character: char, (first, count): (u32, u32)) -> Option<u32> {
    u32::from(character).checked_sub(first).filter(|place| *place < count)
}

#[cfg(test)]
mod tests {
    use super::composed;

    #[test]
    fn letters_become_syllables_and_syllables_stay() {
        for (letters, syllables) in [
            ("\u{1100}\u{1175}\u{11b7}\u{1106}\u{1175}\u{11ab}\u{1109}\u{116e}", "김민수"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
            ("\u{ac00}\u{11a8}", "각"),
            ("김민수", "김민수"),
            ("e\u{301}", "e\u{301}"),
            // Letters that make no syllable, and a tail too many.
            ("\u{1161}\u{1100}", "\u{1161}\u{1100}"),
            ("\u{ac01}\u{11a8}", "\u{ac01}\u{11a8}"),
            ("\u{ac00}\u{11a7}", "\u{ac00}\u{11a7}"),
        ] {
            assert_eq!(composed(letters.chars()), syllables);
        }
    }
}
