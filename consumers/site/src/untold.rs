//! Artworks that are public and of which nobody has been told that their pages are live.
//!
//! What has been told is in the log, on each artwork's stream, and is folded like everything else: an artwork that becomes
//! public is untold until `artwork.published` says so. Telling expects the version of its stream that was folded, so that
//! whoever told before (this daemon before it crashed, or another one) makes it a conflict and not a second time.

use std::collections::BTreeMap;

use atelier_events::artwork::Published;
use atelier_events::log::{Append, Write};
use atelier_events::{
    ArtworkEvent, ArtworkId, Context, Event, ExpectedVersion, NewEvent, Position, Recorded, Stream, Version,
};
use uuid::Uuid;

use crate::publication::ACTOR;

/// Those artworks.
#[derive(Debug, Default)]
pub(crate) struct Untold(BTreeMap<ArtworkId, Cause>);

/// What made an artwork public.
#[derive(Debug)]
struct Cause {
    position: Position,
    id: Uuid,
    correlation_id: Uuid,
    traceparent: Option<String>,
    /// The last event of its stream.
    version: Version,
}

impl Untold {
    /// This made the artwork public.
    pub(crate) fn add(&mut self, id: ArtworkId, cause: &Recorded) {
        let cause = Cause {
            position: cause.position,
            id: cause.id,
            correlation_id: cause.correlation_id,
            traceparent: cause.traceparent.clone(),
            version: cause.version,
        };
        self.0.insert(id, cause);
    }

    /// Its stream has grown.
    pub(crate) fn grown(&mut self, id: ArtworkId, version: Version) {
        if let Some(cause) = self.0.get_mut(&id) {
            cause.version = version;
        }
    }

    /// It has been told of, or is public no more.
    pub(crate) fn remove(&mut self, id: ArtworkId) {
        self.0.remove(&id);
    }

    /// So many of those that a release shows which shows the log up to this position.
    pub(crate) fn shown_by(&self, release: Position, limit: usize) -> Vec<ArtworkId> {
        self.0.iter().filter(|(_, cause)| cause.position <= release).map(|(id, _)| *id).take(limit).collect()
    }

    /// Tells of one of them. Who asked for the work finds this in the chain of what came of it.
    pub(crate) fn append(&self, id: ArtworkId, published: Published) -> Option<Append> {
        let Cause { id: caused_by, correlation_id, traceparent, version, .. } = self.0.get(&id)?;
        let context = Context {
            actor: ACTOR.to_owned(),
            correlation_id: *correlation_id,
            causation_id: Some(*caused_by),
            traceparent: traceparent.clone(),
        };
        let event = Event::Artwork(ArtworkEvent::Published(published));
        let (stream, expected) = (Stream::artwork(id), ExpectedVersion::Exactly(*version));
        let told = Write { stream, expected, events: vec![NewEvent::new(event, &context)] };
        Some(Append { key: None, writes: vec![told] })
    }
}
