//! What every HTML page has around its content, and what pages say in the same way.

use atelier_events::percent::encode_path;
use serde::Serialize;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::{RenderError, Site, media_path};
use crate::archive::PAGE_SIZE;
use crate::backdrop::tint;
use crate::gallery::{Artwork, Image};
use crate::untrusted::{WebLink, colour, excerpt, web_link};

/// The head of a page and the way from it to the site's root.
#[derive(Debug, Serialize)]
pub(super) struct Frame<'a> {
    /// The [`SiteMeta`](crate::gallery::SiteMeta), as templates are given it.
    pub site: &'a minijinja::Value,
    /// `../` for every folder the page lies in, or an absolute path for the page that is served under any address.
    pub root: String,
    pub title: String,
    pub description: String,
    /// Absolute; none for a page that search engines should leave out.
    pub canonical: Option<String>,
    /// `website` or `article`.
    pub kind: &'static str,
    pub image: Option<SocialImage>,
    pub json_ld: Option<Value>,
    /// Relative to the root, for `rel` links.
    pub newer: Option<String>,
    pub older: Option<String>,
    /// The feeds of what this page lists, where it is not the whole gallery.
    pub feeds: Vec<FeedLink>,
    /// Which entry of the menu the page belongs to.
    pub section: &'static str,
}

/// The picture of a page in social networks.
#[derive(Debug, Serialize)]
pub(super) struct SocialImage {
    pub url: String,
    pub width: u32,
    pub height: u32,
    pub media_type: String,
    pub alt: String,
}

/// A way to a feed.
#[derive(Debug, Serialize)]
pub(super) struct FeedLink {
    /// As people call its format.
    pub name: &'static str,
    pub media_type: &'static str,
    /// Relative to the root.
    pub href: String,
}

/// A picture with the size that keeps its place free. The path is relative to the root.
#[derive(Debug, Serialize)]
pub(super) struct Picture {
    pub src: String,
    pub width: u32,
    pub height: u32,
}

/// A moment for people and for programs.
#[derive(Debug, Serialize)]
pub(super) struct Moment {
    pub machine: String,
    pub human: String,
}

/// All that a page without content of its own is made from.
#[derive(Debug, Serialize)]
pub(super) struct Framed<'a> {
    pub page: Frame<'a>,
}

#[derive(Serialize)]
struct AboutView<'a> {
    page: Frame<'a>,
    links: Vec<WebLink>,
}

#[derive(Serialize)]
struct RandomView<'a> {
    page: Frame<'a>,
    page_size: u32,
}

impl Site {
    /// The frame of the page at `href`, which is relative to the root and ends in a slash or is empty.
    pub(super) fn frame(&self, href: &str, title: String, description: String) -> Frame<'_> {
        let depth = href.matches('/').count();
        Frame {
            site: &self.given_meta,
            root: if depth == 0 { "./".to_owned() } else { "../".repeat(depth) },
            title,
            description,
            canonical: Some(self.meta.url(href)),
            kind: "website",
            image: None,
            json_ld: None,
            newer: None,
            older: None,
            feeds: Vec::new(),
            section: "",
        }
    }

    pub(super) fn about(&self) -> Result<String, RenderError> {
        let mut frame = self.frame("about/", "About".to_owned(), excerpt(&self.meta.description, 200));
        frame.section = "about";
        let links = self.meta.links.iter().filter_map(|link| web_link(link)).collect();
        Ok(self.templates.render("about.html", AboutView { page: frame, links })?)
    }

    /// Chooses a work in the reader's browser from the archive's pages, so that it is the same file whatever is shown.
    pub(super) fn random(&self) -> Result<String, RenderError> {
        let mut frame = self.frame("random/", "A work at random".to_owned(), String::new());
        frame.canonical = None;
        frame.section = "random";
        Ok(self.templates.render("random.html", RandomView { page: frame, page_size: PAGE_SIZE })?)
    }

    /// Shows what the reader's browser has kept, so that it is the same file whatever is shown.
    pub(super) fn likes(&self) -> Result<String, RenderError> {
        let mut frame = self.frame("likes/", "Likes".to_owned(), String::new());
        frame.canonical = None;
        frame.section = "likes";
        Ok(self.templates.render("likes.html", Framed { page: frame })?)
    }

    pub(super) fn not_found(&self) -> Result<String, RenderError> {
        let mut frame = self.frame("", "Not here".to_owned(), String::new());
        // A server answers any address with this page, so only an absolute path leads out of it.
        let path = self.meta.base_url.splitn(4, '/').nth(3);
        frame.root = path.map_or_else(|| "/".to_owned(), |path| format!("/{path}/"));
        frame.canonical = None;
        Ok(self.templates.render("404.html", Framed { page: frame })?)
    }

    pub(super) fn social_image(&self, artwork: &Artwork) -> SocialImage {
        let image = social_rendition(artwork);
        SocialImage {
            url: self.meta.url(&encode_path(&media_path(&image.key))),
            width: image.width,
            height: image.height,
            media_type: image.media_type.clone(),
            alt: title(artwork),
        }
    }
}

impl Picture {
    pub(super) fn new(image: &Image) -> Self {
        Self { src: encode_path(&media_path(&image.key)), width: image.width, height: image.height }
    }
}

impl Moment {
    pub(super) fn new(at: OffsetDateTime) -> Self {
        let day = at.to_offset(time::UtcOffset::UTC).date();
        Self { machine: timestamp(at), ..Self::day(day) }
    }

    pub(super) fn day(day: Date) -> Self {
        let human = format_description!(version = 2, "[day padding:none] [month repr:long] [year]");
        Self { machine: day.to_string(), human: day.format(&human).unwrap_or_default() }
    }
}

/// RFC 3339 in UTC, to the second.
pub(super) fn timestamp(at: OffsetDateTime) -> String {
    let second = at.to_offset(time::UtcOffset::UTC).replace_nanosecond(0).unwrap_or(at);
    // Only years that four digits cannot hold have no such form, and no clock reports them.
    second.format(&Rfc3339).unwrap_or_default()
}

/// What to call an artwork where a line is all there is.
pub(super) fn title(artwork: &Artwork) -> String {
    let title = excerpt(&artwork.title, 120);
    if title.is_empty() { "Untitled".to_owned() } else { title }
}

/// The rendition that stands for the work elsewhere.
pub(super) fn social_rendition(artwork: &Artwork) -> &Image {
    artwork.card.as_ref().unwrap_or(&artwork.display)
}

/// The colour behind a picture that is still loading.
pub(super) fn tint_of(artwork: &Artwork) -> Option<String> {
    match &artwork.placeholder {
        Some(thumbhash) => tint(thumbhash),
        None => artwork.palette.first().and_then(|swatch| colour(&swatch.colour)),
    }
}
