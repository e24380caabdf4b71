//! What a picture is called in a ZIP: readable, unique, and harmless wherever it is unpacked.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The longest part of a name that a title makes, in bytes, so that a name stays below 100.
const SLUG_BYTES: usize = 80;

/// The name of a picture of the work with this number, from 1: `0001-sunset-over-the-sea.png`, and of its next variants
/// `0001-sunset-over-the-sea-2.png` and so on. It begins with a digit, so it is no reserved name; it has letters with their
/// marks, digits, hyphens and one dot, so it leads nowhere and loses nothing at its end; both numbers make it unique, also
/// where capitals and composed letters count as the same.
pub(crate) fn file_name(work: u64, title: &str, variant: usize, extension: &str) -> String {
    let slug = slug(title);
    let slug = if slug.is_empty() { "untitled" } else { &slug };
    let which = if variant > 1 { format!("-{variant}") } else { String::new() };
    format!("{work:04}-{slug}{which}.{extension}")
}

/// Composed (NFC), as most file systems keep names, so that the name in the ZIP is the name on the disk. Letters lose what
/// is a mere way of writing them, such as full width, with their capitals: both would be another name somewhere.
fn slug(title: &str) -> String {
    let mut slug = String::new();
    for char in title.nfkc().flat_map(char::to_lowercase).nfc() {
        let belongs = char.is_alphanumeric() || (is_combining_mark(char) && !slug.is_empty() && !slug.ends_with('-'));
        if slug.len() + char.len_utf8() > SLUG_BYTES {
            break;
        }
        if belongs {
            slug.push(char);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_title_becomes_a_readable_name() {
        assert_eq!(file_name(1, "Sunset, over the Sea!", 1, "png"), "0001-sunset-over-the-sea.png");
        assert_eq!(file_name(12_345, "Über Wälder — 東京", 1, "jpg"), "12345-über-wälder-東京.jpg");
        assert_eq!(file_name(3, "../../etc/passwd", 1, "gif"), "0003-etc-passwd.gif");
        assert_eq!(file_name(4, "CON", 1, "png"), "0004-con.png");
        assert_eq!(file_name(5, "\u{202e}gnp.exe\0/\\:*?\"<>|", 1, "png"), "0005-gnp-exe.png");
        assert_eq!(file_name(6, " . ", 1, "png"), "0006-untitled.png");
        assert_eq!(file_name(7, "Harbour 2", 1, "png"), "0007-harbour-2.png");
        assert_eq!(file_name(8, "Harbour", 2, "png"), "0008-harbour-2.png");
    }

    #[test]
    fn a_letter_has_one_form_however_its_title_was_typed() {
        assert_eq!(file_name(1, "Cafe\u{301}", 1, "png"), file_name(1, "Caf\u{e9}", 1, "png"));
        assert_eq!(file_name(1, "ＡＢＣ", 1, "png"), "0001-abc.png");
        // The virama is a mark and part of the word.
        assert_eq!(file_name(1, "हिन्दी", 1, "png"), "0001-हिन्दी.png");
        assert_eq!(file_name(1, "\u{301}mark first", 1, "png"), "0001-mark-first.png");
    }

    proptest! {
        #[test]
        fn no_title_leads_out_of_the_folder(title in ".{0,400}", number in 1_u64..1_000_000, variant in 1_usize..100_000) {
            let name = file_name(number, &title, variant, "webp");
            prop_assert!(name.len() <= 100, "{name:?} has {} bytes", name.len());
            prop_assert!(name.strip_suffix(".webp").is_some_and(|stem| !stem.contains('.')), "{name:?}");
            let harmless = |char: char| char.is_alphanumeric() || is_combining_mark(char) || "-.".contains(char);
            prop_assert!(name.chars().all(harmless), "{name:?}");
            prop_assert!(name.starts_with(&format!("{number:04}-")), "{name:?}");
            prop_assert_eq!(name.nfc().collect::<String>(), name.clone(), "{:?} is not composed", name);
        }
    }
}
