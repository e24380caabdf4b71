//! The releases of the site, folded: which of them showed an artwork first. Live, each release marks what it shows for the
//! first time; a replay knows all releases before it writes the first artwork.

use anyhow::Context;
use atelier_events::site::{Deployed, SiteEvent};
use atelier_events::{Event, Position, Recorded, Unreadable};
use futures::TryStreamExt;
use sqlx::PgConnection;

/// All releases up to a position of the log.
#[derive(Default)]
pub(crate) struct Releases {
    /// Releases that showed more than any before them, in order, which is also that of their positions.
    firsts: Vec<Position>,
    /// The one that is live.
    pub(crate) live: Option<(Recorded, Deployed)>,
}

impl Releases {
    /// Reads them from the log, one at a time.
    pub(crate) async fn read(connection: &mut PgConnection, up_to: Position) -> anyhow::Result<Self> {
        let mut releases = Self::default();
        let mut events = sqlx::query_as(include_str!("../sql/read_releases.sql")).bind(up_to).fetch(connection);
        while let Some(recorded) = events.try_next().await? {
            let recorded: Recorded = recorded;
            match recorded.event() {
                Ok(Event::Site(SiteEvent::Deployed(deployed))) => releases.add(recorded, deployed),
                Ok(Event::Artwork(_) | Event::Variant(_) | Event::Export(_)) | Err(Unreadable::UnknownType(_)) => {}
                Err(error) => return Err(error).with_context(|| format!("event at position {}", recorded.position)),
            }
        }
        Ok(releases)
    }

    fn add(&mut self, recorded: Recorded, deployed: Deployed) {
        if self.firsts.last().is_none_or(|last| *last < deployed.position) {
            self.firsts.push(deployed.position);
        }
        if self.live.as_ref().is_none_or(|(_, live)| live.position <= deployed.position) {
            self.live = Some((recorded, deployed));
        }
    }

    /// The first release that showed what became ready here.
    pub(crate) fn first_showing(&self, ready: Position) -> Option<Position> {
        self.firsts.get(self.firsts.partition_point(|release| *release < ready)).copied()
    }
}
