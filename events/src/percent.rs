//! Text in addresses: all but letters, digits and `-._~` of ASCII is percent-encoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const PART: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: AsciiSet = PART.remove(b'/');

/// `text` as a part of a path, or as the value of a query.
#[must_use]
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, &PART).to_string()
}

/// `path` with its slashes kept.
#[must_use]
pub fn encode_path(path: &str) -> String {
    utf8_percent_encode(path, &PATH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_address_may_not_hold_is_encoded_and_a_path_keeps_its_slashes() {
        assert_eq!(encode("a-._~/ü%"), "a-._~%2F%C3%BC%25");
        assert_eq!(encode_path("ann/a b.webp"), "ann/a%20b.webp");
    }
}
