//! The page of one artwork.

use atelier_events::percent::encode_path;
use atelier_events::{Lineage, Relation, Swatch};
use serde::Serialize;
use serde_json::{Value, json};

use super::card::Card;
use super::frame::{Frame, Moment, Picture, timestamp, tint_of, title};
use super::{RenderError, Site, artwork_href};
use crate::backdrop::impression;
use crate::catalogue::{Shown, Slot};
use crate::gallery::{Artwork, Image, Variant};
use crate::kinship::{Kin, descent};
use crate::listings::{Kind, Listing};
use crate::untrusted::{WebLink, colour, excerpt, printable, web_link};
use crate::video::{Video, video};

/// How many tags of an artwork its page shows; more of them tell nothing.
const SHOWN_TAGS: usize = 32;

/// How many colours of a palette are shown.
const SHOWN_SWATCHES: usize = 8;

/// How many of the works that came from this one are shown, the newest.
const SHOWN_DESCENDED: usize = 12;

/// How many colours a search for works of similar colours asks for.
const SOUGHT_SWATCHES: usize = 4;

/// Up to this side pixel art is enlarged, in CSS pixels.
const PIXELS_SIDE: u32 = 1024;

#[derive(Serialize)]
struct ArtworkPage<'a> {
    page: Frame<'a>,
    artwork: ArtworkView<'a>,
    /// What a listing shows of it, for the reader's browser to keep.
    card: Card,
    share: Vec<ShareLink>,
    newer: Option<Neighbour>,
    older: Option<Neighbour>,
}

#[derive(Serialize)]
struct ArtworkView<'a> {
    title: String,
    artist: &'a str,
    /// Where all of the artist's are.
    artist_href: Option<String>,
    description: &'a str,
    category: Option<ListingLink<'a>>,
    materials: Option<&'a str>,
    dimensions: Option<&'a str>,
    featured: bool,
    created: Moment,
    alt: String,
    display: Picture,
    thumb: Picture,
    /// Sizes of the display for `srcset`, itself the last.
    srcset: Vec<Picture>,
    /// How wide the picture is shown.
    sizes: String,
    /// The same for smaller screens, as WebP.
    webp_srcset: Vec<Picture>,
    /// The screens for which the largest of them is sharp.
    webp_media: String,
    lossless: Option<Picture>,
    animation: Option<Picture>,
    pixelated: bool,
    /// How many times its size the picture may be shown.
    zoom: u32,
    backdrop: Option<String>,
    source: Option<WebLink>,
    video: Option<Video>,
    prompt: Option<&'a str>,
    provider: Option<&'a str>,
    model: Option<&'a str>,
    seed: Option<String>,
    width: u32,
    height: u32,
    palette: Vec<SwatchView>,
    /// Families of colours that it is listed by.
    colours: Vec<ListingLink<'a>>,
    /// A search for works of similar colours.
    similar: Option<String>,
    tags: Vec<ListingLink<'a>>,
    variants: Vec<VariantView<'a>>,
    /// The works that it came from.
    origins: Vec<KinView>,
    /// The works that came from it.
    descended: Vec<KinView>,
}

#[derive(Serialize)]
struct SwatchView {
    colour: String,
    /// A search for works of this colour.
    href: String,
    /// Percent of the picture.
    share: u16,
}

/// Where the work can be told of: a plain link, which contacts nobody until it is followed.
#[derive(Serialize)]
struct ShareLink {
    name: &'static str,
    href: String,
}

#[derive(Serialize)]
struct ListingLink<'a> {
    href: String,
    name: &'a str,
}

#[derive(Serialize)]
struct VariantView<'a> {
    full: Picture,
    thumb: Picture,
    prompt: Option<&'a str>,
    /// How it came from the version that is shown large, or that one from it.
    kinship: Option<&'static str>,
}

/// Another work, of which this one came or which came from it.
#[derive(Serialize)]
struct KinView {
    href: String,
    title: String,
    thumb: Picture,
    /// What it is to this one.
    kinship: &'static str,
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
        let share = share_links(&frame);
        let context = ArtworkPage {
            page: frame,
            artwork: self.artwork_view(slot),
            card: Card::new(artwork),
            share,
            newer,
            older,
        };
        Ok(self.templates.render("artwork.html", context)?)
    }

    fn artwork_view(&self, slot: Slot) -> ArtworkView<'_> {
        let Shown { artwork, listings, .. } = self.shown(slot);
        let listings: Vec<&Listing> = listings.iter().map(|id| self.catalogue.listing(*id)).collect();
        let of = |kind: Kind| listings.iter().filter(move |listing| listing.kind == kind).copied();
        let palette: Vec<SwatchView> =
            artwork.palette.iter().filter_map(SwatchView::new).take(SHOWN_SWATCHES).collect();
        let present = |text: &'_ Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        ArtworkView {
            title: full_title(artwork),
            artist: artwork.artist.trim(),
            artist_href: of(Kind::Artist).map(Listing::href).next(),
            description: artwork.description.trim(),
            category: of(Kind::Category).map(ListingLink::new).next(),
            materials: artwork.materials.as_deref().filter(|_| present(&artwork.materials)),
            dimensions: artwork.dimensions.as_deref().filter(|_| present(&artwork.dimensions)),
            featured: artwork.featured,
            created: artwork.created_on.map_or_else(|| Moment::new(artwork.created_at), Moment::day),
            alt: title(artwork),
            display: Picture::new(&artwork.display),
            thumb: Picture::new(&artwork.thumb),
            sizes: sizes(&artwork.display),
            webp_media: artwork.webp_mediums.last().map(sharp_up_to).unwrap_or_default(),
            srcset: artwork.mediums.iter().chain([&artwork.display]).map(Picture::new).collect(),
            webp_srcset: artwork.webp_mediums.iter().map(Picture::new).collect(),
            lossless: artwork.lossless.as_ref().map(Picture::new),
            animation: artwork.animation.as_ref().map(Picture::new),
            pixelated: artwork.pixelated,
            zoom: if artwork.pixelated { zoom(&artwork.display) } else { 1 },
            backdrop: artwork.placeholder.as_deref().and_then(impression).or_else(|| tint_of(artwork)),
            source: artwork.source_url.as_deref().and_then(web_link),
            video: artwork.video_url.as_deref().and_then(video),
            prompt: artwork.prompt.as_deref().filter(|_| present(&artwork.prompt)),
            provider: artwork.provider.as_deref().filter(|_| present(&artwork.provider)),
            model: artwork.model.as_deref().filter(|_| present(&artwork.model)),
            seed: artwork.seed.map(|seed| seed.to_string()),
            width: artwork.width,
            height: artwork.height,
            similar: similar(&palette),
            palette,
            colours: of(Kind::Colour).map(ListingLink::new).collect(),
            tags: of(Kind::Tag).take(SHOWN_TAGS).map(ListingLink::new).collect(),
            variants: artwork.variants.iter().map(|variant| VariantView::new(variant, artwork)).collect(),
            origins: self.origins(slot),
            descended: self.descended(slot),
        }
    }

    fn origins(&self, slot: Slot) -> Vec<KinView> {
        let origins = self.catalogue.kinship().origins(slot, &self.shown(slot).artwork).into_iter();
        let told = |relation| match relation {
            Relation::Derived => "Derived from",
            Relation::Refined => "Refined from",
            Relation::Forked => "Forked from",
        };
        origins.map(|kin| self.kin(kin, told(kin.relation))).collect()
    }

    fn descended(&self, slot: Slot) -> Vec<KinView> {
        let artwork = &self.shown(slot).artwork;
        let descended = self.catalogue.kinship().descended(slot, artwork).into_iter();
        let descended = descended.filter_map(|younger| descent(younger, &self.shown(younger).artwork, artwork));
        let told = |relation| match relation {
            Relation::Derived => "Derived",
            Relation::Refined => "Refined",
            Relation::Forked => "Forked",
        };
        descended.take(SHOWN_DESCENDED).map(|kin| self.kin(kin, told(kin.relation))).collect()
    }

    fn kin(&self, kin: Kin, kinship: &'static str) -> KinView {
        let artwork = &self.shown(kin.slot).artwork;
        KinView {
            href: artwork_href(&artwork.id),
            title: title(artwork),
            thumb: Picture::new(artwork.thumb_of(kin.version)),
            kinship,
        }
    }

    fn json_ld(&self, artwork: &Artwork, href: &str) -> Value {
        let mut work = json!({
            "@context": "https://schema.org",
            "@type": "VisualArtwork",
            "name": title(artwork),
            "url": self.meta.url(href),
            "image": {
                "@type": "ImageObject",
                "contentUrl": self.meta.url(&Picture::new(&artwork.display).src),
                "thumbnailUrl": self.meta.url(&Picture::new(&artwork.preview).src),
                "width": artwork.display.width,
                "height": artwork.display.height,
                "encodingFormat": artwork.display.media_type,
            },
            "dateCreated": artwork.created_on.map_or_else(|| timestamp(artwork.created_at), |day| day.to_string()),
            "isPartOf": { "@type": "WebSite", "name": printable(&self.meta.title), "url": self.meta.url("") },
            "keywords": artwork.tags.iter().map(|tag| printable(tag)).collect::<Vec<_>>(),
        });
        let artist = excerpt(&artwork.artist, 60);
        if !artist.is_empty() {
            work["creator"] = json!({ "@type": "Person", "name": artist });
        }
        let described = [
            ("description", Some(&artwork.description), 500),
            ("artform", Some(&artwork.category), 60),
            ("artMedium", artwork.materials.as_ref(), 120),
            ("size", artwork.dimensions.as_ref(), 120),
        ];
        for (property, text, max_chars) in described {
            let text = text.map(|text| excerpt(text, max_chars)).unwrap_or_default();
            if !text.is_empty() {
                work[property] = json!(text);
            }
        }
        if let Some(source) = artwork.source_url.as_deref().and_then(web_link) {
            work["isBasedOn"] = json!(source.href);
        }
        work
    }
}

fn share_links(frame: &Frame<'_>) -> Vec<ShareLink> {
    let url = frame.canonical.as_deref().unwrap_or_default();
    let image = frame.image.as_ref().map(|image| image.url.as_str()).unwrap_or_default();
    let [text, title, url, image] = [&format!("{} {url}", frame.title), &frame.title, url, image].map(encode_path);
    [
        ("Mastodon", format!("https://share.joinmastodon.org/#text={text}")),
        ("Bluesky", format!("https://bsky.app/intent/compose?text={text}")),
        ("Reddit", format!("https://www.reddit.com/submit?url={url}&title={title}")),
        (
            "Pinterest",
            format!("https://www.pinterest.com/pin/create/button/?url={url}&media={image}&description={title}"),
        ),
        ("E-mail", format!("mailto:?subject={title}&body={text}")),
    ]
    .map(|(name, href)| ShareLink { name, href })
    .into()
}

/// What the style sheet makes of it: no larger than the picture, the window's width, or four fifths of its height.
fn sizes(display: &Image) -> String {
    let ratio = f64::from(display.width.max(1)) / f64::from(display.height.max(1));
    format!("min(100vw, {}px, {:.1}vh)", display.width, ratio * 82.0)
}

fn sharp_up_to(largest: &Image) -> String {
    format!("(max-width: {}px), (max-width: {}px) and (max-resolution: 1dppx)", largest.width / 2, largest.width)
}

/// Pixel art is enlarged by a whole number, so that all its squares have one size.
fn zoom(image: &Image) -> u32 {
    (PIXELS_SIDE / image.width.max(image.height).max(1)).max(1)
}

/// The title in its whole length.
fn full_title(artwork: &Artwork) -> String {
    let whole = printable(artwork.title.trim());
    if whole.trim().is_empty() { title(artwork) } else { whole.into_owned() }
}

/// The address of a search for works with these colours.
fn similar(palette: &[SwatchView]) -> Option<String> {
    let sought: Vec<&str> = palette.iter().take(SOUGHT_SWATCHES).map(|swatch| &swatch.colour[1..]).collect();
    (sought.len() > 1).then(|| format!("search/?c={}", sought.join("-")))
}

impl SwatchView {
    fn new(swatch: &Swatch) -> Option<Self> {
        let colour = colour(&swatch.colour)?;
        let href = format!("search/?c={}", &colour[1..]);
        // At least one: a colour that is there at all does not cover nothing.
        Some(Self { colour, href, share: (swatch.per_mille.saturating_add(5) / 10).max(1) })
    }
}

impl<'a> ListingLink<'a> {
    fn new(listing: &'a Listing) -> Self {
        Self { href: listing.href(), name: &listing.name }
    }
}

impl<'a> VariantView<'a> {
    fn new(variant: &'a Variant, artwork: &Artwork) -> Self {
        let names = |lineage: &[Lineage], parent| lineage.iter().any(|origin| origin.parent.0 == parent);
        let kinship = if names(&artwork.lineage, variant.id) {
            Some("Became this one")
        } else if names(&variant.lineage, artwork.cover) {
            Some("From this one")
        } else {
            None
        };
        Self {
            full: Picture::new(&variant.display),
            thumb: Picture::new(&variant.thumb),
            prompt: variant.prompt.as_deref(),
            kinship,
        }
    }
}

impl Neighbour {
    fn new(artwork: &Artwork) -> Self {
        Self { href: artwork_href(&artwork.id), title: title(artwork), icon: Picture::new(&artwork.icon) }
    }
}
