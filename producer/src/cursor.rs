//! Where a page ends, as an opaque word: the last row's key, bound to the list it was made for.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::problem::{Flaw, Kind, Problem};

const BOUND_BYTES: usize = 8;

/// The word for the page after this key, in the list with this filter.
pub(crate) fn write(filter: &str, key: i64) -> String {
    let mut bytes = bound_to(filter).to_vec();
    bytes.extend(key.to_be_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The key that a word stands for. One that was not written for this filter is refused: it would skip rows silently.
pub(crate) fn read(filter: &str, cursor: &str) -> Result<i64, Problem> {
    decode(filter, cursor).ok_or_else(|| {
        let detail = format!("cursor {cursor:?} is not one of this list with these filters: start without a cursor");
        let mut flaws = crate::problem::Flaws::default();
        flaws.0.push(Flaw { pointer: None, parameter: Some("cursor".to_owned()), detail });
        Problem::flawed(Kind::UnknownCursor, flaws)
    })
}

fn decode(filter: &str, cursor: &str) -> Option<i64> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (bound, key) = bytes.split_at_checked(BOUND_BYTES)?;
    (bound == bound_to(filter)).then_some(i64::from_be_bytes(key.try_into().ok()?))
}

fn bound_to(filter: &str) -> [u8; BOUND_BYTES] {
    let digest: [u8; 32] = Sha256::digest(filter).into();
    let mut bound = [0; BOUND_BYTES];
    bound.copy_from_slice(&digest[..BOUND_BYTES]);
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_for_its_own_list_alone() {
        for key in [0, 1, 4_711, i64::MAX] {
            assert_eq!(read("artworks tag=sea", &write("artworks tag=sea", key)).ok(), Some(key));
            assert!(read("artworks tag=sky", &write("artworks tag=sea", key)).is_err());
        }
    }

    #[test]
    fn what_was_never_a_cursor_is_refused() {
        for word in ["", "x", "!!!", "AAAA", &"A".repeat(1_000), &format!("{}A", write("f", 1))] {
            assert!(read("f", word).is_err(), "{word:?}");
        }
    }
}
