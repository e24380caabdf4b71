//! What search engines read: an index of chunks that are sealed like archive pages.

use serde::Serialize;

use super::frame::timestamp;
use super::{RenderError, Site, artwork_href};
use crate::archive::Archive;

/// Artworks in one chunk; search engines accept 50,000.
pub const SITEMAP_CHUNK: usize = 1000;

pub(super) const LISTINGS_PATH: &str = "sitemap/listings.xml";

#[derive(Serialize)]
struct Index {
    maps: Vec<String>,
}

#[derive(Serialize)]
struct Map {
    locations: Vec<Location>,
}

#[derive(Serialize)]
struct Location {
    url: String,
    changed: Option<String>,
    image: Option<String>,
}

pub(super) fn chunk_path(number: usize) -> String {
    format!("sitemap/{number}.xml")
}

impl Site {
    pub(super) fn sitemap(&self) -> Result<String, RenderError> {
        let chunks = (1..=self.sitemap_chunks().pages()).map(chunk_path);
        let maps: Vec<String> = chunks.chain([LISTINGS_PATH.to_owned()]).map(|path| self.meta.url(&path)).collect();
        Ok(self.templates.render("sitemap_index.xml", Index { maps })?)
    }

    pub(super) fn sitemap_listings(&self) -> Result<String, RenderError> {
        let fronts =
            [String::new(), "tags/".to_owned()].into_iter().chain(self.tags.iter().map(crate::tags::Tag::href));
        let locations: Vec<Location> =
            fronts.map(|href| Location { url: self.meta.url(&href), changed: None, image: None }).collect();
        Ok(self.templates.render("sitemap.xml", Map { locations })?)
    }

    pub(super) fn sitemap_chunk(&self, number: usize) -> Result<String, RenderError> {
        let artworks = &self.gallery.artworks()[self.sitemap_chunks().page(number)];
        let locations: Vec<Location> = artworks
            .iter()
            .map(|artwork| Location {
                url: self.meta.url(&artwork_href(&artwork.id)),
                changed: Some(timestamp(artwork.created_at)),
                image: Some(self.social_image(artwork).url),
            })
            .collect();
        Ok(self.templates.render("sitemap.xml", Map { locations })?)
    }

    pub(super) fn robots(&self) -> String {
        format!("User-agent: *\nAllow: /\n\nSitemap: {}\n", self.meta.url("sitemap.xml"))
    }

    fn sitemap_chunks(&self) -> Archive {
        Archive::new(self.gallery.artworks().len(), SITEMAP_CHUNK)
    }
}
