//! Files in the folders of renditions that nobody names, by the set they are of.

use std::collections::BTreeMap;

use atelier_events::blobs::Entry;
use atelier_events::{Blobs, keys};
use time::OffsetDateTime;

use super::Orphan;
use super::named::Named;

/// Sets of which nobody names any file, or of which some files are nobody's.
#[derive(Default)]
pub(super) struct Orphans {
    /// By the key of their manifest, be there one or not.
    sets: BTreeMap<String, Set>,
    /// Files that the log names.
    pub(super) named: u64,
}

#[derive(Default)]
struct Set {
    files: Vec<Orphan>,
    /// When the youngest of them was written. None where the store does not tell: then nobody knows how old it is.
    youngest: Option<OffsetDateTime>,
}

impl Orphans {
    /// Lists all folders of renditions, a page at a time.
    pub(super) async fn find(blobs: &Blobs, named: &Named) -> anyhow::Result<Self> {
        let mut orphans = Self::default();
        for folder in keys::RENDITION_FOLDERS {
            let mut next = None;
            loop {
                let page = blobs.page(folder, next).await?;
                for entry in page.entries {
                    if named.has(&entry.key) {
                        orphans.named += 1;
                    } else {
                        orphans.add(entry);
                    }
                }
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
        }
        Ok(orphans)
    }

    fn add(&mut self, entry: Entry) {
        let Entry { key, length, modified, etag: _ } = entry;
        let Some(manifest) = keys::manifest_of(&key) else { return };
        let set = self.sets.entry(manifest).or_default();
        set.youngest = match (set.files.is_empty(), set.youngest, modified) {
            (true, _, modified) => modified,
            (false, Some(youngest), Some(modified)) => Some(youngest.max(modified)),
            (false, ..) => None,
        };
        set.files.push(Orphan { key, length });
    }

    /// Takes out what has been named since.
    pub(super) fn retain(&mut self, named: &Named) {
        let before = self.count();
        for set in self.sets.values_mut() {
            set.files.retain(|file| !named.has(&file.key));
        }
        self.named += before - self.count();
        self.sets.retain(|_, set| !set.files.is_empty());
    }

    /// Takes out sets that were written to at this time or later; how many files those have.
    pub(super) fn spare_young(&mut self, before: OffsetDateTime) -> u64 {
        let all = self.count();
        self.sets.retain(|_, set| set.youngest.is_some_and(|youngest| youngest < before));
        all - self.count()
    }

    /// All files, by key.
    pub(super) fn files(&self) -> Vec<Orphan> {
        let mut files: Vec<Orphan> = self.sets.values().flat_map(|set| &set.files).cloned().collect();
        files.sort_by(|one, other| one.key.cmp(&other.key));
        files
    }

    /// Deletes them, and tells how many are gone so far. A set whose manifest has become young is about to be named again by
    /// whoever made it so, and stays. The manifest goes first: without it, what is left is no set to anybody.
    pub(super) async fn delete(
        &self,
        blobs: &Blobs,
        before: OffsetDateTime,
        mut progress: impl FnMut(u64),
    ) -> anyhow::Result<u64> {
        let mut deleted = 0;
        for (manifest, set) in &self.sets {
            let page = blobs.page(manifest, None).await?;
            if page.entries.iter().any(|entry| entry.modified.is_none_or(|modified| modified >= before)) {
                continue;
            }
            let (first, rest): (Vec<&Orphan>, Vec<&Orphan>) = set.files.iter().partition(|file| file.key == *manifest);
            for file in first.into_iter().chain(rest) {
                blobs.delete(&file.key).await?;
                deleted += 1;
                progress(deleted);
            }
        }
        Ok(deleted)
    }

    fn count(&self) -> u64 {
        self.sets.values().map(|set| set.files.len() as u64).sum()
    }
}
