//! What search engines read: an index of chunks that are sealed like archive pages.

use serde::Serialize;

use super::frame::timestamp;
use super::{RenderError, Site, artwork_href};
use crate::catalogue::SITEMAP_CHUNK;
use crate::listings::Kind;

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

pub(super) fn chunk_path(number: u32) -> String {
    format!("sitemap/{number}.xml")
}

impl Site {
    pub(super) fn sitemap(&self) -> Result<String, RenderError> {
        let chunks = self.catalogue.all().chunks(SITEMAP_CHUNK).map(chunk_path);
        let maps: Vec<String> = chunks.chain([LISTINGS_PATH.to_owned()]).map(|path| self.meta.url(&path)).collect();
        Ok(self.templates.render("sitemap_index.xml", Index { maps })?)
    }

    pub(super) fn sitemap_listings(&self) -> Result<String, RenderError> {
        let overviews = Kind::NAMED.map(|kind| kind.folder().to_owned());
        let listings = self.catalogue.listings().map(|(_, listing)| listing.href());
        let fronts = [String::new(), "about/".to_owned()].into_iter().chain(overviews).chain(listings);
        let locations: Vec<Location> =
            fronts.map(|href| Location { url: self.meta.url(&href), changed: None, image: None }).collect();
        Ok(self.templates.render("sitemap.xml", Map { locations })?)
    }

    pub(super) fn sitemap_chunk(&self, number: u32) -> Result<String, RenderError> {
        let slots = self.catalogue.all().chunk(number, SITEMAP_CHUNK);
        let locations: Vec<Location> = slots
            .map(|slot| &self.shown(slot).artwork)
            .map(|artwork| Location {
                url: self.meta.url(&artwork_href(&artwork.id)),
                changed: Some(timestamp(artwork.published_at)),
                image: Some(self.social_image(artwork).url),
            })
            .collect();
        Ok(self.templates.render("sitemap.xml", Map { locations })?)
    }

    pub(super) fn robots(&self) -> String {
        format!("User-agent: *\nAllow: /\n\nSitemap: {}\n", self.meta.url("sitemap.xml"))
    }
}
