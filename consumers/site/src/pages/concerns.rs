//! Which files a change of one artwork concerns.
//!
//! What a file is made from follows from where its artworks stand, so it need not be written down: an artwork is shown by
//! its own page, its neighbours' and those of its kin, by one page or the front of each listing it is in, by one shard of the
//! search and one chunk of the sitemap, and by the feeds while it is among the newest. Whatever happens to it concerns the files
//! that showed it before and those that show it after. Where it comes to a listing or leaves it, also those that count or
//! name what there is; where a listing takes its turn with it, the front and the new pages of that, or the feeds.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::feeds::{FEED_ENTRIES, feeds_of};
use super::listing::told_count;
use super::{File, SEARCH_PART, Site, Work, media_path};
use crate::archive::{chunk_of, page_of};
use crate::catalogue::{Catalogue, SEARCH_CHUNK, SITEMAP_CHUNK, Slot, Turned};
use crate::gallery::Image;
use crate::listings::ListingId;

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

    /// Notes the files that show it now, and answers where it stands in each of its listings.
    fn note_showing(&mut self, slot: Slot) -> BTreeMap<ListingId, Standing> {
        let Some(shown) = self.catalogue.get(slot) else { return BTreeMap::new() };
        let all = self.catalogue.all();
        let place = slot.0;
        let files = &mut self.concerned.files;
        let kinship = self.catalogue.kinship();
        let origins = kinship.origins(slot, &shown.artwork).into_iter().map(|kin| kin.slot);
        let kin = origins.chain(kinship.descended(slot, &shown.artwork));
        let neighbours = [all.newer(place), all.older(place)].into_iter().flatten();
        files.extend(kin.chain(neighbours).chain([slot]).map(|slot| File::Artwork { slot }));
        let chunk = chunk_of(place, SEARCH_CHUNK);
        files.insert(if all.is_full(chunk, SEARCH_CHUNK) {
            File::SearchChunk { number: chunk }
        } else {
            File::SearchPart { number: chunk_of(place, SEARCH_PART) }
        });
        files.insert(File::SitemapChunk { number: chunk_of(place, SITEMAP_CHUNK) });
        let mut standings = BTreeMap::new();
        for id in [ListingId::ALL].into_iter().chain(shown.listings.iter().copied()) {
            let listing = self.catalogue.listing(id);
            let archive = &listing.archive;
            let Some(place) = archive.place(slot) else { continue };
            let paged = archive.has_page(page_of(place));
            let on_front = archive.front_places().contains(&place);
            if paged {
                files.insert(File::Page { listing: id, number: page_of(place) });
            }
            if on_front {
                files.insert(File::front(id));
            }
            if archive.is_told(place, FEED_ENTRIES) {
                files.extend(feeds_of(id, listing));
            }
            standings.insert(id, Standing { listed: true, paged, on_front });
        }
        standings
    }

    /// What counts, names or links because of who is in a listing.
    fn note_moved(&mut self, id: ListingId, slot: Slot, before: Standing, after: Standing) {
        let listing = self.catalogue.listing(id);
        let archive = &listing.archive;
        let Some(place) = archive.place(slot) else { return };
        let files = &mut self.concerned.files;
        if before.on_front != after.on_front {
            files.insert(File::front(id));
        }
        if before.paged != after.paged {
            let number = page_of(place);
            let linking = [archive.newer_page(number), archive.older_page(number)];
            let pages = linking.into_iter().flatten().chain([number]);
            files.extend(pages.map(|number| File::Page { listing: id, number }));
            files.insert(File::front(id));
        }
        if before.listed == after.listed {
            return;
        }
        if id == ListingId::ALL {
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
            return;
        }
        let count = archive.len();
        let count_before = if after.listed { count.saturating_sub(1) } else { count + 1 };
        if told_count(count) != told_count(count_before) {
            files.insert(File::Overview { kind: listing.kind });
        }
        if archive.newest().all(|other| other == slot) {
            files.extend([File::front(id), File::SitemapListings]);
            files.extend(feeds_of(id, listing));
        }
    }

    /// What is made from who is shown in a listing.
    pub(super) fn note_turned(&mut self, Turned { listing: id, before, shows, tells }: Turned) {
        let listing = self.catalogue.listing(id);
        let archive = &listing.archive;
        let files = &mut self.concerned.files;
        if tells {
            files.extend(feeds_of(id, listing));
        }
        if !shows {
            return;
        }
        files.insert(File::front(id));
        let first = page_of(before);
        let pages = first..page_of(archive.shown_below());
        if !pages.is_empty() {
            // Which led to the front until now.
            let linking = archive.older_page(first);
            files.extend(pages.chain(linking).map(|number| File::Page { listing: id, number }));
        }
    }

    /// Whether there is such a file, of one that there was or may be.
    fn exists(&self, file: File) -> bool {
        let all = self.catalogue.all();
        match file {
            File::Artwork { slot } => self.catalogue.get(slot).is_some(),
            File::Page { listing, number } => self.catalogue.listing(listing).archive.has_page(number),
            File::Front { listing } => !self.catalogue.listing(listing).archive.is_empty(),
            File::Feed { listing, .. } => {
                listing == ListingId::ALL || !self.catalogue.listing(listing).archive.is_empty()
            }
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
            | File::Overview { .. }
            | File::Home => true,
        }
    }
}
