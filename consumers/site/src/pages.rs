//! The site as a set of files, each of which can be rendered alone.
//!
//! [`Site::files`] lists what there is, [`Site::render`] makes one of them, so that ten thousand pages never have to be
//! in memory together and a later caller may render only those that an event concerns.

mod artwork;
mod feeds;
mod frame;
mod listing;
mod search;
mod sitemap;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::archive::{Archive, PAGE_SIZE};
use crate::assets::{Asset, hex};
use crate::gallery::{Gallery, Image, SiteMeta};
use crate::tags::{Tag, tags};
use crate::templates::{SOURCES, Templates};
use crate::untrusted::{is_safe_path, web_link};

pub use search::SEARCH_CHUNK;
pub use sitemap::SITEMAP_CHUNK;

/// A file of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Relative to the site's folder, with slashes; safe to join.
    pub path: String,
    /// The whole file.
    pub bytes: Vec<u8>,
}

/// Which file. Numbers count from 1, from the oldest artwork; indexes are those of the gallery and of its tags.
#[expect(missing_docs, reason = "named like the files, which `Site::render` lists with what makes them")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum File {
    Home,
    Archive { number: usize },
    Artwork { index: usize },
    Tags,
    Tag { tag: usize },
    TagArchive { tag: usize, number: usize },
    Search,
    SearchIndex,
    SearchChunk { number: usize },
    Atom,
    JsonFeed,
    Sitemap,
    SitemapListings,
    SitemapChunk { number: usize },
    NotFound,
    Robots,
    Style,
    Script,
}

/// Why a site cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Not absolute, not `http`, or ambiguous once a path is added.
    #[error("base url \"{0}\" is no address for a site; it starts with http:// or https:// and ends without a slash")]
    BaseUrl(String),
    /// Would be written outside of the site, or nowhere.
    #[error("the key \"{0}\" of an image is not a path that may be written below the site")]
    Key(String),
    /// Two renditions of one key cannot both be right.
    #[error("the key \"{0}\" names two different images; keys are immutable")]
    KeyReused(String),
    /// Says which template and line.
    #[error("a template failed")]
    Template(#[from] minijinja::Error),
    /// A feed or a part of the search index.
    #[error("a document could not be written as json")]
    Json(#[from] serde_json::Error),
}

/// A gallery ready to be rendered.
#[derive(Debug)]
pub struct Site {
    meta: SiteMeta,
    gallery: Gallery,
    tags: Vec<Tag>,
    tags_of_artwork: Vec<Vec<usize>>,
    templates: Templates,
    style: Asset,
    script: Asset,
}

impl Site {
    /// Checks what no page could be made from: the base URL and the keys of the images.
    pub fn new(meta: SiteMeta, gallery: Gallery) -> Result<Self, RenderError> {
        if web_link(&meta.base_url).is_none() || meta.base_url.ends_with('/') || meta.base_url.contains(['?', '#']) {
            return Err(RenderError::BaseUrl(meta.base_url));
        }
        let (tags, tags_of_artwork) = tags(&gallery);
        let site = Self {
            meta,
            gallery,
            tags,
            tags_of_artwork,
            templates: Templates::embedded()?,
            style: Asset::style(),
            script: Asset::script(),
        };
        let mut seen: BTreeMap<&str, &Image> = BTreeMap::new();
        for image in site.gallery.artworks().iter().flat_map(|artwork| artwork.images()) {
            if !is_safe_path(&media_path(&image.key)) {
                return Err(RenderError::Key(image.key.clone()));
            }
            if seen.insert(&image.key, image).is_some_and(|other| other.sha256 != image.sha256) {
                return Err(RenderError::KeyReused(image.key.clone()));
            }
        }
        Ok(site)
    }

    /// A digest of everything but the gallery that the pages are made from: two sites of one edition and one gallery
    /// are the same bytes.
    #[must_use]
    pub fn edition(&self) -> String {
        let mut digest = Sha256::new();
        let meta = &self.meta;
        let texts = [&meta.title, &meta.description, &meta.base_url, &meta.author, &meta.language].map(String::as_str);
        let sources = SOURCES.iter().map(|(_, source)| *source);
        for text in
            texts.into_iter().chain(sources).chain([self.style.content, self.script.content, env!("CARGO_PKG_VERSION")])
        {
            digest.update(text.len().to_le_bytes());
            digest.update(text);
        }
        hex(&digest.finalize()[..4])
    }

    /// Every file of the site except the images, in the order in which they are best written: what pages need first,
    /// the pages that lead to others last.
    #[must_use]
    pub fn files(&self) -> Vec<File> {
        let chunks = |size| 1..=Archive::new(self.gallery.artworks().len(), size).pages();
        let mut files = vec![File::Style, File::Script, File::NotFound, File::Robots];
        files.extend((0..self.gallery.artworks().len()).map(|index| File::Artwork { index }));
        files.extend(chunks(PAGE_SIZE).map(|number| File::Archive { number }));
        for (tag, entry) in self.tags.iter().enumerate() {
            let pages = Archive::new(entry.members.len(), PAGE_SIZE).pages();
            // The front of a listing of one page shows all there is.
            files.extend((1..=pages).filter(|_| pages > 1).map(|number| File::TagArchive { tag, number }));
            files.push(File::Tag { tag });
        }
        files.extend(chunks(SEARCH_CHUNK).map(|number| File::SearchChunk { number }));
        files.extend(chunks(SITEMAP_CHUNK).map(|number| File::SitemapChunk { number }));
        files.extend([File::SitemapListings, File::Sitemap, File::SearchIndex, File::Search, File::Tags]);
        files.extend([File::Atom, File::JsonFeed, File::Home]);
        files
    }

    /// One file. `file` comes from [`Site::files`] of this site.
    pub fn render(&self, file: File) -> Result<Page, RenderError> {
        let text = match file {
            File::Home => self.home()?,
            File::Archive { number } => self.archive_page(number)?,
            File::Artwork { index } => self.artwork(index)?,
            File::Tags => self.tag_list()?,
            File::Tag { tag } => self.tag_front(tag)?,
            File::TagArchive { tag, number } => self.tag_page(tag, number)?,
            File::Search => self.search_page()?,
            File::SearchIndex => self.search_index()?,
            File::SearchChunk { number } => self.search_chunk(number)?,
            File::Atom => self.atom()?,
            File::JsonFeed => self.json_feed()?,
            File::Sitemap => self.sitemap()?,
            File::SitemapListings => self.sitemap_listings()?,
            File::SitemapChunk { number } => self.sitemap_chunk(number)?,
            File::NotFound => self.not_found()?,
            File::Robots => self.robots(),
            File::Style => self.style.content.to_owned(),
            File::Script => self.script.content.to_owned(),
        };
        Ok(Page { path: self.path(file), bytes: text.into_bytes() })
    }

    /// Every file except the images, one at a time.
    pub fn pages(&self) -> impl Iterator<Item = Result<Page, RenderError>> {
        self.files().into_iter().map(|file| self.render(file))
    }

    /// Every image the pages show, by its path in the site.
    #[must_use]
    pub fn images(&self) -> BTreeMap<String, &Image> {
        let images = self.gallery.artworks().iter().flat_map(|artwork| artwork.images());
        images.map(|image| (media_path(&image.key), image)).collect()
    }

    fn path(&self, file: File) -> String {
        let directory = match file {
            File::Home => String::new(),
            File::Archive { number } => format!("page/{number}/"),
            File::Artwork { index } => artwork_href(&self.gallery.artworks()[index].id),
            File::Tags => "tags/".to_owned(),
            File::Tag { tag } => format!("tags/{}/", self.tags[tag].slug),
            File::TagArchive { tag, number } => format!("tags/{}/page/{number}/", self.tags[tag].slug),
            File::Search => "search/".to_owned(),
            File::SearchIndex => return "search.json".to_owned(),
            File::SearchChunk { number } => return search::chunk_path(number),
            File::Atom => return "feed.xml".to_owned(),
            File::JsonFeed => return "feed.json".to_owned(),
            File::Sitemap => return "sitemap.xml".to_owned(),
            File::SitemapListings => return sitemap::LISTINGS_PATH.to_owned(),
            File::SitemapChunk { number } => return sitemap::chunk_path(number),
            File::NotFound => return "404.html".to_owned(),
            File::Robots => return "robots.txt".to_owned(),
            File::Style => return self.style.path.clone(),
            File::Script => return self.script.path.clone(),
        };
        format!("{directory}index.html")
    }
}

fn artwork_href(id: &uuid::Uuid) -> String {
    format!("artworks/{id}/")
}

fn media_path(key: &str) -> String {
    format!("media/{key}")
}
