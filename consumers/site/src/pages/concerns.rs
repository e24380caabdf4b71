//! Which files a change of one artwork concerns.
//!
//! What a file is made from follows from where its artworks stand, so it need not be written down: an artwork is shown by
//! its own page and its neighbours', by one page or the front of each listing it is in, by one chunk each of the search and the
//! sitemap, and by the feeds while it is among the newest. Whatever happens to it concerns the files that showed it
//! before and those that show it after. Where it comes to a listing or leaves it, also those that count or name what
//! there is.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::feeds::{FEED_ENTRIES, TAG_FEED_ENTRIES};
use super::{File, SEARCH_CHUNK, SEARCH_PART, SITEMAP_CHUNK, Site, Work, media_path};
use crate::archive::{Archive, chunk_of, page_of};
use crate::catalogue::{Catalogue, Slot, TagId};
use crate::gallery::Image;

/// What has changed since the last release, as far as it can be said without rendering.
#[derive(Debug, Default)]
pub(super) struct Concerned {
    files: BTreeSet<File>,
    /// By key. None: it was shown and is no more.
    images: BTreeMap<String, Option<Image>>,
}

/// Where an artwork stands in a listing.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    listed: bool,
    /// Whether the page of its place is there.
    paged: bool,
    /// Whether the front shows it.
    on_front: bool,
}

impl Site {
    /// What has changed since [`Self::settle`].
    #[must_use]
    pub fn changed(&self) -> Work {
        let mut work = Work::default();
        for file in &self.concerned.files {
            if self.exists(*file) {
                work.files.push(*file);
            } else {
                work.gone.push(self.path(*file));
            }
        }
        for (key, image) in &self.concerned.images {
            match image {
                Some(image) => work.images.push(image.clone()),
                None => work.gone.push(media_path(key)),
            }
        }
        work
    }

    /// What has changed is done with: it is live, or all is going to be compared.
    pub fn settle(&mut self) {
        self.concerned = Concerned::default();
    }

    /// Changes one artwork, and notes what that concerns.
    pub(super) fn changing<T>(&mut self, id: Uuid, change: impl FnOnce(&mut Catalogue) -> T) -> T {
        let slot = self.catalogue.slot(&id);
        let before = slot.map(|slot| self.note_showing(slot)).unwrap_or_default();
        let images = slot.map(|slot| self.images_of(slot)).unwrap_or_default();
        let done = change(&mut self.catalogue);
        for image in images.into_iter().filter(|image| !self.catalogue.shows_image(&image.key)) {
            self.concerned.images.insert(image.key, None);
        }
        let Some(slot) = self.catalogue.slot(&id) else { return done };
        for image in self.images_of(slot) {
            self.concerned.images.insert(image.key.clone(), Some(image));
        }
        let mut after = self.note_showing(slot);
        for (listing, before) in before {
            let after = after.remove(&listing).unwrap_or_default();
            self.note_moved(listing, slot, before, after);
        }
        for (listing, after) in after {
            self.note_moved(listing, slot, Standing::default(), after);
        }
        done
    }

    fn images_of(&self, slot: Slot) -> Vec<Image> {
        self.catalogue.get(slot).map(|shown| shown.artwork.images().cloned().collect()).unwrap_or_default()
    }

    /// Notes the files that show it now, and answers where it stands: among all (none) and in each of its tags.
    fn note_showing(&mut self, slot: Slot) -> BTreeMap<Option<TagId>, Standing> {
        let Some(shown) = self.catalogue.get(slot) else { return BTreeMap::new() };
        let all = self.catalogue.all();
        let place = slot.0;
        let files = &mut self.concerned.files;
        files.insert(File::Artwork { slot });
        files.extend([all.newer(place), all.older(place)].into_iter().flatten().map(|slot| File::Artwork { slot }));
        let chunk = chunk_of(place, SEARCH_CHUNK);
        files.insert(if all.is_full(chunk, SEARCH_CHUNK) {
            File::SearchChunk { number: chunk }
        } else {
            File::SearchPart { number: chunk_of(place, SEARCH_PART) }
        });
        files.insert(File::SitemapChunk { number: chunk_of(place, SITEMAP_CHUNK) });
        if all.is_among_newest(place, FEED_ENTRIES) {
            files.extend([File::Atom, File::Rss, File::JsonFeed]);
        }
        let mut standings = BTreeMap::new();
        for listing in [None].into_iter().chain(shown.tags.iter().copied().map(Some)) {
            let archive = archive(&self.catalogue, listing);
            let Some(place) = archive.place(slot) else { continue };
            let paged = archive.has_page(page_of(place));
            let on_front = place >= archive.front_start();
            if paged {
                files.insert(page(listing, page_of(place)));
            }
            if on_front {
                files.insert(front(listing));
            }
            if let Some(tag) = listing
                && archive.is_among_newest(place, TAG_FEED_ENTRIES)
            {
                files.insert(File::TagAtom { tag });
            }
            standings.insert(listing, Standing { listed: true, paged, on_front });
        }
        standings
    }

    /// What counts, names or links because of who is in a listing.
    fn note_moved(&mut self, listing: Option<TagId>, slot: Slot, before: Standing, after: Standing) {
        let archive = archive(&self.catalogue, listing);
        let Some(place) = archive.place(slot) else { return };
        let files = &mut self.concerned.files;
        if before.on_front != after.on_front {
            files.insert(front(listing));
        }
        if before.paged != after.paged {
            let number = page_of(place);
            let linking = [archive.newer_page(number), archive.older_page(number)];
            files.extend(linking.into_iter().flatten().chain([number]).map(|number| page(listing, number)));
            files.insert(front(listing));
        }
        if before.listed == after.listed {
            return;
        }
        match listing {
            None => {
                let alone = |size| archive.chunk(chunk_of(place, size), size).all(|other| other == slot);
                let chunk = chunk_of(place, SEARCH_CHUNK);
                if alone(SEARCH_CHUNK) || alone(SEARCH_PART) {
                    files.insert(File::SearchIndex);
                }
                // On its last place a chunk has taken, or may just have taken, the place of its parts.
                if place + 1 == chunk * SEARCH_CHUNK {
                    let parts = chunk_of(place + 1 - SEARCH_CHUNK, SEARCH_PART)..=chunk_of(place, SEARCH_PART);
                    files.extend(parts.map(|number| File::SearchPart { number }));
                    files.insert(File::SearchIndex);
                }
                if alone(SITEMAP_CHUNK) {
                    files.insert(File::Sitemap);
                }
            }
            Some(tag) => {
                files.insert(File::Tags);
                if archive.newest().all(|other| other == slot) {
                    files.extend([File::Tag { tag }, File::TagAtom { tag }, File::SitemapListings]);
                }
            }
        }
    }

    /// Whether there is such a file, of one that there was or may be.
    fn exists(&self, file: File) -> bool {
        let all = self.catalogue.all();
        match file {
            File::Artwork { slot } => self.catalogue.get(slot).is_some(),
            File::Archive { number } => all.has_page(number),
            File::TagArchive { tag, number } => self.catalogue.tag(tag).archive.has_page(number),
            File::TagAtom { tag } | File::Tag { tag } => !self.catalogue.tag(tag).archive.is_empty(),
            File::SearchChunk { number } => self.has_search_chunk(number),
            File::SearchPart { number } => self.has_search_part(number),
            File::SitemapChunk { number } => all.chunk(number, SITEMAP_CHUNK).next().is_some(),
            File::Asset { .. }
            | File::Worker
            | File::NotFound
            | File::Robots
            | File::About
            | File::Random
            | File::Likes
            | File::SitemapListings
            | File::Sitemap
            | File::SearchIndex
            | File::Search
            | File::Tags
            | File::Atom
            | File::Rss
            | File::JsonFeed
            | File::Home => true,
        }
    }
}

/// All artworks, or those of a tag.
fn archive(catalogue: &Catalogue, listing: Option<TagId>) -> &Archive {
    listing.map_or(catalogue.all(), |tag| &catalogue.tag(tag).archive)
}

fn front(listing: Option<TagId>) -> File {
    listing.map_or(File::Home, |tag| File::Tag { tag })
}

fn page(listing: Option<TagId>, number: u32) -> File {
    listing.map_or(File::Archive { number }, |tag| File::TagArchive { tag, number })
}
