//! The card that a shared link shows: the picture with its title and artist on it.

use atelier_events::{Look, Swatch};

use crate::caption::Caption;
use crate::raster::{Raster, mixed};
use crate::text::{Line, Paint, clean, paragraph};

/// Width and height in pixels: what the places where links are shared crop to.
pub(crate) const SIZE: (u32, u32) = (1200, 630);

/// The picture fills the card where that crops and enlarges little. Otherwise it is shown whole on its own darkest
/// colour, pixel art with its pixels as squares: nothing else is ever enlarged.
pub(crate) fn card(picture: &Raster, caption: &Caption, look: Look, palette: &[Swatch]) -> Raster {
    let mut card = if fills(picture) { picture.covering(SIZE.0, SIZE.1) } else { framed(picture, look, palette) };
    if card.has_alpha() {
        card = card.flattened().into_owned();
    }
    let (title, artist) = (clean(&caption.title), clean(&caption.artist));
    let room = px(SIZE.0) - 2.0 * MARGIN;
    let titles = paragraph(&title, TITLE, room, TITLE_LINES);
    let by = Line::set(&artist, ARTIST, room);
    if titles.is_empty() && by.is_none() {
        return card;
    }
    let height = px(u32::try_from(titles.len()).unwrap_or(0)) * TITLE * LEADING
        + if by.is_some() { ARTIST * LEADING } else { 0.0 };
    shade(&mut card, height + 2.2 * MARGIN);
    let mut base = px(SIZE.1) - MARGIN - height;
    for line in &titles {
        base += TITLE * LEADING;
        write(&mut card, line, base - TITLE * DESCENT, 255);
    }
    if let Some(by) = by {
        write(&mut card, &by, base + ARTIST * LEADING - ARTIST * DESCENT, 215);
    }
    card
}

const MARGIN: f32 = 48.0;
const TITLE: f32 = 56.0;
const TITLE_LINES: usize = 2;
const ARTIST: f32 = 36.0;
/// From line to line, against the height of the font.
const LEADING: f32 = 1.3;
/// From the base of letters to the end of their line.
const DESCENT: f32 = 0.36;
/// A picture that covers the card may be enlarged to this, in per cent.
const MOST_ENLARGED: u64 = 150;
/// This much of a picture that covers the card is to be seen, in per cent.
const LEAST_SEEN: u64 = 55;

fn fills(picture: &Raster) -> bool {
    let (width, height) = (u64::from(picture.width()), u64::from(picture.height()));
    let (wide, high) = (u64::from(SIZE.0), u64::from(SIZE.1));
    let wider = width * high > height * wide;
    let enlarged = if wider { high * 100 / height } else { wide * 100 / width };
    let seen = if wider { height * wide * 100 / (high * width) } else { width * high * 100 / (wide * height) };
    enlarged <= MOST_ENLARGED && seen >= LEAST_SEEN
}

/// The whole picture in the middle.
fn framed(picture: &Raster, look: Look, palette: &[Swatch]) -> Raster {
    let mut card = Raster::filled(SIZE.0, SIZE.1, backdrop(palette));
    let times = (SIZE.0 / picture.width()).min(SIZE.1 / picture.height());
    let whole = if look == Look::Pixels && times > 1 {
        picture.enlarged(times)
    } else if times >= 1 {
        picture.clone()
    } else {
        let by_height = (picture.width() * SIZE.1 / picture.height()).max(1);
        let by_width = (picture.height() * SIZE.0 / picture.width()).max(1);
        if by_height <= SIZE.0 { picture.resized(by_height, SIZE.1) } else { picture.resized(SIZE.0, by_width) }
    };
    card.lay(&whole, (SIZE.0 - whole.width()) / 2, (SIZE.1 - whole.height()) / 2);
    card
}

/// The picture's most present colour, darkened: what is in front stands out from it, and white words can be read.
fn backdrop(palette: &[Swatch]) -> [u8; 3] {
    let colour = palette.first().map_or("", |swatch| swatch.colour.as_str());
    let digits = u32::from_str_radix(colour.trim_start_matches('#'), 16).unwrap_or(0x80_80_80);
    let [_, red, green, blue] = digits.to_be_bytes();
    [red, green, blue].map(|value| mixed(24, value, 80))
}

/// Darkens the lower part, the lower the more.
fn shade(card: &mut Raster, height: f32) {
    let row = card.width() as usize * 3;
    let rows = card.height() as usize;
    let shaded = whole(height).min(rows);
    for (at, line) in card.pixels_mut().chunks_exact_mut(row).skip(rows - shaded).enumerate() {
        // Rises fast, so that the first line of words is on dark ground.
        let depth = u16::try_from((at + 1) * 510 / shaded).unwrap_or(255).min(255);
        let opacity = depth * 176 / 255;
        for value in line {
            *value = mixed(*value, 0, opacity);
        }
    }
}

/// A line from the left margin, or from the right one where that is where its script begins.
fn write(card: &mut Raster, line: &Line, base: f32, strength: u32) {
    let x = if line.leftward() { px(SIZE.0) - MARGIN - line.width() } else { MARGIN };
    let (x, base) = (i64::try_from(whole(x)).unwrap_or(0), i64::try_from(whole(base)).unwrap_or(0));
    line.mask(0).paint(card, x, base, Paint { value: 255, gain: strength, most: 255 });
}

#[expect(clippy::cast_precision_loss, reason = "pixels of a side are far below the 16 million that f32 counts exactly")]
fn px(count: u32) -> f32 {
    count as f32
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, below zero is none")]
fn whole(length: f32) -> usize {
    length as usize
}
