//! Pages that show many artworks: the front and the pages of each listing, and the overviews that lead to them.

use atelier_events::percent::encode_path;
use minijinja::value::Value;
use serde::Serialize;

use super::frame::Frame;
use super::search::colour_href;
use super::{RenderError, Site, feeds};
use crate::archive::PAGE_SIZE;
use crate::catalogue::Slot;
use crate::colours::Family;
use crate::listings::{FeedFormat, Kind, Listing, ListingId};
use crate::untrusted::excerpt;

#[derive(Serialize)]
struct ListingView<'a> {
    page: Frame<'a>,
    heading: &'a str,
    intro: &'a str,
    /// The overview that leads to it; none of the whole gallery.
    overview: Option<OverviewLink>,
    /// A search that finds what is in it, where there is one for its kind.
    search: Option<String>,
    /// HTML; empty where there are none.
    cards: Value,
    number: Option<u32>,
}

#[derive(Serialize)]
struct OverviewView<'a> {
    page: Frame<'a>,
    heading: &'static str,
    overviews: Vec<OverviewLink>,
    listings: Vec<ListingLink>,
}

#[derive(Serialize)]
struct OverviewLink {
    href: &'static str,
    name: &'static str,
    current: bool,
}

#[derive(Serialize)]
struct ListingLink {
    href: String,
    name: String,
    /// How many it has, told so that it seldom has to be told again.
    count: String,
    /// Of a colour.
    sample: Option<String>,
}

/// A listing, and what its pages say.
struct Said<'a> {
    listing: &'a Listing,
    heading: String,
    intro: String,
}

impl Said<'_> {
    fn page_href(&self, number: u32) -> String {
        format!("{}page/{number}/", self.listing.href())
    }
}

impl Site {
    pub(super) fn front(&self, listing: ListingId) -> Result<String, RenderError> {
        let said = self.said(listing);
        let archive = &said.listing.archive;
        let mut frame = self.frame(&said.listing.href(), said.heading.clone(), said.intro.clone());
        frame.older = archive.below_front().map(|number| said.page_href(number));
        frame.image = archive.newest_shown().next().map(|slot| self.social_image(&self.shown(slot).artwork));
        self.render_listing(&said, frame, archive.front(), None)
    }

    pub(super) fn page(&self, listing: ListingId, number: u32) -> Result<String, RenderError> {
        let said = self.said(listing);
        let archive = &said.listing.archive;
        let title = format!("{}, page {number}", said.heading);
        let mut frame = self.frame(&said.page_href(number), title, said.intro.clone());
        let newer = archive.newer_page(number).map(|number| said.page_href(number));
        frame.newer = Some(newer.unwrap_or_else(|| said.listing.href()));
        frame.older = archive.older_page(number).map(|number| said.page_href(number));
        self.render_listing(&said, frame, archive.chunk(number, PAGE_SIZE), Some(number))
    }

    pub(super) fn overview(&self, kind: Kind) -> Result<String, RenderError> {
        let listings = self.catalogue.listings().filter(|(_, listing)| listing.kind == kind);
        let mut listings: Vec<ListingLink> = listings.map(|(_, listing)| ListingLink::new(listing)).collect();
        // By the alphabet, blue would be between black and brown.
        listings.sort_by_key(|link| Family::ALL.iter().position(|family| family.name() == link.name));
        let description = format!("{} of {}", kind.plural(), self.meta.title);
        let mut frame = self.frame(kind.folder(), kind.plural().to_owned(), description);
        frame.section = "browse";
        let overviews = Kind::NAMED.map(|other| OverviewLink::new(other, other == kind)).into();
        let context = OverviewView { page: frame, heading: kind.plural(), overviews, listings };
        Ok(self.templates.render("overview.html", context)?)
    }

    fn said(&self, listing: ListingId) -> Said<'_> {
        let listing = self.catalogue.listing(listing);
        let (heading, intro) = match listing.kind {
            Kind::All => (self.meta.title.clone(), self.meta.description.clone()),
            Kind::Tag | Kind::Category | Kind::Artist | Kind::Colour => (excerpt(&listing.name, 80), String::new()),
        };
        Said { listing, heading, intro }
    }

    fn render_listing(
        &self,
        said: &Said<'_>,
        mut frame: Frame<'_>,
        slots: impl Iterator<Item = Slot>,
        number: Option<u32>,
    ) -> Result<String, RenderError> {
        let kind = said.listing.kind;
        let is_named = kind != Kind::All;
        frame.section = if is_named { "browse" } else { "works" };
        frame.feeds =
            FeedFormat::of(kind).iter().filter(|_| is_named).map(|format| feeds::link(*format, said.listing)).collect();
        let cards = self.cards(slots, &frame.root)?;
        let context = ListingView {
            page: frame,
            heading: &said.heading,
            intro: &said.intro,
            overview: is_named.then(|| OverviewLink::new(kind, false)),
            search: search_of(said.listing),
            cards,
            number,
        };
        Ok(self.templates.render("listing.html", context)?)
    }
}

/// The address of a search for what is in the listing, relative to the root.
fn search_of(listing: &Listing) -> Option<String> {
    let term = match listing.kind {
        Kind::All => return None,
        Kind::Tag => "tag",
        Kind::Category => "category",
        Kind::Artist => "artist",
        Kind::Colour => {
            let family = Family::ALL.into_iter().find(|family| family.name() == listing.name)?;
            return Some(colour_href(family));
        }
    };
    Some(format!("search/?q={term}%3A%22{}%22", encode_path(&listing.name.replace('"', " "))))
}

impl OverviewLink {
    fn new(kind: Kind, current: bool) -> Self {
        Self { href: kind.folder(), name: kind.plural(), current }
    }
}

impl ListingLink {
    fn new(listing: &Listing) -> Self {
        let sample =
            Family::ALL.into_iter().find(|family| listing.kind == Kind::Colour && family.name() == listing.name);
        Self {
            href: listing.href(),
            name: listing.name.clone(),
            count: told_count(listing.archive.len()),
            sample: sample.map(Family::sample),
        }
    }
}

/// How many a listing has, for people. From ten on it is rounded down to 1, 2 or 5 with zeros, so that the overview, which names
/// every listing of a kind, is written again when one of them has grown a lot, and not with every artwork.
pub(super) fn told_count(count: usize) -> String {
    if count < 10 {
        return count.to_string();
    }
    let steps = std::iter::successors(Some(10_usize), |step| {
        let by_two_and_a_half = step.to_string().starts_with('2');
        step.checked_mul(if by_two_and_a_half { 5 } else { 4 }).map(|twice| twice / 2)
    });
    format!("{}+", steps.take_while(|step| *step <= count).last().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::told_count;

    #[test]
    fn a_count_is_told_in_steps() {
        let told = [0, 1, 9, 10, 19, 20, 49, 50, 99, 100, 999, 1000, 12_345].map(told_count);
        let expected = ["0", "1", "9", "10+", "10+", "20+", "20+", "50+", "50+", "100+", "500+", "1000+", "10000+"];
        assert_eq!(told, expected);
    }
}
