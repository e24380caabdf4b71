//! The newest artworks for feed readers.

use atelier_events::percent::encode_path;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::frame::{FeedLink, SocialImage, social_rendition, timestamp, title};
use super::{File, RenderError, Site, artwork_href};
use crate::gallery::{Artwork, Image, SiteMeta};
use crate::listings::{FeedFormat, Kind, Listing, ListingId};
use crate::untrusted::{WebLink, excerpt, printable, web_link};

/// How many artworks a feed carries, where it did not tell of more at its listing's last turn.
pub(super) const FEED_ENTRIES: usize = 10;

pub(super) fn path(format: FeedFormat, listing: &Listing) -> String {
    format!("{}{}", listing.folder, format.file_name())
}

/// What the head of a page says of a feed of its listing.
pub(super) fn link(format: FeedFormat, listing: &Listing) -> FeedLink {
    let (name, media_type) = match format {
        FeedFormat::Atom => ("Atom", "application/atom+xml"),
        FeedFormat::Rss => ("RSS", "application/rss+xml"),
        FeedFormat::Json => ("JSON", "application/feed+json"),
    };
    FeedLink { name, media_type, href: encode_path(&path(format, listing)) }
}

pub(super) fn feeds_of(id: ListingId, listing: &Listing) -> impl Iterator<Item = File> {
    FeedFormat::of(listing.kind).iter().map(move |format| File::Feed { listing: id, format: *format })
}

#[derive(Serialize)]
struct Feed<'a> {
    site: &'a SiteMeta,
    title: String,
    home: String,
    this: String,
    updated: Moment,
    entries: Vec<Entry<'a>>,
}

/// A moment as Atom writes it and as RSS does.
#[derive(Serialize)]
struct Moment {
    iso: String,
    rfc2822: String,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: String,
    url: String,
    title: String,
    artist: String,
    published: Moment,
    tags: &'a [String],
    html: String,
    image: &'a Image,
    image_url: String,
}

#[derive(Serialize)]
struct EntryHtml<'a> {
    url: String,
    image: SocialImage,
    description: &'a str,
    source: Option<WebLink>,
}

impl Site {
    pub(super) fn feed(&self, listing: ListingId, format: FeedFormat) -> Result<String, RenderError> {
        let listing = self.catalogue.listing(listing);
        let title = match listing.kind {
            Kind::All => self.meta.title.clone(),
            Kind::Tag | Kind::Category | Kind::Artist | Kind::Colour => {
                format!("{} · {}", excerpt(&listing.name, 80), self.meta.title)
            }
        };
        let (home, this) = (self.meta.url(&listing.href()), self.meta.url(&encode_path(&path(format, listing))));
        let newest = listing.archive.told(FEED_ENTRIES);
        let mut newest = newest.map(|slot| self.shown(slot).artwork.as_ref()).peekable();
        let template = match format {
            FeedFormat::Atom => "feed.xml",
            FeedFormat::Rss => "rss.xml",
            FeedFormat::Json => return self.json_feed(newest, &title, &home, &this),
        };
        // The build's own time would make every feed differ from the last one.
        let updated = newest.peek().map_or(OffsetDateTime::UNIX_EPOCH, |newest| newest.published_at);
        let entries = newest.map(|artwork| self.feed_entry(artwork)).collect::<Result<_, _>>()?;
        let feed = Feed { site: &self.meta, title, home, this, updated: Moment::new(updated), entries };
        Ok(self.templates.render(template, feed)?)
    }

    fn feed_entry<'a>(&self, artwork: &'a Artwork) -> Result<Entry<'a>, RenderError> {
        Ok(Entry {
            id: artwork.id.urn().to_string(),
            url: self.meta.url(&artwork_href(&artwork.id)),
            title: title(artwork),
            artist: excerpt(&artwork.artist, 60),
            published: Moment::new(artwork.published_at),
            tags: &artwork.tags,
            html: self.entry_html(artwork)?,
            image: social_rendition(artwork),
            image_url: self.social_image(artwork).url,
        })
    }

    fn json_feed<'a>(
        &self,
        newest: impl Iterator<Item = &'a Artwork>,
        title: &str,
        home: &str,
        this: &str,
    ) -> Result<String, RenderError> {
        let items = newest.map(|artwork| self.json_item(artwork)).collect::<Result<Vec<_>, _>>()?;
        let feed = json!({
            "version": "https://jsonfeed.org/version/1.1",
            "title": printable(title),
            "description": printable(&self.meta.description),
            "home_page_url": home,
            "feed_url": this,
            "language": self.meta.language,
            "authors": [{ "name": printable(&self.meta.author) }],
            "items": items,
        });
        Ok(serde_json::to_string(&feed)?)
    }

    fn json_item(&self, artwork: &Artwork) -> Result<Value, RenderError> {
        let url = self.meta.url(&artwork_href(&artwork.id));
        let mut item = json!({
            "id": url,
            "url": url,
            "title": title(artwork),
            "content_html": self.entry_html(artwork)?,
            "image": self.social_image(artwork).url,
            "date_published": timestamp(artwork.published_at),
            "tags": artwork.tags.iter().map(|tag| printable(tag)).collect::<Vec<_>>(),
        });
        if let Some(source) = artwork.source_url.as_deref().and_then(web_link) {
            item["external_url"] = json!(source.href);
        }
        let artist = excerpt(&artwork.artist, 60);
        if !artist.is_empty() {
            item["authors"] = json!([{ "name": artist }]);
        }
        Ok(item)
    }

    /// The same small piece of HTML in every format.
    fn entry_html(&self, artwork: &Artwork) -> Result<String, RenderError> {
        let context = EntryHtml {
            url: self.meta.url(&artwork_href(&artwork.id)),
            image: self.social_image(artwork),
            description: artwork.description.trim(),
            source: artwork.source_url.as_deref().and_then(web_link),
        };
        Ok(self.templates.render("entry.html", context)?)
    }
}

impl Moment {
    fn new(at: OffsetDateTime) -> Self {
        // RSS readers know no year before 1900, and no clock reports one.
        let rfc2822 = at.to_offset(time::UtcOffset::UTC).format(&Rfc2822).unwrap_or_default();
        Self { iso: timestamp(at), rfc2822 }
    }
}
