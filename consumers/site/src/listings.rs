//! What artworks are listed by. One mechanism for the whole gallery, tags, categories, artists and colours: an archive, a
//! folder with a front and pages, and where it is worth it a feed.

use atelier_events::percent::encode_path;
use sha2::{Digest, Sha256};

use crate::archive::{Archive, Pace};
use crate::assets::hex;
use crate::colours::families;
use crate::gallery::Artwork;
use crate::untrusted::printable;

/// The longest readable part of a listing's path, in characters; four bytes each still fit a file name.
const SLUG_MAX_CHARS: usize = 40;

/// A listing's place in the order in which listings first came up; kept for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListingId(pub u32);

impl ListingId {
    /// The whole gallery: there from the beginning.
    pub const ALL: Self = Self(0);
}

/// What the artworks of a listing have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing: the whole gallery.
    All,
    /// A tag, however it is spelled.
    Tag,
    /// The kind of work.
    Category,
    /// Who made them.
    Artist,
    /// A family of colours that holds enough of them: see [`crate::colours`].
    Colour,
}

impl Kind {
    /// Those of which there are many listings, each with its own overview.
    pub const NAMED: [Self; 4] = [Self::Tag, Self::Category, Self::Artist, Self::Colour];

    /// The folder of their overview, below which each listing has its own; empty for the whole gallery.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Tag => "tags/",
            Self::Category => "categories/",
            Self::Artist => "artists/",
            Self::Colour => "colours/",
        }
    }

    /// What they are called together.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::All => "Works",
            Self::Tag => "Tags",
            Self::Category => "Categories",
            Self::Artist => "Artists",
            Self::Colour => "Colours",
        }
    }
}

/// What readers are told in of what comes to a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FeedFormat {
    /// RFC 4287.
    Atom,
    /// 2.0.
    Rss,
    /// JSON Feed 1.1.
    Json,
}

impl FeedFormat {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Atom, Self::Rss, Self::Json];

    /// Those that a listing of this kind has.
    #[must_use]
    pub fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::All | Kind::Tag | Kind::Artist => &Self::ALL,
            Kind::Category | Kind::Colour => &[],
        }
    }

    /// The name of its file, in the folder of the listing.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Atom => "feed.xml",
            Self::Rss => "rss.xml",
            Self::Json => "feed.json",
        }
    }
}

/// Artworks with something in common.
#[derive(Clone, Debug)]
pub struct Listing {
    /// What it is that they have in common.
    pub kind: Kind,
    /// What people call it. Of an artist, as it was spelled first: every page of the listing says it.
    pub name: String,
    /// Where its front lies, as on disk: empty, or ending in a slash.
    pub folder: String,
    /// Those that are in it, in the order in which they came.
    pub archive: Archive,
}

impl Listing {
    /// Of the whole gallery, empty.
    #[must_use]
    pub fn all() -> Self {
        Self { kind: Kind::All, name: String::new(), folder: String::new(), archive: Archive::new(Pace::AtOnce) }
    }

    fn named(named: Named) -> Self {
        let Named { kind, key, name } = named;
        let folder = format!("{}{}/", kind.folder(), slug(&key));
        Self { kind, name, folder, archive: Archive::new(Pace::InRows) }
    }

    /// Where its front is, relative to the site, for links.
    #[must_use]
    pub fn href(&self) -> String {
        encode_path(&self.folder)
    }
}

/// Names a listing that an artwork belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// What kind of listing it is.
    pub kind: Kind,
    /// The same for every spelling: lower case, single blanks.
    pub key: String,
    name: String,
}

impl From<Named> for Listing {
    fn from(named: Named) -> Self {
        Self::named(named)
    }
}

/// What an artwork is listed by besides the whole gallery, each once: by kind, then by name, colours by their shares.
#[must_use]
pub fn listed_by(artwork: &Artwork) -> Vec<Named> {
    let named = |kind: Kind, text: &str| {
        let (name, key) = (spelling(text), canonical_name(text));
        let name = if kind == Kind::Artist { name } else { key.clone() };
        Some(Named { kind, key, name }).filter(|named| !named.key.is_empty())
    };
    let mut listed: Vec<Named> = artwork.tags.iter().filter_map(|tag| named(Kind::Tag, tag)).collect();
    listed.extend(named(Kind::Category, &artwork.category));
    listed.extend(named(Kind::Artist, &artwork.artist));
    listed.sort();
    listed.dedup_by(|one, other| (one.kind, &one.key) == (other.kind, &other.key));
    let colours = families(&artwork.palette).into_iter().map(crate::colours::Family::name);
    listed.extend(colours.map(|name| Named { kind: Kind::Colour, key: name.to_lowercase(), name: name.to_owned() }));
    listed
}

fn spelling(text: &str) -> String {
    printable(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn canonical_name(text: &str) -> String {
    spelling(text).to_lowercase()
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
