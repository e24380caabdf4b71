//! Which works came from which, among those that are shown.

use std::collections::{BTreeSet, HashMap};

use atelier_events::Relation;
use uuid::Uuid;

use crate::catalogue::Slot;
use crate::gallery::Artwork;

/// Who shows a variant, and who shows one that came from it. A variant that nobody shows has no place here, so that a work
/// whose origin is not public tells nothing of it.
#[derive(Debug, Default)]
pub struct Kinship {
    /// By variant.
    shown_by: HashMap<Uuid, Slot>,
    /// By the variant that they came from, whether it is shown or not.
    descended: HashMap<Uuid, BTreeSet<Slot>>,
}

/// Another work that is shown, of which this one came or which came from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kin {
    /// The other work.
    pub slot: Slot,
    /// Its version that is concerned.
    pub version: Uuid,
    /// How the younger came from the older.
    pub relation: Relation,
}

impl Kinship {
    pub(crate) fn enter(&mut self, slot: Slot, artwork: &Artwork) {
        for (version, lineage) in artwork.versions() {
            self.shown_by.insert(version, slot);
            for origin in lineage {
                self.descended.entry(origin.parent.0).or_default().insert(slot);
            }
        }
    }

    pub(crate) fn leave(&mut self, slot: Slot, artwork: &Artwork) {
        for (version, lineage) in artwork.versions() {
            if self.shown_by.get(&version) == Some(&slot) {
                self.shown_by.remove(&version);
            }
            for origin in lineage {
                if let Some(descended) = self.descended.get_mut(&origin.parent.0) {
                    descended.remove(&slot);
                    if descended.is_empty() {
                        self.descended.remove(&origin.parent.0);
                    }
                }
            }
        }
    }

    /// The works that this one came from, each once, in the order in which its versions name them.
    #[must_use]
    pub fn origins(&self, slot: Slot, artwork: &Artwork) -> Vec<Kin> {
        let mut kin: Vec<Kin> = Vec::new();
        for origin in artwork.versions().flat_map(|(_, lineage)| lineage) {
            let version = origin.parent.0;
            if let Some(other) = self.shown_by.get(&version).filter(|other| **other != slot)
                && kin.iter().all(|kin| kin.slot != *other)
            {
                kin.push(Kin { slot: *other, version, relation: origin.relation });
            }
        }
        kin
    }

    /// Who came from this work, newest first.
    #[must_use]
    pub fn descended(&self, slot: Slot, artwork: &Artwork) -> Vec<Slot> {
        let descended = artwork.versions().filter_map(|(version, _)| self.descended.get(&version)).flatten();
        let descended: BTreeSet<Slot> = descended.copied().filter(|other| *other != slot).collect();
        descended.into_iter().rev().collect()
    }
}

/// How `younger`, which is shown in `slot`, came from `older`.
#[must_use]
pub fn descent(slot: Slot, younger: &Artwork, older: &Artwork) -> Option<Kin> {
    let is_of_older = |parent: Uuid| older.versions().any(|(version, _)| version == parent);
    younger.versions().find_map(|(version, lineage)| {
        let origin = lineage.iter().find(|origin| is_of_older(origin.parent.0))?;
        Some(Kin { slot, version, relation: origin.relation })
    })
}
