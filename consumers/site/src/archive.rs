//! Listings cut into pages that never change once they are full.

use std::ops::Range;

/// How many artworks one page of a listing shows.
pub const PAGE_SIZE: usize = 24;

/// A listing of `len` artworks, newest first, in pages numbered from the oldest, from 1.
///
/// Page `k` holds the `k`-th `size` artworks that were ever listed. It is sealed as soon as a newer page exists: from
/// then on its artworks and its links to both neighbours stay the same, whatever is added. The newest page may be full
/// without being sealed, since the page that its link to newer works would need does not exist yet.
///
/// Ranges are indexes into the listing, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Archive {
    len: usize,
    size: usize,
}

impl Archive {
    /// `size` is at least 1.
    #[must_use]
    pub fn new(len: usize, size: usize) -> Self {
        assert!(size > 0, "a page shows at least one artwork");
        Self { len, size }
    }

    /// How many pages there are; none for an empty listing.
    #[must_use]
    pub fn pages(self) -> usize {
        self.len.div_ceil(self.size)
    }

    /// What page `number` shows; empty when there is no such page.
    #[must_use]
    pub fn page(self, number: usize) -> Range<usize> {
        let oldest = number.saturating_sub(1).saturating_mul(self.size).min(self.len);
        let newest = number.saturating_mul(self.size).min(self.len);
        self.len - newest..self.len - oldest
    }

    /// What the front of the listing shows: the newest page and the sealed one before it, so that it never looks bare
    /// just after a page was sealed.
    #[must_use]
    pub fn front(self) -> Range<usize> {
        0..self.page(self.pages().saturating_sub(1).max(1)).end
    }

    /// The page that continues where the front ends.
    #[must_use]
    pub fn below_front(self) -> Option<usize> {
        self.pages().checked_sub(2).filter(|number| *number > 0)
    }
}
