//! Tags as pages: one name, one path, however people spell them.

use sha2::{Digest, Sha256};

use crate::archive::Archive;
use crate::assets::hex;
use crate::untrusted::{encode_path, printable};

/// The longest readable part of a tag's path, in characters; four bytes each still fit a file name.
const SLUG_MAX_CHARS: usize = 40;

/// A tag and the artworks that carry it.
#[derive(Clone, Debug)]
pub struct Tag {
    /// Lower case, single blanks.
    pub name: String,
    /// The folder below `tags/`, as on disk.
    pub slug: String,
    /// Those that carry it, in the order in which they got it.
    pub archive: Archive,
}

impl Tag {
    /// A tag that nothing carries yet.
    #[must_use]
    pub fn new(name: String) -> Self {
        Self { slug: slug(&name), name, archive: Archive::default() }
    }

    /// Where the tag's front page is, relative to the site, for links.
    #[must_use]
    pub fn href(&self) -> String {
        encode_path(&format!("tags/{}/", self.slug))
    }
}

/// The names of `tags`, each once, in order.
#[must_use]
pub fn canonical_names(tags: &[String]) -> Vec<String> {
    let mut names: Vec<String> = tags.iter().map(|tag| canonical_name(tag)).filter(|name| !name.is_empty()).collect();
    names.sort();
    names.dedup();
    names
}

fn canonical_name(tag: &str) -> String {
    printable(tag).split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// A folder name for `name`, the same for no two names: blanks become `_`. Where something had to be left out, a digest of
/// the whole name keeps it apart from its neighbours (`c`, `c++`, `c#`); the `~` before it occurs in no other slug.
fn slug(name: &str) -> String {
    let keep = |c: char| if c == ' ' { '_' } else { c };
    let mut slug: String =
        name.chars().take(SLUG_MAX_CHARS).map(keep).filter(|c| c.is_alphanumeric() || matches!(c, '_' | '-')).collect();
    if !slug.chars().eq(name.chars().map(keep)) || name.contains('_') {
        slug.push('~');
        slug.push_str(&hex(&Sha256::digest(name.as_bytes())[..8]));
    }
    slug
}
