//! The page of one artwork.

use serde::Serialize;
use serde_json::{Value, json};

use super::frame::{Frame, Moment, Picture, timestamp, tint_of, title};
use super::{RenderError, Site, artwork_href};
use crate::backdrop::impression;
use crate::catalogue::{Shown, Slot};
use crate::gallery::{Artwork, Image};
use crate::untrusted::{WebLink, colour, excerpt, printable, web_link};
use crate::video::{Video, video};

/// How many tags of an artwork its page shows; more of them tell nothing.
const SHOWN_TAGS: usize = 32;

/// Up to this side pixel art is enlarged, in CSS pixels.
const PIXELS_SIDE: u32 = 1024;

#[derive(Serialize)]
struct ArtworkPage<'a> {
    page: Frame<'a>,
    artwork: ArtworkView<'a>,
    newer: Option<Neighbour>,
    older: Option<Neighbour>,
}

#[derive(Serialize)]
struct ArtworkView<'a> {
    title: String,
    artist: &'a str,
    description: &'a str,
    category: &'a str,
    materials: Option<&'a str>,
    dimensions: Option<&'a str>,
    featured: bool,
    created: Moment,
    alt: String,
    display: Picture,
    /// Sizes of the display for `srcset`, itself the last.
    srcset: Vec<Picture>,
    /// The same for telephones, as WebP.
    webp_srcset: Vec<Picture>,
    lossless: Option<Picture>,
    animation: Option<Picture>,
    pixelated: bool,
    /// How many times its size the picture may be shown.
    zoom: u32,
    preview: Picture,
    backdrop: Option<String>,
    source: Option<WebLink>,
    video: Option<Video>,
    prompt: Option<&'a str>,
    provider: Option<&'a str>,
    seed: Option<String>,
    width: u32,
    height: u32,
    palette: Vec<String>,
    tags: Vec<TagChip<'a>>,
    variants: Vec<VariantView<'a>>,
}

#[derive(Serialize)]
struct TagChip<'a> {
    href: String,
    name: &'a str,
}

#[derive(Serialize)]
struct VariantView<'a> {
    full: Picture,
    thumb: Picture,
    prompt: Option<&'a str>,
}

#[derive(Serialize)]
struct Neighbour {
    href: String,
    title: String,
    icon: Picture,
}

impl Site {
    pub(super) fn artwork(&self, slot: Slot) -> Result<String, RenderError> {
        let artwork = &self.shown(slot).artwork;
        let all = self.catalogue.all();
        let neighbour = |slot: Option<Slot>| slot.map(|slot| Neighbour::new(&self.shown(slot).artwork));
        let (newer, older) = (neighbour(all.newer(slot.0)), neighbour(all.older(slot.0)));
        let href = artwork_href(&artwork.id);

        let by = excerpt(&artwork.artist, 60);
        let heading = if by.is_empty() { title(artwork) } else { format!("{} by {by}", title(artwork)) };
        let summary = [&artwork.description, artwork.prompt.as_ref().unwrap_or(&artwork.description)]
            .into_iter()
            .map(|text| excerpt(text, 200))
            .find(|text| !text.is_empty())
            .unwrap_or_else(|| heading.clone());
        let mut frame = self.frame(&href, heading, summary);
        frame.kind = "article";
        frame.image = Some(self.social_image(artwork));
        frame.json_ld = Some(self.json_ld(artwork, &href));
        frame.newer = newer.as_ref().map(|neighbour| neighbour.href.clone());
        frame.older = older.as_ref().map(|neighbour| neighbour.href.clone());
        let context = ArtworkPage { page: frame, artwork: self.artwork_view(slot), newer, older };
        Ok(self.templates.render("artwork.html", context)?)
    }

    fn artwork_view(&self, slot: Slot) -> ArtworkView<'_> {
        let Shown { artwork, tags } = self.shown(slot);
        let tags = tags.iter().take(SHOWN_TAGS).map(|tag| self.catalogue.tag(*tag));
        let present = |text: &'_ Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        ArtworkView {
            title: full_title(artwork),
            artist: artwork.artist.trim(),
            description: artwork.description.trim(),
            category: artwork.category.trim(),
            materials: artwork.materials.as_deref().filter(|_| present(&artwork.materials)),
            dimensions: artwork.dimensions.as_deref().filter(|_| present(&artwork.dimensions)),
            featured: artwork.featured,
            created: Moment::new(artwork.created_at),
            alt: title(artwork),
            display: Picture::new(&artwork.display),
            srcset: artwork.mediums.iter().chain([&artwork.display]).map(Picture::new).collect(),
            webp_srcset: artwork.webp_mediums.iter().map(Picture::new).collect(),
            lossless: artwork.lossless.as_ref().map(Picture::new),
            animation: artwork.animation.as_ref().map(Picture::new),
            pixelated: artwork.pixelated,
            zoom: if artwork.pixelated { zoom(&artwork.display) } else { 1 },
            preview: Picture::new(&artwork.preview),
            backdrop: artwork.placeholder.as_deref().and_then(impression).or_else(|| tint_of(artwork)),
            source: artwork.source_url.as_deref().and_then(web_link),
            video: artwork.video_url.as_deref().and_then(video),
            prompt: artwork.prompt.as_deref().filter(|_| present(&artwork.prompt)),
            provider: artwork.provider.as_deref().filter(|_| present(&artwork.provider)),
            seed: artwork.seed.map(|seed| seed.to_string()),
            width: artwork.width,
            height: artwork.height,
            palette: artwork.palette.iter().filter_map(|text| colour(text)).take(8).collect(),
            tags: tags.map(|tag| TagChip { href: tag.href(), name: &tag.name }).collect(),
            variants: artwork
                .variants
                .iter()
                .map(|variant| VariantView {
                    full: Picture::new(&variant.display),
                    thumb: Picture::new(&variant.thumb),
                    prompt: variant.prompt.as_deref(),
                })
                .collect(),
        }
    }

    fn json_ld(&self, artwork: &Artwork, href: &str) -> Value {
        let image = self.social_image(artwork);
        let mut work = json!({
            "@context": "https://schema.org",
            "@type": "VisualArtwork",
            "name": title(artwork),
            "url": self.meta.url(href),
            "image": image.url,
            "dateCreated": timestamp(artwork.created_at),
            "keywords": artwork.tags.iter().map(|tag| printable(tag)).collect::<Vec<_>>(),
        });
        let artist = excerpt(&artwork.artist, 60);
        if !artist.is_empty() {
            work["creator"] = json!({ "@type": "Person", "name": artist });
        }
        if let Some(source) = artwork.source_url.as_deref().and_then(web_link) {
            work["isBasedOn"] = json!(source.href);
        }
        work
    }
}

/// Pixel art is enlarged by a whole number, so that all its squares have one size.
fn zoom(image: &Image) -> u32 {
    (PIXELS_SIDE / image.width.max(image.height).max(1)).max(1)
}

/// The title in its whole length.
fn full_title(artwork: &Artwork) -> String {
    let whole = printable(artwork.title.trim());
    if whole.trim().is_empty() { title(artwork) } else { whole }
}

impl Neighbour {
    fn new(artwork: &Artwork) -> Self {
        Self { href: artwork_href(&artwork.id), title: title(artwork), icon: Picture::new(&artwork.icon) }
    }
}
