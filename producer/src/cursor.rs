//! Where a page ends, as an opaque word: the last row's key, and a digest that binds it to the list it was made for, so that a
//! word of another list, or a damaged one, is told from one that was written here.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::problem::{Flaw, Kind, Problem};

const BOUND_BYTES: usize = 8;

/// One page of a list with a filter.
pub(crate) struct Page {
    filter: String,
    limit: i64,
    /// The key of the last row of the page before.
    pub(crate) last_before: Option<i64>,
}

impl Page {
    /// The page that this cursor names, or the first.
    pub(crate) fn open(filter: String, cursor: Option<&str>, limit: i64) -> Result<Self, Problem> {
        let last_before = cursor.map(|word| read(&filter, word)).transpose()?;
        Ok(Self { filter, limit, last_before })
    }

    /// How many rows to ask for: one more than it has, which tells whether another follows.
    pub(crate) fn rows(&self) -> i64 {
        self.limit + 1
    }

    /// Leaves it the rows that it has, and answers the cursor of the next.
    pub(crate) fn cut<T>(&self, rows: &mut Vec<T>, key: impl FnOnce(&T) -> i64) -> Option<String> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        rows.last().filter(|_| more).map(|row| write(&self.filter, key(row)))
    }
}

/// The word for the page after this key, in the list with this filter.
fn write(filter: &str, key: i64) -> String {
    let mut bytes = bound(filter, key).to_vec();
    bytes.extend(key.to_be_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The key that a word stands for. One that was not written for this filter is refused: it would skip rows silently.
fn read(filter: &str, cursor: &str) -> Result<i64, Problem> {
    decode(filter, cursor).ok_or_else(|| {
        let detail = format!("cursor {cursor:?} is not one of this list with these filters: start without a cursor");
        let mut flaws = crate::problem::Flaws::default();
        flaws.0.push(Flaw { pointer: None, parameter: Some("cursor".to_owned()), detail });
        Problem::flawed(Kind::UnknownCursor, flaws)
    })
}

fn decode(filter: &str, cursor: &str) -> Option<i64> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (read, key) = bytes.split_at_checked(BOUND_BYTES)?;
    let key = i64::from_be_bytes(key.try_into().ok()?);
    (read == bound(filter, key)).then_some(key)
}

fn bound(filter: &str, key: i64) -> [u8; BOUND_BYTES] {
    let digest: [u8; 32] = Sha256::new().chain_update(key.to_be_bytes()).chain_update(filter).finalize().into();
    let mut bound = [0; BOUND_BYTES];
    bound.copy_from_slice(&digest[..BOUND_BYTES]);
    bound
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    #[test]
    fn a_cursor_reads_back_for_its_own_list_alone() {
        for key in [0, 1, 4_711, i64::MAX] {
            assert_eq!(read("artworks tag=sea", &write("artworks tag=sea", key)).ok(), Some(key));
            assert!(read("artworks tag=sky", &write("artworks tag=sea", key)).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_key_reads_back_and_no_other_list_takes_it(filter in ".*", other in ".*", key in any::<i64>()) {
            let cursor = write(&filter, key);
            prop_assert_eq!(read(&filter, &cursor).ok(), Some(key));
            prop_assert_eq!(read(&other, &cursor).is_ok(), other == filter);
        }

        #[test]
        fn a_damaged_cursor_is_refused(key in any::<i64>(), at in any::<Index>(), instead in "[A-Za-z0-9_=+/ -]?") {
            let cursor = write("artworks", key);
            let at = at.index(cursor.len());
            let damaged = format!("{}{instead}{}", &cursor[..at], &cursor[at + 1..]);
            prop_assert_eq!(read("artworks", &damaged).is_ok(), damaged == cursor, "{} was {}", damaged, cursor);
        }

        #[test]
        fn nothing_else_is_a_cursor(word in ".*") {
            prop_assert!(read("artworks", &word).is_err());
        }
    }

    #[test]
    fn what_was_never_a_cursor_is_refused() {
        for word in ["", "x", "!!!", "AAAA", &"A".repeat(1_000), &format!("{}A", write("f", 1))] {
            assert!(read("f", word).is_err(), "{word:?}");
        }
    }
}
