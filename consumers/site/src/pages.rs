//! The site as a set of files, each of which can be rendered alone.
//!
//! [`Site`] is told what is shown, and notes which files that concerns ([`Site::changed`], see `concerns.rs`).
//! [`Site::everything`] lists all there are, [`Site::render`] makes one of them: ten thousand pages never have to be in memory
//! together.

mod artwork;
mod card;
mod concerns;
mod feeds;
mod frame;
mod listing;
mod metadata;
mod search;
mod sitemap;

use std::sync::Arc;

use minijinja::value::{Serde, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::assets::{WORKER, hex};
use crate::catalogue::{Catalogue, KeyReused, SEARCH_CHUNK, SITEMAP_CHUNK, Shown, Slot};
use crate::gallery::{Artwork, Image, SiteMeta};
use crate::listings::{FeedFormat, Kind, ListingId};
use crate::templates::{TemplateError, Templates};
use crate::theme::Theme;
use crate::untrusted::{is_safe_path, web_link};
use concerns::Concerned;

pub use search::SEARCH_PART;

/// Which files there are and what each holds, as far as the code decides it. Whoever changes that counts it up.
const LAYOUT: u32 = 2;

/// A file of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Relative to the site's folder, with slashes; safe to join.
    pub path: String,
    /// The whole file.
    pub bytes: Vec<u8>,
}

/// Which file, in the order in which they are best written: what pages need first, the pages that lead to others last.
#[expect(missing_docs, reason = "named like the files, which `Site::render` lists with what makes them")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum File {
    Asset {
        number: usize,
    },
    Worker,
    NotFound,
    Robots,
    About,
    Random,
    Likes,
    Artwork {
        slot: Slot,
    },
    Page {
        listing: ListingId,
        number: u32,
    },
    Feed {
        listing: ListingId,
        format: FeedFormat,
    },
    /// Of the whole gallery it is [`Self::Home`].
    Front {
        listing: ListingId,
    },
    SearchChunk {
        number: u32,
    },
    SearchPart {
        number: u32,
    },
    SitemapChunk {
        number: u32,
    },
    SitemapListings,
    Sitemap,
    SearchIndex,
    Search,
    Overview {
        kind: Kind,
    },
    Home,
}

impl File {
    fn front(listing: ListingId) -> Self {
        if listing == ListingId::ALL { Self::Home } else { Self::Front { listing } }
    }
}

/// What a release has to look at. The rest is as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Files that there are.
    pub files: Vec<File>,
    /// Images that are shown.
    pub images: Vec<Image>,
    /// Paths of files that there are no more.
    pub gone: Vec<String>,
}

impl Work {
    /// Whether there is nothing to look at.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { files, images, gone } = self;
        files.is_empty() && images.is_empty() && gone.is_empty()
    }
}

/// Why a site cannot be rendered, or an artwork not be shown.
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
    #[error("a template is wrong: {0}")]
    Template(#[from] TemplateError),
    /// The same, of a page that could not be made from it.
    #[error("\"{path}\" could not be rendered: {fault}")]
    Page {
        /// Relative to the site.
        path: String,
        /// Says which template and line.
        fault: TemplateError,
    },
    /// A feed or a part of the search index.
    #[error("a document could not be written as json")]
    Json(#[from] serde_json::Error),
}

/// A gallery that can be rendered, and what has changed in it.
#[derive(Debug)]
pub struct Site {
    meta: SiteMeta,
    /// The same as templates are given it: it is on every page.
    given_meta: Value,
    catalogue: Catalogue,
    concerned: Concerned,
    theme: Arc<Theme>,
    templates: Templates,
}

impl Site {
    /// A gallery that shows nothing yet, in the built-in theme. Checks what no page could be made from.
    pub fn new(meta: SiteMeta) -> Result<Self, RenderError> {
        Self::themed(meta, Theme::built_in())
    }

    /// The same in a theme of its own, whose templates are compiled.
    pub fn themed(meta: SiteMeta, theme: Theme) -> Result<Self, RenderError> {
        if web_link(&meta.base_url).is_none() || meta.base_url.ends_with('/') || meta.base_url.contains(['?', '#']) {
            return Err(RenderError::BaseUrl(meta.base_url));
        }
        let theme = Arc::new(theme);
        Ok(Self {
            catalogue: Catalogue::default(),
            concerned: Concerned::default(),
            templates: Templates::compile(Arc::clone(&theme))?,
            given_meta: Value::from(Serde(&meta)),
            meta,
            theme,
        })
    }

    /// Shows the artwork, or shows it otherwise than before. One that was never shown becomes the newest; any other has the
    /// places that it had. Nothing changes when it is refused.
    pub fn show(&mut self, artwork: impl Into<Arc<Artwork>>) -> Result<(), RenderError> {
        let mut artwork = artwork.into();
        let pixelated = self.meta.pixel_rendering.pixelated(artwork.pixelated);
        if artwork.pixelated != pixelated {
            Arc::make_mut(&mut artwork).pixelated = pixelated;
        }
        if let Some(image) = artwork.images().find(|image| !is_safe_path(&media_path(&image.key))) {
            return Err(RenderError::Key(image.key.clone()));
        }
        let before = self.catalogue.slot(&artwork.id).and_then(|slot| self.catalogue.get(slot));
        if before.is_some_and(|before| before.artwork == artwork) {
            return Ok(());
        }
        for turned in self.changing(artwork.id, |catalogue| catalogue.show(artwork))? {
            self.note_turned(turned);
        }
        Ok(())
    }

    /// Shows this artwork no more.
    pub fn hide(&mut self, id: Uuid) {
        if let Some(slot) = self.catalogue.slot(&id) {
            for turned in self.changing(id, |catalogue| catalogue.hide(slot)) {
                self.note_turned(turned);
            }
        }
    }

    /// Whether this artwork is shown.
    #[must_use]
    pub fn shows(&self, id: &Uuid) -> bool {
        self.catalogue.slot(id).is_some_and(|slot| self.catalogue.get(slot).is_some())
    }

    /// The address of an artwork's page.
    #[must_use]
    pub fn artwork_url(&self, id: &Uuid) -> String {
        self.meta.url(&artwork_href(id))
    }

    /// How many artworks are shown.
    #[must_use]
    pub fn artworks(&self) -> usize {
        self.catalogue.all().len()
    }

    /// A digest of everything but the gallery that the pages are made from: two sites of one edition and one gallery
    /// are the same bytes. What a program that lays files out differently has made is not gone on with.
    #[must_use]
    pub fn edition(&self) -> String {
        let mut digest = Sha256::new();
        let meta = serde_json::to_string(&self.meta).expect("texts and choices can be written as json");
        for text in [&meta, &self.theme.digest(), WORKER, &LAYOUT.to_string(), env!("CARGO_PKG_VERSION")] {
            digest.update(text.len().to_le_bytes());
            digest.update(text);
        }
        hex(&digest.finalize()[..4])
    }

    /// Every file there is, and every image.
    #[must_use]
    pub fn everything(&self) -> Work {
        let images = self.catalogue.all().newest().flat_map(|slot| self.shown(slot).artwork.images());
        let mut images: Vec<Image> = images.cloned().collect();
        images.sort_by(|a, b| a.key.cmp(&b.key));
        images.dedup_by(|a, b| a.key == b.key);
        Work { files: self.files(), images, gone: vec![] }
    }

    /// Every file of the site except the images.
    #[must_use]
    pub fn files(&self) -> Vec<File> {
        let all = self.catalogue.all();
        let mut files: Vec<File> = (0..self.theme.assets().len()).map(|number| File::Asset { number }).collect();
        files.extend([File::NotFound, File::Robots, File::About, File::Random]);
        files.extend(self.meta.likes.then_some(File::Likes));
        files.extend(all.newest().map(|slot| File::Artwork { slot }));
        files.extend(all.pages().map(|number| File::Page { listing: ListingId::ALL, number }));
        for (id, listing) in self.catalogue.listings() {
            files.extend(listing.archive.pages().map(|number| File::Page { listing: id, number }));
            files.extend(FeedFormat::of(listing.kind).iter().map(|format| File::Feed { listing: id, format: *format }));
            files.push(File::Front { listing: id });
        }
        files.extend(self.search_chunks().map(|number| File::SearchChunk { number }));
        files.extend(self.search_parts().map(|number| File::SearchPart { number }));
        files.extend(all.chunks(SITEMAP_CHUNK).map(|number| File::SitemapChunk { number }));
        files.extend([File::SitemapListings, File::Sitemap, File::SearchIndex, File::Search]);
        files.extend(Kind::NAMED.map(|kind| File::Overview { kind }));
        files.extend(FeedFormat::ALL.map(|format| File::Feed { listing: ListingId::ALL, format }));
        files.extend([File::Home, File::Worker]);
        files
    }

    /// One file. `file` is one that there is.
    pub fn render(&self, file: File) -> Result<Page, RenderError> {
        let path = self.path(file);
        match self.bytes(file) {
            Ok(bytes) => Ok(Page { path, bytes }),
            Err(RenderError::Template(fault)) => Err(RenderError::Page { path, fault }),
            Err(error) => Err(error),
        }
    }

    fn bytes(&self, file: File) -> Result<Vec<u8>, RenderError> {
        let text = match file {
            File::Home => self.front(ListingId::ALL)?,
            File::Front { listing } => self.front(listing)?,
            File::Page { listing, number } => self.page(listing, number)?,
            File::Feed { listing, format } => self.feed(listing, format)?,
            File::Overview { kind } => self.overview(kind)?,
            File::Artwork { slot } => self.artwork(slot)?,
            File::Search => self.search_page()?,
            File::SearchIndex => self.search_index()?,
            File::About => self.about()?,
            File::Random => self.random()?,
            File::Sitemap => self.sitemap()?,
            File::SitemapListings => self.sitemap_listings()?,
            File::SitemapChunk { number } => self.sitemap_chunk(number)?,
            File::NotFound => self.not_found()?,
            File::Likes => self.likes()?,
            File::Robots => self.robots(),
            File::SearchChunk { number } => return self.search_shard(number, SEARCH_CHUNK),
            File::SearchPart { number } => return self.search_shard(number, SEARCH_PART),
            File::Asset { number } => return Ok(self.theme.assets()[number].bytes.to_vec()),
            File::Worker => WORKER.to_owned(),
        };
        Ok(text.into_bytes())
    }

    /// Its path in the site, also of a file that is there no more.
    #[must_use]
    pub fn path(&self, file: File) -> String {
        let directory = match file {
            File::Home => String::new(),
            File::Front { listing } => self.catalogue.listing(listing).folder.clone(),
            File::Page { listing, number } => format!("{}page/{number}/", self.catalogue.listing(listing).folder),
            File::Feed { listing, format } => return feeds::path(format, self.catalogue.listing(listing)),
            File::Overview { kind } => kind.folder().to_owned(),
            File::Artwork { slot } => artwork_href(&self.catalogue.id(slot)),
            File::About => "about/".to_owned(),
            File::Random => "random/".to_owned(),
            File::Likes => "likes/".to_owned(),
            File::Search => "search/".to_owned(),
            File::SearchIndex => return "search.json".to_owned(),
            File::SearchChunk { number } => return search::chunk_path(number),
            File::SearchPart { number } => return search::part_path(number),
            File::Sitemap => return "sitemap.xml".to_owned(),
            File::SitemapListings => return sitemap::LISTINGS_PATH.to_owned(),
            File::SitemapChunk { number } => return sitemap::chunk_path(number),
            File::NotFound => return "404.html".to_owned(),
            File::Robots => return "robots.txt".to_owned(),
            File::Asset { number } => return self.theme.asset_path(&self.theme.assets()[number]),
            File::Worker => return "worker.js".to_owned(),
        };
        format!("{directory}index.html")
    }

    /// An artwork that is shown: its slot comes from a listing, or from a file that there is.
    fn shown(&self, slot: Slot) -> &Shown {
        self.catalogue.get(slot).expect("what is listed is shown")
    }
}

fn artwork_href(id: &Uuid) -> String {
    ["artworks/", id.hyphenated().encode_lower(&mut Uuid::encode_buffer()), "/"].concat()
}

/// Where an image lies in the site.
#[must_use]
pub fn media_path(key: &str) -> String {
    ["media/", key].concat()
}

impl From<KeyReused> for RenderError {
    fn from(KeyReused(key): KeyReused) -> Self {
        Self::KeyReused(key)
    }
}
