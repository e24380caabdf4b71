//! The embedded fonts, in the order in which they are asked.

use std::sync::LazyLock;

use harfrust::Font;
use skrifa::{FontRef, MetadataProvider as _};

/// A font in the two views that its users take: glyphs from characters, and outlines of glyphs.
pub(super) struct Face {
    pub(super) shaping: Font,
    pub(super) outlines: FontRef<'static>,
}

macro_rules! font_files {
    ($($name:literal),*) => { [$(include_bytes!(concat!("../../assets/fonts/", $name, ".ttf")).as_slice()),*] };
}

/// The first that has a character draws it.
const FILES: [&[u8]; 22] = font_files![
    "NotoSans",
    "NotoSansArabic",
    "NotoSansHebrew",
    "NotoSansDevanagari",
    "NotoSansArmenian",
    "NotoSansGeorgian",
    "NotoSansThai",
    "NotoSansBengali",
    "NotoSansTamil",
    "NotoSansTelugu",
    "NotoSansKannada",
    "NotoSansMalayalam",
    "NotoSansGujarati",
    "NotoSansGurmukhi",
    "NotoSansSinhala",
    "NotoSansKhmer",
    "NotoSansLao",
    "NotoSansMyanmar",
    "NotoSansEthiopic",
    "DroidSansFallback",
    "NanumGothic",
    "NotoEmoji"
];

/// The one with pictures, each in one colour.
pub(super) const EMOJI: usize = FILES.len() - 1;

/// Read when first asked for: most texts need one of them.
static FACES: [LazyLock<Face>; FILES.len()] = {
    macro_rules! faces {
        ($($at:literal)*) => { [$(LazyLock::new(|| Face::of(FILES[$at]))),*] };
    }
    faces![0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21]
};

impl Face {
    fn of(file: &'static [u8]) -> Self {
        Self {
            shaping: Font::new(file, 0).expect("the embedded font is a font"),
            outlines: FontRef::new(file).expect("the embedded font is a font"),
        }
    }

    fn has(&self, character: char) -> bool {
        self.outlines.charmap().map(character).is_some_and(|glyph| glyph.to_u32() != 0)
    }
}

pub(super) fn face(at: usize) -> &'static Face {
    &FACES[at]
}

/// The font that has all of a letter with its marks. A blank or a dot stays with the letter before it, so that a word
/// is shaped in one go.
pub(super) fn for_cluster(cluster: &str, before: Option<usize>) -> Option<usize> {
    let mut visible = cluster.chars().filter(|character| !is_ignorable(*character)).peekable();
    visible.peek()?;
    let has_all = |at: &usize| visible.clone().all(|character| face(*at).has(character));
    // The selector asks for the emoji where a text font has the character, too.
    if cluster.contains('\u{fe0f}') && has_all(&EMOJI) {
        return Some(EMOJI);
    }
    let neutral = visible.clone().all(|character| !character.is_alphanumeric());
    // The blank of the pictures is as wide as they are: a gap between words.
    let blank = visible.clone().all(char::is_whitespace);
    let stays = |at: &usize| neutral && has_all(at) && !(blank && *at == EMOJI);
    before.filter(stays).or_else(|| (0..FILES.len()).find(has_all))
}

/// What joins or selects, and has no picture of its own.
pub(super) fn is_ignorable(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}
