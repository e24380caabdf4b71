//! Whose turn it is to show what waits in it.
//!
//! A work comes to a dozen large listings. If each showed what waits as soon as a row of it does, now and then many would fall
//! together, and such an addition would write twice the files of any other. So they queue up, and as many take their turns
//! with each work that is shown as a number of files allows. Who comes to his turn late shows more at once, so that
//! the queue stays short however many listings a work has. With a work that begins a part of the search nobody takes his turn:
//! it concerns the indexes as well.

use std::collections::VecDeque;

use crate::archive::Archive;
use crate::listings::{FeedFormat, Listing, ListingId};

/// Files that the turns of one work may come to; the first turn is taken whatever it comes to.
pub const TURN_FILES: u32 = 5;

/// The listings in which a row waits, in the order in which it came to that.
#[derive(Debug, Default)]
pub(crate) struct Turns(VecDeque<ListingId>);

impl Turns {
    /// Something has come to this listing.
    pub(crate) fn ask(&mut self, id: ListingId, archive: &Archive) {
        if archive.is_due() && !self.0.contains(&id) {
            self.0.push_back(id);
        }
    }

    /// Those whose turn it is now.
    pub(crate) fn next(&mut self, listings: &[Listing]) -> Vec<ListingId> {
        let (mut taken, mut files) = (Vec::new(), 0);
        while let Some(id) = self.0.front() {
            let listing = &listings[id.0 as usize];
            // Its older works may all have gone meanwhile, and then it shows the others already.
            if listing.archive.is_due() {
                files += files_of(listing);
                if files > TURN_FILES && !taken.is_empty() {
                    break;
                }
                taken.push(*id);
            }
            self.0.pop_front();
        }
        taken
    }
}

/// Files that a listing's turn comes to: its front, its feeds, its new pages and the one before them.
fn files_of(listing: &Listing) -> u32 {
    let (feeds, pages) = (FeedFormat::of(listing.kind).len(), listing.archive.new_pages());
    1 + u32::try_from(feeds).unwrap_or(u32::MAX) + if pages > 0 { pages + 1 } else { 0 }
}
