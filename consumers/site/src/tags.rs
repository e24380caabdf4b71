//! Tags as pages: one name, one path, however people spell them.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::assets::hex;
use crate::gallery::Gallery;
use crate::untrusted::{encode_path, printable};

/// The longest readable part of a tag's path, in characters; four bytes each still fit a file name.
const SLUG_MAX_CHARS: usize = 40;

/// A tag and the artworks that carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Lower case, single blanks.
    pub name: String,
    /// The folder below `tags/`, as on disk.
    pub slug: String,
    /// Indexes into the gallery, newest first.
    pub members: Vec<usize>,
}

impl Tag {
    /// Where the tag's front page is, relative to the site, for links.
    #[must_use]
    pub fn href(&self) -> String {
        encode_path(&format!("tags/{}/", self.slug))
    }
}

/// Every tag of the gallery by name, and the tags of each artwork as indexes into them.
#[must_use]
pub fn tags(gallery: &Gallery) -> (Vec<Tag>, Vec<Vec<usize>>) {
    // Equal slugs share an entry, so that two tags can never claim one path.
    let mut by_slug: BTreeMap<String, Tag> = BTreeMap::new();
    for (index, artwork) in gallery.artworks().iter().enumerate() {
        for name in artwork.tags.iter().map(|tag| canonical_name(tag)).filter(|name| !name.is_empty()) {
            let slug = slug(&name);
            let tag = by_slug.entry(slug).or_insert_with_key(|slug| Tag { name, slug: slug.clone(), members: vec![] });
            if tag.members.last() != Some(&index) {
                tag.members.push(index);
            }
        }
    }
    let mut tags: Vec<Tag> = by_slug.into_values().collect();
    tags.sort_by(|a, b| (&a.name, &a.slug).cmp(&(&b.name, &b.slug)));
    let mut of_artwork = vec![vec![]; gallery.artworks().len()];
    for (tag_index, tag) in tags.iter().enumerate() {
        for member in &tag.members {
            of_artwork[*member].push(tag_index);
        }
    }
    (tags, of_artwork)
}

fn canonical_name(tag: &str) -> String {
    printable(tag).split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// A folder name for `name`: blanks become `_`. Where something had to be left out, a digest of the whole name keeps it
/// apart from its neighbours (`c`, `c++`, `c#`); the `~` before it occurs in no other slug.
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
