//! The names of things: what could be swapped by mistake has a type of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id (UUID v7: ordered by the time it was made).
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a new id differs each time, a default would not")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

uuid_id!(
    /// An artwork.
    ArtworkId
);
uuid_id!(
    /// One version of an artwork.
    VariantId
);
uuid_id!(
    /// One request for generated variants; it may ask for several.
    GenerationId
);
uuid_id!(
    /// One ZIP asked for.
    ExportId
);

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter!(
    /// An event's place in the whole log, from 1, with no gap. 0 is before the first.
    Position
);
counter!(
    /// An event's place in its stream, from 1. 0 is a stream that does not exist yet.
    Version
);

/// The events of one thing, by name: `artwork-<id>`, `export-<id>`, `site-<name>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct Stream(String);

impl Stream {
    /// The stream of an artwork and its variants.
    #[must_use]
    pub fn artwork(id: ArtworkId) -> Self {
        Self(format!("artwork-{id}"))
    }

    /// The stream of an export.
    #[must_use]
    pub fn export(id: ExportId) -> Self {
        Self(format!("export-{id}"))
    }

    /// The stream of a published site.
    #[must_use]
    pub fn site(name: &str) -> Self {
        Self(format!("site-{name}"))
    }

    /// The name as stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The artwork whose stream this is, if it is one's.
    #[must_use]
    pub fn artwork_id(&self) -> Option<ArtworkId> {
        self.0.strip_prefix("artwork-")?.parse().ok()
    }
}

impl From<String> for Stream {
    fn from(name: String) -> Self {
        Self(name)
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
