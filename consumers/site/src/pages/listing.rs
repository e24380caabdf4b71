//! Pages that show many artworks: the whole gallery, and each tag.

use serde::Serialize;

use super::frame::{Card, Frame};
use super::{RenderError, Site};
use crate::archive::{Archive, PAGE_SIZE};
use crate::gallery::Artwork;
use crate::tags::Tag;
use crate::untrusted::{encode_path, excerpt};

#[derive(Serialize)]
struct ListingView<'a> {
    page: Frame<'a>,
    heading: &'a str,
    intro: &'a str,
    cards: Vec<Card>,
    number: Option<usize>,
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

/// A listing: its artworks, newest first, and where its front lies.
struct Listing<'a> {
    artworks: Vec<&'a Artwork>,
    /// Relative to the root, percent-encoded; empty or ending in a slash.
    front: String,
    heading: String,
    intro: String,
    section: &'static str,
}

impl Listing<'_> {
    fn archive(&self) -> Archive {
        Archive::new(self.artworks.len(), PAGE_SIZE)
    }

    fn page_href(&self, number: usize) -> String {
        format!("{}page/{number}/", self.front)
    }
}

impl Site {
    pub(super) fn home(&self) -> Result<String, RenderError> {
        self.front_of(&self.everything())
    }

    pub(super) fn archive_page(&self, number: usize) -> Result<String, RenderError> {
        self.page_of(&self.everything(), number)
    }

    pub(super) fn tag_front(&self, tag: usize) -> Result<String, RenderError> {
        self.front_of(&self.tagged(&self.tags[tag]))
    }

    pub(super) fn tag_page(&self, tag: usize, number: usize) -> Result<String, RenderError> {
        self.page_of(&self.tagged(&self.tags[tag]), number)
    }

    pub(super) fn tag_list(&self) -> Result<String, RenderError> {
        let tags: Vec<TagLink<'_>> = self
            .tags
            .iter()
            .map(|tag| TagLink { href: tag.href(), name: &tag.name, count: tag.members.len() })
            .collect();
        let mut frame = self.frame("tags/", "Tags".to_owned(), format!("All tags of {}", self.meta.title));
        frame.section = "tags";
        Ok(self.templates.render("tags.html", TagsView { page: frame, tags })?)
    }

    fn everything(&self) -> Listing<'_> {
        Listing {
            artworks: self.gallery.artworks().iter().map(AsRef::as_ref).collect(),
            front: String::new(),
            heading: self.meta.title.clone(),
            intro: self.meta.description.clone(),
            section: "works",
        }
    }

    fn tagged<'a>(&'a self, tag: &'a Tag) -> Listing<'a> {
        Listing {
            artworks: tag.members.iter().map(|member| self.gallery.artworks()[*member].as_ref()).collect(),
            front: encode_path(&format!("tags/{}/", tag.slug)),
            heading: excerpt(&tag.name, 80),
            intro: String::new(),
            section: "tags",
        }
    }

    fn front_of(&self, listing: &Listing<'_>) -> Result<String, RenderError> {
        let archive = listing.archive();
        let mut frame = self.frame(&listing.front, listing.heading.clone(), listing.intro.clone());
        frame.older = archive.below_front().map(|number| listing.page_href(number));
        frame.image = listing.artworks.first().map(|artwork| self.social_image(artwork));
        self.render_listing(listing, frame, archive.front(), None)
    }

    fn page_of(&self, listing: &Listing<'_>, number: usize) -> Result<String, RenderError> {
        let archive = listing.archive();
        let title = format!("{}, page {number}", listing.heading);
        let mut frame = self.frame(&listing.page_href(number), title, listing.intro.clone());
        let newest = number >= archive.pages();
        frame.newer = Some(if newest { listing.front.clone() } else { listing.page_href(number + 1) });
        frame.older = (number > 1).then(|| listing.page_href(number - 1));
        self.render_listing(listing, frame, archive.page(number), Some(number))
    }

    fn render_listing(
        &self,
        listing: &Listing<'_>,
        mut frame: Frame<'_>,
        range: std::ops::Range<usize>,
        number: Option<usize>,
    ) -> Result<String, RenderError> {
        frame.section = listing.section;
        let cards: Vec<Card> = listing.artworks[range].iter().map(|artwork| Card::new(artwork)).collect();
        let context = ListingView { page: frame, heading: &listing.heading, intro: &listing.intro, cards, number };
        Ok(self.templates.render("listing.html", context)?)
    }
}
