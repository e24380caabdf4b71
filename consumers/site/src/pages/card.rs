//! How a single artwork appears in a listing.
//!
//! It appears in a dozen of them, so its card is rendered once, with marks where it differs from page to page: no text has
//! them, because no document may contain such characters.

use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::frame::{Picture, tint_of, title};
use super::{RenderError, Site, artwork_href};
use crate::catalogue::Slot;
use crate::gallery::Artwork;
use crate::untrusted::excerpt;

/// Aspect ratios that a listing keeps; beyond them it shows the middle of the picture, so that neither a panorama nor a
/// column takes a row for itself.
const LISTED_RATIOS: std::ops::RangeInclusive<f64> = 0.6..=2.2;

/// Stands for the way from the page to the site's root.
const ROOT: char = '\u{1}';

/// Stands for what makes a picture load when it is scrolled to.
const LAZY: char = '\u{2}';

/// How many pictures of a listing load at once: what a window shows before it is scrolled.
const EAGER: usize = 6;

/// An artwork in a listing. Paths are relative to the root.
#[derive(Debug, Serialize)]
pub(super) struct Card {
    href: String,
    src: String,
    title: String,
    artist: String,
    width: u32,
    height: u32,
    /// Width by height with three decimals: the share of a row.
    ratio: String,
    tint: Option<String>,
    pixelated: bool,
}

impl Site {
    /// The cards of a listing for a page that lies `root` below the site's root, as HTML.
    pub(super) fn cards(&self, slots: impl Iterator<Item = Slot>, root: &str) -> Result<Value, RenderError> {
        let mut html = String::new();
        for (place, slot) in slots.enumerate() {
            let lazy = if place < EAGER { "" } else { " loading=\"lazy\"" };
            let mut rest = self.card(slot)?;
            while let Some(at) = rest.find([ROOT, LAZY]) {
                html.push_str(&rest[..at]);
                html.push_str(if rest[at..].starts_with(ROOT) { root } else { lazy });
                rest = &rest[at + 1..];
            }
            html.push_str(rest);
            html.push('\n');
        }
        Ok(Value::from_safe_string(html))
    }

    fn card(&self, slot: Slot) -> Result<&str, RenderError> {
        let shown = self.shown(slot);
        if let Some(card) = shown.card.get() {
            return Ok(card);
        }
        let mark = |mark: char| Value::from_safe_string(mark.into());
        let context = minijinja::context! {
            card => Value::from(Serde(Card::new(&shown.artwork))),
            root => mark(ROOT),
            lazy => mark(LAZY),
        };
        let card = self.templates.render("card.html", context)?;
        Ok(shown.card.get_or_init(|| card.into()))
    }
}

impl Card {
    pub(super) fn new(artwork: &Artwork) -> Self {
        let picture = Picture::new(&artwork.preview);
        let ratio = f64::from(artwork.preview.width.max(1)) / f64::from(artwork.preview.height.max(1));
        Self {
            href: artwork_href(&artwork.id),
            src: picture.src,
            title: title(artwork),
            artist: excerpt(&artwork.artist, 60),
            width: picture.width,
            height: picture.height,
            ratio: format!("{:.3}", ratio.clamp(*LISTED_RATIOS.start(), *LISTED_RATIOS.end())),
            tint: tint_of(artwork),
            pixelated: artwork.pixelated,
        }
    }
}
