//! Every artwork that was ever shown, and its place in each listing.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::archive::{Archive, PAGE_SIZE};
use crate::gallery::{Artwork, Image};
use crate::kinship::Kinship;
use crate::listings::{Kind, Listing, ListingId, Named, listed_by};
use crate::turns::{Turn, Turns};

/// An artwork's place in the order in which artworks were first shown; kept for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u32);

/// Places in one chunk of the sitemap, after which another begins. Search engines accept 50,000, and as many chunks; an addition
/// rewrites one.
pub const SITEMAP_CHUNK: u32 = 50;

/// Places in one chunk of the search. Ten thousand artworks make 26 of them, and one that is filled is to stay light. It has no
/// factor in common with [`PAGE_SIZE`], so that both are seldom filled at once.
pub const SEARCH_CHUNK: u32 = 377;

/// An artwork that is shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The artwork.
    pub artwork: Arc<Artwork>,
    /// Where it is listed besides the whole gallery: see [`listed_by`].
    pub listings: Vec<ListingId>,
    /// Its card, once a listing has shown it: it is on a page of each.
    pub(crate) card: OnceLock<Box<str>>,
}

/// What is shown, and where. What it holds follows from what it was told, in order, and from nothing else.
#[derive(Debug)]
pub struct Catalogue {
    slots: HashMap<Uuid, Slot>,
    /// By slot.
    ids: Vec<Uuid>,
    /// By slot.
    shown: Vec<Option<Shown>>,
    /// By their ids, the whole gallery first.
    listings: Vec<Listing>,
    /// Of all others.
    listing_ids: BTreeMap<(Kind, String), ListingId>,
    turns: Turns,
    kinship: Kinship,
    /// By a digest of their keys: whole keys would be much of what is kept of a large gallery.
    images: HashMap<u128, ImageUse>,
}

/// A key names two different images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReused(pub String);

/// A listing shows what waited in it, or its feeds tell of that, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turned {
    /// Which.
    pub listing: ListingId,
    /// What it showed until then came before this place.
    pub before: u32,
    /// Whether it shows more than that.
    pub shows: bool,
    /// Whether its feeds tell of more.
    pub tells: bool,
}

#[derive(Debug)]
struct ImageUse {
    /// How many times it is shown.
    times: u32,
    /// A digest of the image's own digest as it is written.
    content: u128,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self {
            slots: HashMap::new(),
            ids: Vec::new(),
            shown: Vec::new(),
            listings: vec![Listing::all()],
            listing_ids: BTreeMap::new(),
            turns: Turns::default(),
            kinship: Kinship::default(),
            images: HashMap::new(),
        }
    }
}

impl Catalogue {
    /// Every artwork that is shown.
    #[must_use]
    pub fn all(&self) -> &Archive {
        &self.listing(ListingId::ALL).archive
    }

    /// The slot of an artwork that was ever shown.
    #[must_use]
    pub fn slot(&self, id: &Uuid) -> Option<Slot> {
        self.slots.get(id).copied()
    }

    /// Whose slot it is.
    #[must_use]
    pub fn id(&self, slot: Slot) -> Uuid {
        self.ids[slot.0 as usize]
    }

    /// What is shown there.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&Shown> {
        self.shown.get(slot.0 as usize)?.as_ref()
    }

    /// A listing that has come up.
    #[must_use]
    pub fn listing(&self, id: ListingId) -> &Listing {
        &self.listings[id.0 as usize]
    }

    /// Listings that an artwork is in, but for that of all: by their kinds, then by their names.
    pub fn listings(&self) -> impl Iterator<Item = (ListingId, &Listing)> {
        let listings = self.listing_ids.values().map(|id| (*id, self.listing(*id)));
        listings.filter(|(_, listing)| !listing.archive.is_empty())
    }

    /// Which works came from which.
    #[must_use]
    pub fn kinship(&self) -> &Kinship {
        &self.kinship
    }

    /// Whether an image with this key is shown.
    #[must_use]
    pub fn shows_image(&self, key: &str) -> bool {
        self.images.contains_key(&digest(key))
    }

    /// Shows the artwork, or shows it otherwise than before.
    pub fn show(&mut self, artwork: Arc<Artwork>) -> Result<Vec<Turned>, KeyReused> {
        let slot = match self.slot(&artwork.id) {
            Some(slot) => slot,
            None => Slot(u32::try_from(self.shown.len()).expect("artworks are counted by 32 bits")),
        };
        let before = self.get(slot).cloned();
        if let Some(before) = &before {
            self.release_images(before.artwork.images());
        }
        if let Err(reused) = self.use_images(&artwork) {
            if let Some(before) = &before {
                self.use_images(&before.artwork)?;
            }
            return Err(reused);
        }
        if let Some(before) = &before {
            self.kinship.leave(slot, &before.artwork);
        }
        self.kinship.enter(slot, &artwork);
        let kin = self.kinship.origins(slot, &artwork).len() + self.kinship.descended(slot, &artwork).len();
        let listings: Vec<ListingId> = listed_by(&artwork).into_iter().map(|named| self.listing_id(named)).collect();
        let left = before.iter().flat_map(|before| &before.listings).filter(|old| !listings.contains(old));
        let mut turned: Vec<Turned> = left.filter_map(|old| self.turn(*old, |archive| archive.leave(slot))).collect();
        for listing in listings.iter().chain([&ListingId::ALL]) {
            self.archive(*listing).enter(slot);
            self.turns.ask(*listing, &self.listings[listing.0 as usize].archive);
        }
        let is_new = self.slots.insert(artwork.id, slot).is_none();
        if is_new {
            self.ids.push(artwork.id);
            self.shown.push(None);
        }
        self.shown[slot.0 as usize] = Some(Shown { artwork, listings, card: OnceLock::new() });
        // One that fills a page of the archive concerns that and the page before, one that fills a chunk of the search all of that,
        // and one that begins a chunk of the sitemap the list of those: that is enough.
        let given = self.all().given();
        let fills = [PAGE_SIZE, SEARCH_CHUNK].iter().any(|size| given.is_multiple_of(*size));
        if is_new && (fills || slot.0.is_multiple_of(SITEMAP_CHUNK)) {
            return Ok(turned);
        }
        let turns = self.turns.next(&self.listings, kin);
        turned.extend(turns.into_iter().filter_map(|turn| match turn {
            Turn::Show(listing) => self.turn(listing, Archive::show),
            Turn::Tell(listing) => self.turn(listing, Archive::tell),
        }));
        Ok(turned)
    }

    /// Shows what has this slot no more.
    pub fn hide(&mut self, slot: Slot) -> Vec<Turned> {
        let Some(before) = self.shown.get_mut(slot.0 as usize).and_then(Option::take) else { return Vec::new() };
        self.release_images(before.artwork.images());
        self.kinship.leave(slot, &before.artwork);
        let listings = before.listings.into_iter().chain([ListingId::ALL]);
        listings.filter_map(|listing| self.turn(listing, |archive| archive.leave(slot))).collect()
    }

    /// Changes an archive, which may make it show what waits.
    fn turn(&mut self, listing: ListingId, change: impl FnOnce(&mut Archive)) -> Option<Turned> {
        let archive = self.archive(listing);
        let (before, told) = (archive.shown_below(), archive.told_below());
        change(archive);
        let (shows, tells) = (archive.shown_below() > before, archive.told_below() > told);
        (shows || tells).then_some(Turned { listing, before, shows, tells })
    }

    fn archive(&mut self, listing: ListingId) -> &mut Archive {
        &mut self.listings[listing.0 as usize].archive
    }

    fn listing_id(&mut self, named: Named) -> ListingId {
        let next = ListingId(u32::try_from(self.listings.len()).expect("listings are counted by 32 bits"));
        let id = *self.listing_ids.entry((named.kind, named.key.clone())).or_insert(next);
        if id == next {
            self.listings.push(named.into());
        }
        id
    }

    /// All of them or, when a key names another image already, none.
    fn use_images(&mut self, artwork: &Artwork) -> Result<(), KeyReused> {
        for (before, image) in artwork.images().enumerate() {
            let content = content_digest(image);
            let used = self.images.entry(digest(&image.key)).or_insert(ImageUse { times: 0, content });
            if used.content != content {
                self.release_images(artwork.images().take(before));
                return Err(KeyReused(image.key.clone()));
            }
            used.times += 1;
        }
        Ok(())
    }

    fn release_images<'a>(&mut self, images: impl Iterator<Item = &'a Image>) {
        for image in images {
            if let Entry::Occupied(mut used) = self.images.entry(digest(&image.key)) {
                used.get_mut().times -= 1;
                if used.get().times == 0 {
                    used.remove();
                }
            }
        }
    }
}

/// However its digest is spelled.
fn content_digest(image: &Image) -> u128 {
    digest(&image.sha256.to_ascii_lowercase())
}

fn digest(text: &str) -> u128 {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    u128::from_le_bytes(*digest.first_chunk().expect("a digest has more bytes"))
}
