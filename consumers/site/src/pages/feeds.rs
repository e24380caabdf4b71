//! The newest artworks for feed readers.

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::frame::{SocialImage, timestamp, title};
use super::{RenderError, Site, artwork_href};
use crate::gallery::{Artwork, SiteMeta};
use crate::untrusted::{WebLink, excerpt, printable, web_link};

/// How many artworks a feed carries. Both feeds change with every addition.
pub(super) const FEED_ENTRIES: usize = 20;

#[derive(Serialize)]
struct Atom<'a> {
    site: &'a SiteMeta,
    home: String,
    this: String,
    updated: String,
    entries: Vec<AtomEntry<'a>>,
}

#[derive(Serialize)]
struct AtomEntry<'a> {
    id: String,
    url: String,
    title: String,
    artist: String,
    published: String,
    tags: &'a [String],
    html: String,
}

#[derive(Serialize)]
struct EntryHtml<'a> {
    url: String,
    image: SocialImage,
    description: &'a str,
    source: Option<WebLink>,
}

impl Site {
    pub(super) fn atom(&self) -> Result<String, RenderError> {
        let entries = self
            .newest()
            .map(|artwork| {
                Ok(AtomEntry {
                    id: artwork.id.urn().to_string(),
                    url: self.meta.url(&artwork_href(&artwork.id)),
                    title: title(artwork),
                    artist: excerpt(&artwork.artist, 60),
                    published: timestamp(artwork.published_at),
                    tags: &artwork.tags,
                    html: self.entry_html(artwork)?,
                })
            })
            .collect::<Result<Vec<_>, RenderError>>()?;
        // The build's own time would make every feed differ from the last one.
        let updated = self.newest().next().map_or(OffsetDateTime::UNIX_EPOCH, |newest| newest.published_at);
        let context = Atom {
            site: &self.meta,
            home: self.meta.url(""),
            this: self.meta.url("feed.xml"),
            updated: timestamp(updated),
            entries,
        };
        Ok(self.templates.render("feed.xml", context)?)
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

    fn newest(&self) -> impl Iterator<Item = &Artwork> {
        self.catalogue.all().newest().take(FEED_ENTRIES).map(|slot| self.shown(slot).artwork.as_ref())
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
