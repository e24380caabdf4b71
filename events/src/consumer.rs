//! Who acts on which event: the one place to change for a new consumer.

use std::fmt;

/// A consumer: a queue on the bus, and, for the ones that run jobs, rows in the `jobs` table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Consumer {
    /// Job: a requested variant becomes an original.
    Generate,
    /// Job: an original becomes renditions.
    Thumbnails,
    /// Job: a selection becomes a ZIP, and a ZIP, or the list of an export that failed, is deleted when its time is over.
    Exports,
    /// Job of the exports daemon: who waits for an export is told that it has ended.
    Webhooks,
    /// Job of the index daemon: an artwork's metadata beside its original.
    Sidecars,
    /// Projection: the read model.
    Index,
    /// Projection: the static gallery.
    Site,
}

/// How a consumer gets through the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Each event that concerns it is a job of its own: many in parallel, in any order.
    Job,
    /// It reads the log in order, woken by messages.
    Projection,
}

impl Consumer {
    /// All there are.
    pub const ALL: [Self; 7] =
        [Self::Generate, Self::Thumbnails, Self::Exports, Self::Webhooks, Self::Sidecars, Self::Index, Self::Site];

    /// Its name: in the `jobs` table, in its queue's name, in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Thumbnails => "thumbnails",
            Self::Exports => "exports",
            Self::Webhooks => "webhooks",
            Self::Sidecars => "sidecars",
            Self::Index => "index",
            Self::Site => "site",
        }
    }

    /// The daemon it runs in, which is also the actor of its events.
    #[must_use]
    pub const fn daemon(self) -> &'static str {
        match self {
            Self::Generate => "atelier-generate",
            Self::Thumbnails => "atelier-thumbnails",
            Self::Exports | Self::Webhooks => "atelier-exports",
            Self::Sidecars | Self::Index => "atelier-index",
            Self::Site => "atelier-site",
        }
    }

    /// How it gets through the log.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Generate | Self::Thumbnails | Self::Exports | Self::Webhooks | Self::Sidecars => Kind::Job,
            Self::Index | Self::Site => Kind::Projection,
        }
    }

    /// The event types that concern it.
    #[must_use]
    pub fn event_types(self) -> &'static [&'static str] {
        match self {
            Self::Generate => &["variant.requested"],
            Self::Thumbnails => &["variant.uploaded", "variant.generated", "variant.recut_requested"],
            Self::Exports => &["export.requested", "export.completed", "export.failed"],
            Self::Webhooks => &["export.completed", "export.failed"],
            Self::Sidecars => &["variant.rendered", "variant.failed", "variant.restored"],
            Self::Site => &["variant.rendered", "variant.restored"],
            Self::Index => crate::Event::TYPES,
        }
    }

    /// Whether one job that has not begun stands for every event of its stream: for what is made of the stream's present
    /// state, and not of the event.
    #[must_use]
    pub fn coalesces(self) -> bool {
        match self {
            Self::Sidecars => true,
            Self::Generate | Self::Thumbnails | Self::Exports | Self::Webhooks | Self::Index | Self::Site => false,
        }
    }

    /// The consumer of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|consumer| consumer.name() == name)
    }
}

impl fmt::Display for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
