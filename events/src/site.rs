//! The published gallery.

use serde::{Deserialize, Serialize};

use crate::event::{Event, Recorded, Unreadable};
use crate::id::Position;

/// What can happen to a published gallery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum SiteEvent {
    /// A release went live.
    #[serde(rename = "site.deployed")]
    Deployed(Deployed),
}

impl SiteEvent {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Deployed(_) => "site.deployed",
        }
    }
}

/// The content of `site.deployed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployed {
    /// The release shows the log up to here; it is also the release's name.
    pub position: Position,
    /// How many artworks it shows.
    pub artworks: u64,
    /// Files in the release.
    pub files: u64,
    /// Files that differ from the release before.
    pub files_written: u64,
    /// Bytes in those.
    pub bytes_written: u64,
    /// Where it can be seen.
    pub url: String,
}

/// The gallery as its stream tells it: the release that is live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// The newest release.
    pub live: Option<Deployed>,
}

impl Site {
    /// The next state. Pure and total; a release never goes back.
    pub fn fold(state: Self, recorded: &Recorded) -> Result<Self, Unreadable> {
        Ok(match recorded.event()? {
            Event::Site(SiteEvent::Deployed(deployed)) => match state.live {
                Some(live) if live.position > deployed.position => Self { live: Some(live) },
                Some(_) | None => Self { live: Some(deployed) },
            },
            Event::Artwork(_) | Event::Variant(_) | Event::Export(_) => state,
        })
    }
}
