//! A gallery to look at a theme with: works of every kind that templates have to get along with, and their pictures.
//!
//! Nothing of it is left to chance: a sample is the same bytes whenever it is made.

mod painting;

use atelier_events::{Lineage, Relation, Swatch, VariantId};
use sha2::{Digest, Sha256};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::assets::hex;
use crate::gallery::{Artwork, Image, Variant};
use painting::Painting;

/// How many works there are: more than one page of them.
pub const WORKS: u32 = 40;

const FIRST: OffsetDateTime = datetime!(2026-01-05 18:00 UTC);

const PLACES: [&str; 8] = ["harbour", "ridge", "valley", "marsh", "lighthouse", "orchard", "strait", "moor"];
const TIMES: [&str; 5] = ["First light", "Low tide", "Dusk", "Rain coming", "Last ferry"];
const ARTISTS: [&str; 3] = ["Ines Okafor", "Tomasz Wren", "M. Lindqvist"];

/// Works, the last of which is the newest, and every picture of theirs with its bytes.
#[must_use]
pub fn gallery() -> (Vec<Artwork>, Vec<(Image, Vec<u8>)>) {
    let mut pictures = vec![];
    let works = (0..WORKS).map(|number| artwork(number, &mut pictures)).collect();
    (works, pictures)
}

/// The pictures of one work are cut from one painting.
struct Cutting<'a> {
    painting: Painting,
    folder: String,
    pictures: &'a mut Vec<(Image, Vec<u8>)>,
}

impl Cutting<'_> {
    fn cut(&mut self, name: &str, width: u32, height: u32) -> Image {
        let bytes = self.painting.png(width, height);
        let image = Image {
            key: format!("{name}/{}.png", self.folder),
            width,
            height,
            media_type: "image/png".to_owned(),
            length: bytes.len() as u64,
            sha256: hex(&Sha256::digest(&bytes)),
        };
        self.pictures.push((image.clone(), bytes));
        image
    }
}

/// The `number`-th work: a landscape, unless its number makes it one of the odd ones.
fn artwork(number: u32, pictures: &mut Vec<(Image, Vec<u8>)>) -> Artwork {
    let id = Uuid::from_u128((u128::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    let is_pixel_art = number % 9 == 4;
    let painting = if is_pixel_art { Painting::sprite(number) } else { Painting::landscape(number) };
    let palette = painting.palette();
    let (width, height) = match number % 9 {
        4 => (24, 24),
        1 => (480, 720),
        // A panorama: wider than a listing shows.
        6 => (960, 240),
        _ => (720, 480),
    };
    let mut cutting = Cutting { painting, folder: format!("sample/{id}"), pictures };
    let fitted = |side: u32| {
        let longest = width.max(height);
        (width * side / longest, height * side / longest)
    };
    let preview = if is_pixel_art { (width, height) } else { fitted(256) };
    let medium = fitted(320);
    let at = FIRST + Duration::hours(7 * i64::from(number));
    let word = |words: &[&'static str], step: u32| words[(number * step) as usize % words.len()];
    let mut artwork = Artwork {
        id,
        title: format!("{}, {}", word(&TIMES, 3), word(&PLACES, 5)),
        description: format!("Looking over the {} before anybody was up.\nThe wind had just turned.", word(&PLACES, 5)),
        artist: word(&ARTISTS, 1).to_owned(),
        tags: vec![word(&PLACES, 5).to_owned(), if is_pixel_art { "pixels" } else { "landscape" }.to_owned()],
        category: if is_pixel_art { "pixel art" } else { "digital" }.to_owned(),
        materials: None,
        dimensions: None,
        featured: number.is_multiple_of(7),
        source_url: number.is_multiple_of(2).then(|| format!("https://posts.example/{number}")),
        video_url: None,
        created_on: None,
        created_at: at,
        published_at: at,
        prompt: Some(format!("the {} in the evening, layered paper, long shadows", word(&PLACES, 5))),
        provider: Some("sketch".to_owned()),
        model: None,
        seed: Some(u64::from(number) * 7_919),
        width,
        height,
        display: cutting.cut("display", width, height),
        thumb: cutting.cut("thumb", 150, 150),
        icon: cutting.cut("icon", 64, 64),
        preview: cutting.cut("preview", preview.0, preview.1),
        mediums: if is_pixel_art { vec![] } else { vec![cutting.cut("medium", medium.0, medium.1)] },
        webp_mediums: vec![],
        lossless: None,
        animation: None,
        card: None,
        pixelated: is_pixel_art,
        palette,
        placeholder: (!is_pixel_art).then(|| "3OcRJYB4d3h/iIeHeEh3eIhw+j2w".to_owned()),
        cover: cover_of(number),
        lineage: vec![],
        variants: vec![],
    };
    odd(number, &mut artwork, &mut cutting);
    artwork
}

/// The version of the `number`-th work that is shown large.
fn cover_of(number: u32) -> Uuid {
    Uuid::from_u128((1 << 64) + u128::from(number))
}

/// What templates have to get along with beside the usual.
fn odd(number: u32, artwork: &mut Artwork, cutting: &mut Cutting<'_>) {
    match number {
        3 => {
            artwork.title = String::new();
            artwork.description = String::new();
            artwork.artist = String::new();
            artwork.category = String::new();
            artwork.tags = vec![];
            artwork.palette = vec![];
            artwork.placeholder = None;
            (artwork.prompt, artwork.provider, artwork.seed) = (None, None, None);
        }
        8 => artwork.title = "A title that goes on ".repeat(9),
        11 => {
            "שקיעה מעל הנמל".clone_into(&mut artwork.title);
            "אור אחרון על המים.".clone_into(&mut artwork.description);
            artwork.tags.push("ערב".to_owned());
        }
        16 => artwork.video_url = Some("https://files.example/making-of.mp4".to_owned()),
        26 => artwork.video_url = Some("https://vimeo.com/76979871".to_owned()),
        28 => artwork.video_url = Some("https://videos.example/watch/5".to_owned()),
        35 => {
            "Averylongwordthatnobodybreaksandthatmustnotpushthepagewiderthanthescreenitisreadon"
                .clone_into(&mut artwork.title);
        }
        // All there can be.
        37 => {
            artwork.materials = Some("Gouache on cotton paper".to_owned());
            artwork.dimensions = Some("30 × 20 cm".to_owned());
            artwork.model = Some("sketch-2".to_owned());
            artwork.source_url = Some("https://posts.example/37".to_owned());
            artwork.card = Some(cutting.cut("card", 600, 315));
            // The format is what pages say; browsers look for themselves.
            artwork.webp_mediums = vec![cutting.cut("medium-webp", 320, 213)];
            let parents = [(36, Relation::Derived), (37, Relation::Refined), (37, Relation::Refined)];
            for (step, (parent, relation)) in (1..).zip(parents) {
                cutting.painting = Painting::landscape(100 + step);
                cutting.folder = format!("sample/{}-{step}", artwork.id);
                artwork.variants.push(Variant {
                    id: Uuid::from_u128(u128::from(step)),
                    display: cutting.cut("display", 480, 320),
                    thumb: cutting.cut("thumb", 150, 150),
                    prompt: (step > 1).then(|| "the same, with more fog".to_owned()),
                    lineage: vec![Lineage { parent: VariantId(cover_of(parent)), relation }],
                });
            }
        }
        // From a work that is shown, and from one that is not.
        36 => {
            artwork.lineage = [(20, Relation::Forked), (WORKS, Relation::Derived)]
                .map(|(parent, relation)| Lineage { parent: VariantId(cover_of(parent)), relation })
                .into();
        }
        38 => artwork.animation = Some(cutting.cut("animation", 240, 160)),
        31 => artwork.lossless = Some(cutting.cut("lossless", 24, 24)),
        _ => {}
    }
}

impl Painting {
    fn palette(&self) -> Vec<Swatch> {
        let shares = [420, 310, 180, 90];
        let colours = self.colours().into_iter().zip(shares);
        colours
            .map(|([red, green, blue], per_mille)| Swatch {
                colour: format!("#{red:02x}{green:02x}{blue:02x}"),
                per_mille,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_the_same_whenever_it_is_made() {
        let (works, pictures) = gallery();
        assert!(gallery() == (works.clone(), pictures.clone()));
        assert!(works.iter().flat_map(Artwork::images).all(|image| pictures.iter().any(|(other, _)| other == image)));
    }
}
