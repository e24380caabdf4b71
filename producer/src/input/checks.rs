//! What texts, links, tags and days must be like, wherever they are asked for.

use atelier_events::Priority;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use crate::problem::Flaws;

const TAGS: usize = 20;
const TAG_CHARS: usize = 50;
const URL_CHARS: usize = 2_000;

/// One line: no control characters, within a length in characters.
pub(crate) fn check_line(at: &str, text: &str, longest: usize, flaws: &mut Flaws) {
    check_length(at, text, longest, flaws);
    if text.chars().any(char::is_control) {
        flaws.at(at, "holds a control character (such as a line break): leave it out");
    }
}

/// Several lines: line breaks and tabs, and no other control characters.
pub(crate) fn check_text(at: &str, text: &str, longest: usize, flaws: &mut Flaws) {
    check_length(at, text, longest, flaws);
    if text.chars().any(|char| char.is_control() && !matches!(char, '\n' | '\r' | '\t')) {
        flaws.at(at, "holds a control character other than line breaks and tabs: leave it out");
    }
}

fn check_length(at: &str, text: &str, longest: usize, flaws: &mut Flaws) {
    let chars = text.chars().count();
    if chars > longest {
        flaws.at(at, format!("has {chars} characters, at most {longest} are allowed"));
    }
}

/// A link that a page may show: http or https with a host.
pub(crate) fn check_url(at: &str, url: &str, flaws: &mut Flaws) {
    check_line(at, url, URL_CHARS, flaws);
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    if host.is_empty() || url.contains(|char: char| char.is_whitespace() || matches!(char, '"' | '<' | '>' | '\\')) {
        flaws.at(at, format!("{} is not a link: it starts with https:// or http:// and a host", shown(url)));
    }
}

/// A day as `2026-11-21`.
pub(crate) fn check_date(at: &str, text: &str, flaws: &mut Flaws) -> Option<Date> {
    let date = Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
    if date.is_none() {
        flaws.at(at, format!("{} is not a day: write it as 2026-11-21", shown(text)));
    }
    date
}

/// What is wrong with a word that is none of those there are.
pub(crate) fn not_one_of(word: Option<&str>, known: &[&str]) -> Option<String> {
    word.filter(|word| !known.contains(word)).map(|word| format!("{word:?} is not one of {}", known.join(", ")))
}

/// What is wrong with a word that is no priority.
pub(crate) fn not_a_priority(word: Option<&str>) -> Option<String> {
    not_one_of(word, &Priority::ALL.map(Priority::as_str))
}

/// What a word that has been checked means.
pub(crate) fn priority(word: &str) -> Priority {
    Priority::ALL.into_iter().find(|priority| priority.as_str() == word).unwrap_or_default()
}

/// What is wrong with a time that is none of RFC 3339.
pub(crate) fn not_a_time(text: Option<&str>) -> Option<String> {
    text.filter(|text| time(text).is_none())
        .map(|text| format!("{text:?} is not a time such as 2026-11-21T20:00:00Z (RFC 3339)"))
}

/// What a time that has been checked means. Later than the year 9999 there is nothing to wait for.
pub(crate) fn time(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

/// Not more entries than this.
pub(crate) fn check_count(at: &str, count: usize, most: usize, flaws: &mut Flaws) {
    if count > most {
        flaws.at(at, format!("has {count} entries, at most {most} are allowed"));
    }
}

/// At most twenty, each a line of at most fifty characters.
pub(crate) fn check_tags(at: &str, tags: &[String], flaws: &mut Flaws) {
    if tags.len() > TAGS {
        return check_count(at, tags.len(), TAGS, flaws);
    }
    for (index, tag) in tags.iter().enumerate() {
        let at = format!("{at}/{index}");
        check_line(&at, tag, TAG_CHARS, flaws);
        if tag.trim().is_empty() {
            flaws.at(at, "is empty");
        }
    }
}

/// Lower case, each once, in the order given.
pub(crate) fn tidy_tags(tags: &[String]) -> Vec<String> {
    let mut tidy: Vec<String> = Vec::new();
    for tag in tags.iter().map(|tag| tag.trim().to_lowercase()) {
        if !tidy.contains(&tag) {
            tidy.push(tag);
        }
    }
    tidy
}

/// A value as an error quotes it: short, and without control characters.
fn shown(text: &str) -> String {
    const SHOWN: usize = 60;
    let start: String = text.chars().take(SHOWN).collect();
    if start.len() < text.len() { format!("{start:?}…") } else { format!("{start:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaws(check: impl FnOnce(&mut Flaws)) -> usize {
        let mut flaws = Flaws::default();
        check(&mut flaws);
        flaws.0.len()
    }

    #[test]
    fn a_link_is_http_with_a_host() {
        for url in ["https://example.org", "http://example.org/a?b#c", "https://127.0.0.1:8080/x"] {
            assert_eq!(flaws(|flaws| check_url("/u", url, flaws)), 0, "{url}");
        }
        for url in [
            "",
            "example.org",
            "javascript:alert(1)",
            "https://",
            "https:///x",
            "ftp://a",
            "https://a b",
            "https://a/\"><b",
        ] {
            assert_ne!(flaws(|flaws| check_url("/u", url, flaws)), 0, "{url}");
        }
    }

    #[test]
    fn a_day_exists() {
        assert_eq!(flaws(|flaws| assert!(check_date("/d", "2024-02-29", flaws).is_some())), 0);
        for text in ["2026-02-29", "21.11.2026", "2026-11-21T00:00:00Z", ""] {
            assert_eq!(flaws(|flaws| assert!(check_date("/d", text, flaws).is_none())), 1, "{text}");
        }
    }

    #[test]
    fn tags_are_lower_case_and_unique_in_the_order_given() {
        let tags = ["Sea", " sky", "SEA", "a"].map(str::to_owned);
        assert_eq!(tidy_tags(&tags), ["sea", "sky", "a"]);
    }
}
