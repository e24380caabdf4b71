//! What a deploy would change, before it does.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::served::Kind;

/// Files that would be put, and files that would be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Each with its length.
    pub puts: BTreeMap<String, u64>,
    /// At a bucket, later.
    pub gone: BTreeSet<String>,
}

/// The same of one kind of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Which kind.
    pub kind: Kind,
    /// Files.
    pub puts: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Files.
    pub deletes: u64,
}

impl Difference {
    /// This, and then another on top of it.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        // What was not there before need not be deleted.
        let gone = later.gone.into_iter().filter(|path| self.puts.remove(path).is_none()).collect::<Vec<_>>();
        self.gone.retain(|path| !later.puts.contains_key(path));
        self.gone.extend(gone);
        self.puts.extend(later.puts);
        self
    }

    /// By kind, those that change, in the order in which they are put.
    #[must_use]
    pub fn by_kind(&self) -> Vec<Change> {
        let changes = Kind::ALL.map(|kind| {
            let puts: Vec<u64> =
                self.puts.iter().filter(|(path, _)| Kind::of(path) == kind).map(|(_, length)| *length).collect();
            let deletes = self.gone.iter().filter(|path| Kind::of(path) == kind).count() as u64;
            Change { kind, puts: puts.len() as u64, bytes: puts.iter().sum(), deletes }
        });
        changes.into_iter().filter(|change| change.puts + change.deletes > 0).collect()
    }

    /// How many files, bytes and deletions it is in all.
    #[must_use]
    pub fn totals(&self) -> (u64, u64, u64) {
        (self.puts.len() as u64, self.puts.values().sum(), self.gone.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(puts: &[(&str, u64)], gone: &[&str]) -> Difference {
        Difference {
            puts: puts.iter().map(|(path, length)| ((*path).to_owned(), *length)).collect(),
            gone: gone.iter().map(|path| (*path).to_owned()).collect(),
        }
    }

    #[test]
    fn what_comes_and_goes_again_is_neither_put_nor_deleted() {
        let first = difference(&[("a", 1), ("b", 1)], &["c", "d"]);
        let later = difference(&[("b", 2), ("c", 3)], &["a", "e"]);
        assert_eq!(first.then(later), difference(&[("b", 2), ("c", 3)], &["d", "e"]));
    }
}
