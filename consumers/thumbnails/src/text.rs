//! Text in any script, as coverage of pixels.
//!
//! A line goes through four steps: [`clean`] takes out what could break it, [`shape`] turns characters into glyphs of
//! the embedded [`fonts`] in the order in which they are seen, and [`mask`] draws those. What no font has is left out, so
//! that no glyph 0, the box of a missing character, is ever drawn.

mod clean;
mod fonts;
mod hangul;
mod line;
mod mask;
mod shape;

pub(crate) use clean::clean;
pub(crate) use line::{Line, paragraph};
pub(crate) use mask::Paint;
