//! Whose turn it is to show what waits in it.
//!
//! A work comes to a dozen large listings. If each showed what waits as soon as a row of it does, now and then many would fall
//! together, and such an addition would write twice the files of any other. So they queue up, and as many take their turns
//! with each work that is shown as a number of files allows: all that it writes is to stay about 150 kB. Every other
//! turn is that of one in which a page's worth waits already, or it would begin several pages at once. Who comes to its turn late
//! shows more, so that nothing waits for ever however many listings a work has.

use std::collections::VecDeque;

use crate::archive::{Archive, PAGE_SIZE};
use crate::listings::{FeedFormat, Listing, ListingId};

/// Files that the turns of one work and the pages of its kin may come to; the first turn is taken whatever it comes to.
pub const TURN_FILES: u32 = 4;

/// What a listing does when it is its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Its pages show what waits.
    Show(ListingId),
    /// Its feeds tell of what its pages have shown.
    Tell(ListingId),
}

/// Whose turn is due.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// Those in which a row waits, in the order in which it came to that.
    waiting: Vec<ListingId>,
    /// Those whose feeds have something to tell, likewise.
    telling: VecDeque<ListingId>,
    /// The last that showed something was before its turn; so the next is not.
    has_jumped: bool,
}

impl Turns {
    /// Something has come to this listing.
    pub(crate) fn ask(&mut self, id: ListingId, archive: &Archive) {
        if archive.is_due() && !self.waiting.contains(&id) {
            self.waiting.push(id);
        }
    }

    /// Those who do something now, with a work of so many kin.
    pub(crate) fn next(&mut self, listings: &[Listing], kin: usize) -> Vec<Turn> {
        let archive = |id: &ListingId| &listings[id.0 as usize].archive;
        // The older works of one may all have gone meanwhile, and then it shows and tells of the others already.
        self.waiting.retain(|id| archive(id).is_due());
        self.telling.retain(|id| archive(id).told_below() < archive(id).shown_below());
        let (mut taken, mut files) = (Vec::new(), u32::try_from(kin).unwrap_or(u32::MAX));
        loop {
            let turn = if let Some(id) = self.telling.front() {
                Turn::Tell(*id)
            } else if let Some(first) = self.waiting.first() {
                let urgent = self.waiting.iter().find(|id| archive(id).waiting() >= PAGE_SIZE);
                Turn::Show(*urgent.filter(|_| !self.has_jumped).unwrap_or(first))
            } else {
                break;
            };
            files = files.saturating_add(turn.files(listings));
            if files > TURN_FILES && !taken.is_empty() {
                break;
            }
            match turn {
                Turn::Show(id) => {
                    self.has_jumped = self.waiting.first() != Some(&id);
                    self.waiting.retain(|waiting| *waiting != id);
                }
                Turn::Tell(_) => drop(self.telling.pop_front()),
            }
            taken.push(turn);
        }
        // Feeds are three files: they come with the work after.
        let shown = taken.iter().filter_map(|turn| if let Turn::Show(id) = turn { Some(*id) } else { None });
        self.telling.extend(shown.filter(|id| !FeedFormat::of(listings[id.0 as usize].kind).is_empty()));
        taken
    }
}

impl Turn {
    /// Files that it comes to: a front, its new pages and the one before them; or the feeds.
    fn files(self, listings: &[Listing]) -> u32 {
        match self {
            Self::Show(id) => match listings[id.0 as usize].archive.new_pages() {
                0 => 1,
                pages => 1 + pages + 1,
            },
            Self::Tell(id) => {
                u32::try_from(FeedFormat::of(listings[id.0 as usize].kind).len()).expect("there are three")
            }
        }
    }
}
