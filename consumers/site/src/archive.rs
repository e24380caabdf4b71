//! Listings cut into pages that never change once they are full.
//!
//! Whoever comes to a listing takes its next place and keeps it for good: whoever leaves keeps the place empty, and has it
//! again after coming back. So a removal concerns one page, and what is listed follows from the order of what happened,
//! however often somebody looked in between.
//!
//! Most listings are large and many: to write the fronts of all that an artwork comes to would be most of what its
//! publication costs, for the sake of the same card on each. Once a listing has several pages, what comes to it therefore waits
//! for its turn, at which it shows all that waits; see [`Pace`] and [`crate::turns`].

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::catalogue::Slot;

/// How many places one page of a listing has.
pub const PAGE_SIZE: u32 = 24;

/// A front shows at least so many artworks where there are as many, so that it does not look bare just after a page was
/// sealed.
pub const FRONT_MIN: usize = 6;

/// How many artworks wait in a large listing when it asks for its turn.
pub const ROW: u32 = 8;

/// Up to how many places a listing shows everything at once, whatever its pace.
pub const SMALL: u32 = 4 * PAGE_SIZE;

/// How soon a listing shows what has come to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// With the next release.
    AtOnce,
    /// While it is [`SMALL`], with the next release; later, at its turn, for which a [`ROW`] has to wait.
    InRows,
}

/// A listing in pages numbered from the oldest place, from 1.
///
/// Page `k` has the `k`-th [`PAGE_SIZE`] places. It comes into being when all of them are shown, and is there for as
/// long as somebody is on one of them. It is sealed when a newer page is there: from then on its links to both
/// neighbours stay the same, whatever is added. What is not on a page yet is on the front.
#[derive(Clone, Debug)]
pub struct Archive {
    pace: Pace,
    /// Who is listed, by place.
    listed: BTreeMap<u32, Slot>,
    /// Every place that was ever given.
    places: HashMap<Slot, u32>,
    /// Whoever is listed before this place is shown; who is beyond waits for the listing's turn.
    shown_below: u32,
    /// The places of those whom its feeds were last told of; who is shown beyond waits for that turn.
    told: Range<u32>,
}

impl Archive {
    /// Lists nobody yet.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self { pace, listed: BTreeMap::new(), places: HashMap::new(), shown_below: 0, told: 0..0 }
    }

    /// Lists it, on the place that it had before if it was listed before.
    pub fn enter(&mut self, slot: Slot) {
        let next = self.given();
        let place = *self.places.entry(slot).or_insert(next);
        self.listed.insert(place, slot);
        self.show_what_must_be(self.pace == Pace::AtOnce || self.given() <= SMALL);
    }

    /// Lists it no more.
    pub fn leave(&mut self, slot: Slot) {
        if let Some(place) = self.places.get(&slot) {
            self.listed.remove(place);
        }
        self.show_what_must_be(false);
    }

    /// Everything at once, or else what keeps its front and its feeds from being empty.
    fn show_what_must_be(&mut self, at_once: bool) {
        if at_once || self.lists_nobody_below(self.shown_below) {
            self.show();
        }
        if at_once || self.lists_nobody_below(self.told.end) {
            self.tell();
        }
    }

    fn lists_nobody_below(&self, place: u32) -> bool {
        self.listed.range(..place).next().is_none()
    }

    /// How many wait to be shown, those counted who have left meanwhile.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.given() - self.shown_below
    }

    /// Whether a row does.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.waiting() >= ROW
    }

    /// Shows all that wait.
    pub fn show(&mut self) {
        self.shown_below = self.given();
    }

    /// Has its feeds tell of all that are shown and that they have not told of.
    pub fn tell(&mut self) {
        self.told = self.told.end..self.shown_below;
    }

    /// The pages that come into being when it shows all that wait.
    #[must_use]
    pub fn new_pages(&self) -> u32 {
        self.given() / PAGE_SIZE - self.full_pages()
    }

    /// How many are listed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.listed.len()
    }

    /// Whether nobody is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The place of one that is listed, or was.
    #[must_use]
    pub fn place(&self, slot: Slot) -> Option<u32> {
        self.places.get(&slot).copied()
    }

    /// Whether somebody is listed on this place.
    #[must_use]
    pub fn lists(&self, place: u32) -> bool {
        self.listed.contains_key(&place)
    }

    /// All that are listed, newest first.
    pub fn newest(&self) -> impl Iterator<Item = Slot> {
        self.listed.values().rev().copied()
    }

    /// The listed one after this place.
    #[must_use]
    pub fn newer(&self, place: u32) -> Option<Slot> {
        self.listed.range(place + 1..).next().map(|(_, slot)| *slot)
    }

    /// The listed one before this place.
    #[must_use]
    pub fn older(&self, place: u32) -> Option<Slot> {
        self.listed.range(..place).next_back().map(|(_, slot)| *slot)
    }

    /// The place before which everybody who is listed is shown.
    #[must_use]
    pub fn shown_below(&self) -> u32 {
        self.shown_below
    }

    /// Those who are shown, newest first.
    pub fn newest_shown(&self) -> impl Iterator<Item = Slot> {
        self.listed.range(..self.shown_below).rev().map(|(_, slot)| *slot)
    }

    /// The place before which everybody who is listed was told of.
    #[must_use]
    pub fn told_below(&self) -> u32 {
        self.told.end
    }

    /// Those that readers of a feed are told of, newest first: whom the last turn has added, and so many at the least.
    pub fn told(&self, least: usize) -> impl Iterator<Item = Slot> {
        let told = self.listed.range(..self.told.end).rev().enumerate();
        told.take_while(move |(newer, (place, _))| *newer < least || **place >= self.told.start)
            .map(|(_, (_, slot))| *slot)
    }

    /// Whether who is on this place is one of them.
    #[must_use]
    pub fn is_told(&self, place: u32, least: usize) -> bool {
        let is_among_newest = || self.listed.range(place + 1..self.told.end).take(least).count() < least;
        place < self.told.end && (place >= self.told.start || is_among_newest())
    }

    /// Who is on the `number`-th `size` places, newest first.
    pub fn chunk(&self, number: u32, size: u32) -> impl Iterator<Item = Slot> {
        let places = number.saturating_sub(1) * size..number * size;
        self.listed.range(places).rev().map(|(_, slot)| *slot)
    }

    /// The chunks on which somebody is, oldest first.
    #[must_use]
    pub fn chunks(&self, size: u32) -> impl DoubleEndedIterator<Item = u32> {
        (1..=self.given().div_ceil(size)).filter(move |number| self.chunk(*number, size).next().is_some())
    }

    /// Whether all places of the chunk have been given.
    #[must_use]
    pub fn is_full(&self, number: u32, size: u32) -> bool {
        number * size <= self.given()
    }

    /// Whether there is such a page.
    #[must_use]
    pub fn has_page(&self, number: u32) -> bool {
        number <= self.full_pages() && self.chunk(number, PAGE_SIZE).next().is_some()
    }

    /// The pages there are, oldest first.
    pub fn pages(&self) -> impl Iterator<Item = u32> {
        (1..=self.full_pages()).filter(|number| self.has_page(*number))
    }

    /// The next page that there is after this one.
    #[must_use]
    pub fn newer_page(&self, number: u32) -> Option<u32> {
        let places = number * PAGE_SIZE..(self.full_pages() * PAGE_SIZE).max(number * PAGE_SIZE);
        self.listed.range(places).next().map(|(place, _)| page_of(*place))
    }

    /// The last page that there is before this one.
    #[must_use]
    pub fn older_page(&self, number: u32) -> Option<u32> {
        self.page_before(number.saturating_sub(1).min(self.full_pages()) * PAGE_SIZE)
    }

    /// What the front shows, newest first: who is shown and on no page yet, and the newest pages while that is not enough.
    pub fn front(&self) -> impl Iterator<Item = Slot> {
        self.listed.range(self.front_places()).rev().map(|(_, slot)| *slot)
    }

    /// The places that the front covers.
    #[must_use]
    pub fn front_places(&self) -> Range<u32> {
        self.front_start()..self.shown_below
    }

    /// The oldest of them.
    fn front_start(&self) -> u32 {
        let mut start = self.full_pages() * PAGE_SIZE;
        let mut shown = self.listed.range(start..self.shown_below.max(start)).count();
        while shown < FRONT_MIN
            && let Some(page) = self.page_before(start)
        {
            start = (page - 1) * PAGE_SIZE;
            shown += self.chunk(page, PAGE_SIZE).count();
        }
        start
    }

    /// The page that continues where the front ends.
    #[must_use]
    pub fn below_front(&self) -> Option<u32> {
        self.page_before(self.front_start())
    }

    fn page_before(&self, place: u32) -> Option<u32> {
        self.listed.range(..place).next_back().map(|(place, _)| page_of(*place))
    }

    /// How many places have been given.
    #[must_use]
    pub fn given(&self) -> u32 {
        u32::try_from(self.places.len()).expect("slots are counted by 32 bits")
    }

    /// Pages all of whose places are shown.
    fn full_pages(&self) -> u32 {
        self.shown_below / PAGE_SIZE
    }
}

/// The page that has this place, once it is full.
#[must_use]
pub fn page_of(place: u32) -> u32 {
    chunk_of(place, PAGE_SIZE)
}

/// The chunk that has this place.
#[must_use]
pub fn chunk_of(place: u32, size: u32) -> u32 {
    place / size + 1
}
