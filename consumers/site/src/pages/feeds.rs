//! The newest artworks for feed readers.

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::frame::{SocialImage, social_rendition, timestamp, title};
use super::{RenderError, Site, artwork_href};
use crate::gallery::{Artwork, Image, SiteMeta};
use crate::listings::{Kind, Listing, ListingId};
use crate::untrusted::{WebLink, encode_path, excerpt, printable, web_link};

/// How many artworks a feed carries.
pub(super) const FEED_ENTRIES: usize = 10;

pub(super) fn atom_path(listing: &Listing) -> String {
    format!("{}feed.xml", listing.folder)
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
    pub(super) fn atom(&self, listing: ListingId) -> Result<String, RenderError> {
        let listing = self.catalogue.listing(listing);
        let title = match listing.kind {
            Kind::All => self.meta.title.clone(),
            Kind::Tag | Kind::Category | Kind::Artist | Kind::Colour => {
                format!("{} · {}", excerpt(&listing.name, 80), self.meta.title)
            }
        };
        let path = encode_path(&atom_path(listing));
        Ok(self.templates.render("feed.xml", self.feed(self.newest_of(listing), title, &listing.href(), &path)?)?)
    }

    pub(super) fn rss(&self) -> Result<String, RenderError> {
        let feed = self.feed(self.newest(), self.meta.title.clone(), "", "rss.xml")?;
        Ok(self.templates.render("rss.xml", feed)?)
    }

    fn newest(&self) -> impl Iterator<Item = &Artwork> {
        self.newest_of(self.catalogue.listing(ListingId::ALL))
    }

    fn newest_of<'a>(&'a self, listing: &'a Listing) -> impl Iterator<Item = &'a Artwork> {
        listing.archive.newest_shown().take(FEED_ENTRIES).map(|slot| self.shown(slot).artwork.as_ref())
    }

    fn feed<'a>(
        &'a self,
        newest: impl Iterator<Item = &'a Artwork>,
        title: String,
        home: &str,
        path: &str,
    ) -> Result<Feed<'a>, RenderError> {
        let mut newest = newest.peekable();
        // The build's own time would make every feed differ from the last one.
        let updated = newest.peek().map_or(OffsetDateTime::UNIX_EPOCH, |newest| newest.published_at);
        Ok(Feed {
            site: &self.meta,
            title,
            home: self.meta.url(home),
            this: self.meta.url(path),
            updated: Moment::new(updated),
            entries: newest.map(|artwork| self.feed_entry(artwork)).collect::<Result<_, _>>()?,
        })
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

    pub(super) fn json_feed(&self) -> Result<String, RenderError> {
        let items = self.newest().map(|artwork| self.json_item(artwork)).collect::<Result<Vec<_>, _>>()?;
        let feed = json!({
            "version": "https://jsonfeed.org/version/1.1",
            "title": printable(&self.meta.title),
            "description": printable(&self.meta.description),
            "home_page_url": self.meta.url(""),
            "feed_url": self.meta.url("feed.json"),
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

    /// The same small piece of HTML for both feeds.
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
