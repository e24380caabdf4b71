//! What strangers wrote, and the only forms in which it reaches a page.
//!
//! Escaping happens in one place, the formatter of [`crate::templates`]. What is here is for text that would be dangerous
//! or broken even when escaped: links, CSS values, paths, and characters that XML forbids.

use std::borrow::Cow;

use serde::Serialize;

/// A link that may be followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebLink {
    /// Absolute, `http` or `https`.
    pub href: String,
    /// Where it leads, for people: the host without `www.`.
    pub host: String,
}

/// Whether XML 1.0 allows `c`. The rest cannot be written in a feed, not even as a character reference.
#[must_use]
pub fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        && !matches!(c, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}')
}

/// `text` without the characters that no document may contain.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_xml_char) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| is_xml_char(*c)).collect())
}

/// One printable line of at most `max_chars` characters, cut at a word where that loses little, with an ellipsis.
#[must_use]
pub fn excerpt(text: &str, max_chars: usize) -> String {
    // Most titles and names are one already.
    if text.len() <= max_chars
        && text.split(' ').all(|word| !word.is_empty() && word.bytes().all(|c| c.is_ascii_graphic()))
    {
        return text.to_owned();
    }
    // Splitting stops early: a text of a million characters costs no more than its excerpt.
    let mut line = String::new();
    let mut chars = 0;
    for word in text.split_whitespace().map(printable).filter(|word| !word.is_empty()) {
        let glue = usize::from(!line.is_empty());
        let room = max_chars.saturating_sub(chars + glue);
        let length = word.chars().take(room + 1).count();
        if length > room {
            if chars * 2 < max_chars && room > 1 {
                line.extend(std::iter::repeat_n(' ', glue));
                line.extend(word.chars().take(room - 1));
            }
            line.push('…');
            return line;
        }
        line.extend(std::iter::repeat_n(' ', glue));
        line.push_str(&word);
        chars += glue + length;
    }
    line
}

/// `text` as a link, when it is an absolute `http` or `https` address that means the same to every reader.
///
/// Refused: other schemes, credentials (`https://known.example@evil.example`), and the backslashes, blanks and control
/// characters that browsers repair on their own.
#[must_use]
pub fn web_link(text: &str) -> Option<WebLink> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\' || !is_xml_char(c)) {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() || authority.starts_with([':', '.']) || authority.contains('@') {
        return None;
    }
    let host = authority.strip_prefix("www.").unwrap_or(authority).to_lowercase();
    Some(WebLink { href: text.to_owned(), host })
}

/// `text` as a CSS colour, when it is exactly `#rrggbb`.
#[must_use]
pub fn colour(text: &str) -> Option<String> {
    let digits = text.strip_prefix('#')?;
    (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_ascii_lowercase())
}

/// Whether `path` names a file below the site's folder on every system: relative, no `.` or `..`, no backslash, no
/// control character, no part that a file system would refuse for its length.
#[must_use]
pub fn is_safe_path(path: &str) -> bool {
    let safe_part = |part: &str| {
        !part.is_empty()
            && part.len() <= 255
            && part != "."
            && part != ".."
            && !part.chars().any(|c| c.is_control() || matches!(c, '\\' | ':'))
    };
    path.len() <= 1024 && path.split('/').all(safe_part)
}
