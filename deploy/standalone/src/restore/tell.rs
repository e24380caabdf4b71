//! What the log is told of an artwork, in two steps: that it was created, and, when its turn comes, all its variants at once.
//! A restoration that is broken off between them finds the artwork without variants, and goes on there.

use std::collections::{HashMap, HashSet};

use anyhow::Context as _;
use atelier_events::log::Write;
use atelier_events::{
    Append, AppendError, ArtworkEvent, ArtworkId, Connections, Context, Event, ExpectedVersion, NewEvent, Stream,
    VariantId, Version,
};

use super::examine::{Damage, Examined};
use super::known::{self, Known, Standing};
use super::{Options, Outcome};

/// Who the log says did it.
const ACTOR: &str = "atelier-restore";

/// An artwork about which the log is to be told.
pub(super) struct Ready {
    pub(super) examined: Examined,
    /// An earlier restoration has created it, and was broken off.
    pub(super) created: bool,
}

/// What came of a sidecar, with the damage that was found.
pub(super) type Told = (Outcome, Vec<Damage>);

pub(super) struct Restoration<'a> {
    connections: &'a Connections,
    options: Options,
    /// Variants that are in the log, or will be: of which artwork.
    claimed: HashMap<VariantId, ArtworkId>,
    /// Artworks of which a sidecar has spoken.
    seen: HashSet<ArtworkId>,
    /// Artworks that are created and whose variants are not restored yet, by their place.
    begun: HashMap<usize, Examined>,
}

impl<'a> Restoration<'a> {
    pub(super) fn begin(connections: &'a Connections, options: Options, known: &Known) -> Self {
        let (seen, begun) = (HashSet::new(), HashMap::new());
        Self { connections, options, claimed: known.variants.clone(), seen, begun }
    }

    /// Creates the artwork. None: its variants are to come.
    pub(super) async fn create(
        &mut self,
        place: usize,
        Ready { examined, created }: Ready,
    ) -> anyhow::Result<Option<Told>> {
        let Examined { sidecar, damaged, .. } = &examined;
        let id = sidecar.id;
        for variant in &sidecar.variants {
            if let Some(other) = self.claimed.get(&variant.id).filter(|other| **other != id) {
                let reason = format!("variant {} is there already, of artwork {other}", variant.id);
                return Ok(Some((Outcome::Conflict { reason }, Vec::new())));
            }
        }
        if !examined.has_something_to_show() {
            let reason = "no variant of it has whole renditions, or an original to cut them from".to_owned();
            return Ok(Some((Outcome::Skipped { reason }, damaged.clone())));
        }
        if !self.seen.insert(id) {
            let reason = format!("another sidecar says that it is that of artwork {id}");
            return Ok(Some((Outcome::Conflict { reason }, Vec::new())));
        }
        if !created && !self.options.dry_run {
            let event = Event::Artwork(ArtworkEvent::Created(examined.created.clone()));
            if let Some(outcome) = self.append(&examined, ExpectedVersion::NoStream, vec![event]).await? {
                return Ok(Some((outcome, Vec::new())));
            }
        }
        self.claimed.extend(sidecar.variants.iter().map(|variant| (variant.id, id)));
        self.begun.insert(place, examined);
        Ok(None)
    }

    /// Restores the variants of an artwork that was created. None: nothing was.
    pub(super) async fn restore(&mut self, place: usize) -> anyhow::Result<Option<Told>> {
        let Some(mut examined) = self.begun.remove(&place) else { return Ok(None) };
        let (artwork_id, title) = (examined.sidecar.id, examined.sidecar.title.clone());
        let variants = examined.sidecar.variants.len();
        if self.options.dry_run {
            return Ok(Some((Outcome::Restorable { artwork_id, title, variants }, examined.damaged)));
        }
        // A set whose manifest is there would be taken for whole by its lengths.
        for manifest in &examined.broken_sets {
            self.connections.blobs.delete(manifest).await.with_context(|| format!("deleting {manifest:?}"))?;
        }
        let events = std::mem::take(&mut examined.variants);
        let refused = self.append(&examined, ExpectedVersion::Exactly(Version(1)), events).await?;
        let outcome = refused.unwrap_or(Outcome::Restored { artwork_id, title, variants });
        Ok(Some((outcome, examined.damaged)))
    }

    /// Tells the log. Answers what came of it otherwise, when it was not taken.
    async fn append(
        &self,
        examined: &Examined,
        expected: ExpectedVersion,
        events: Vec<Event>,
    ) -> anyhow::Result<Option<Outcome>> {
        let (log, sidecar, context) = (&self.connections.log, &examined.sidecar, Context::command(ACTOR));
        let events = events.into_iter().map(|event| NewEvent::new(event, &context)).collect();
        let write = Write { stream: Stream::artwork(sidecar.id), expected, events };
        match log.append(Append { key: None, writes: vec![write] }).await {
            Ok(_) => Ok(None),
            // Somebody else restores at the same time, or another sidecar speaks of the same artwork.
            Err(AppendError::Conflict { .. }) => Ok(Some(match known::standing(log, sidecar).await? {
                Standing::There => Outcome::AlreadyThere { artwork_id: sidecar.id },
                Standing::Other(reason) => Outcome::Conflict { reason },
                Standing::Absent | Standing::Begun => Outcome::Conflict {
                    reason: "another restoration is running: repeat this one afterwards".to_owned(),
                },
            })),
            Err(AppendError::Database(error @ sqlx::Error::Encode(_))) => {
                Ok(Some(Outcome::Skipped { reason: format!("{:#}", anyhow::Error::from(error)) }))
            }
            Err(error) => Err(error).with_context(|| format!("restoring artwork {}", sidecar.id)),
        }
    }
}
