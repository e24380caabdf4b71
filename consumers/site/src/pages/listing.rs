//! Pages that show many artworks: the whole gallery, and each tag.

use serde::Serialize;

use super::frame::{Card, Frame};
use super::{RenderError, Site, feeds};
use crate::archive::{Archive, PAGE_SIZE};
use crate::catalogue::{Slot, TagId};
use crate::untrusted::{encode_path, excerpt};

#[derive(Serialize)]
struct ListingView<'a> {
    page: Frame<'a>,
    heading: &'a str,
    intro: &'a str,
    cards: Vec<Card>,
    number: Option<u32>,
}

#[derive(Serialize)]
struct TagsView<'a> {
    page: Frame<'a>,
    tags: Vec<TagLink<'a>>,
}

#[derive(Serialize)]
struct TagLink<'a> {
    href: String,
    name: &'a str,
    count: usize,
}

/// A listing, and where its front lies.
struct Listing<'a> {
    archive: &'a Archive,
    /// Relative to the root, percent-encoded; empty or ending in a slash.
    front: String,
    heading: String,
    intro: String,
    feed: Option<String>,
    section: &'static str,
}

impl Listing<'_> {
    fn page_href(&self, number: u32) -> String {
        format!("{}page/{number}/", self.front)
    }
}

impl Site {
    pub(super) fn home(&self) -> Result<String, RenderError> {
        self.front_of(&self.all_works())
    }

    pub(super) fn archive_page(&self, number: u32) -> Result<String, RenderError> {
        self.page_of(&self.all_works(), number)
    }

    pub(super) fn tag_front(&self, tag: TagId) -> Result<String, RenderError> {
        self.front_of(&self.tagged(tag))
    }

    pub(super) fn tag_page(&self, tag: TagId, number: u32) -> Result<String, RenderError> {
        self.page_of(&self.tagged(tag), number)
    }

    pub(super) fn tag_list(&self) -> Result<String, RenderError> {
        let tags: Vec<TagLink<'_>> = self
            .catalogue
            .tags()
            .map(|(_, tag)| TagLink { href: tag.href(), name: &tag.name, count: tag.archive.len() })
            .collect();
        let mut frame = self.frame("tags/", "Tags".to_owned(), format!("All tags of {}", self.meta.title));
        frame.section = "tags";
        Ok(self.templates.render("tags.html", TagsView { page: frame, tags })?)
    }

    fn all_works(&self) -> Listing<'_> {
        Listing {
            archive: self.catalogue.all(),
            front: String::new(),
            heading: self.meta.title.clone(),
            intro: self.meta.description.clone(),
            feed: None,
            section: "works",
        }
    }

    fn tagged(&self, tag: TagId) -> Listing<'_> {
        let tag = self.catalogue.tag(tag);
        Listing {
            archive: &tag.archive,
            front: encode_path(&format!("tags/{}/", tag.slug)),
            heading: excerpt(&tag.name, 80),
            intro: String::new(),
            feed: Some(encode_path(&feeds::tag_path(tag))),
            section: "tags",
        }
    }

    fn front_of(&self, listing: &Listing<'_>) -> Result<String, RenderError> {
        let archive = listing.archive;
        let mut frame = self.frame(&listing.front, listing.heading.clone(), listing.intro.clone());
        frame.older = archive.below_front().map(|number| listing.page_href(number));
        frame.image = archive.newest().next().map(|slot| self.social_image(&self.shown(slot).artwork));
        self.render_listing(listing, frame, archive.front(), None)
    }

    fn page_of(&self, listing: &Listing<'_>, number: u32) -> Result<String, RenderError> {
        let archive = listing.archive;
        let title = format!("{}, page {number}", listing.heading);
        let mut frame = self.frame(&listing.page_href(number), title, listing.intro.clone());
        let newer = archive.newer_page(number).map(|number| listing.page_href(number));
        frame.newer = Some(newer.unwrap_or_else(|| listing.front.clone()));
        frame.older = archive.older_page(number).map(|number| listing.page_href(number));
        self.render_listing(listing, frame, archive.chunk(number, PAGE_SIZE), Some(number))
    }

    fn render_listing(
        &self,
        listing: &Listing<'_>,
        mut frame: Frame<'_>,
        slots: impl Iterator<Item = Slot>,
        number: Option<u32>,
    ) -> Result<String, RenderError> {
        frame.section = listing.section;
        frame.feed.clone_from(&listing.feed);
        let cards: Vec<Card> = slots.map(|slot| Card::new(&self.shown(slot).artwork)).collect();
        let context = ListingView { page: frame, heading: &listing.heading, intro: &listing.intro, cards, number };
        Ok(self.templates.render("listing.html", context)?)
    }
}
