//! What the log is told of an artwork, in steps: that it was created, and each variant when its turn comes. A restoration that
//! is broken off between them, or that another one or a daemon comes between, looks what of it is there, and goes on there.

use std::collections::{HashMap, HashSet};

use anyhow::Context as _;
use atelier_events::log::Write;
use atelier_events::{
    Append, AppendError, ArtworkEvent, ArtworkId, Connections, Context, Event, ExpectedVersion, NewEvent, Stream,
    VariantId, Version,
};

use super::examine::{Damage, Examined};
use super::known::{self, Begun, Known, Standing};
use super::order::{Step, What};
use super::{Options, Outcome};

/// Who the log says did it.
const ACTOR: &str = "atelier-restore";

/// An artwork about which the log is to be told.
pub(super) struct Ready {
    pub(super) examined: Examined,
    /// What of it is there, when an earlier restoration was broken off.
    pub(super) begun: Option<Begun>,
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
    /// Artworks that are created and whose variants are not all restored yet, by their place.
    begun: HashMap<usize, Telling>,
}

/// An artwork of which there is more to say.
struct Telling {
    /// With the variants of which nothing was said yet.
    examined: Examined,
    /// The last event of its stream.
    version: Version,
}

impl<'a> Restoration<'a> {
    pub(super) fn begin(connections: &'a Connections, options: Options, known: &Known) -> Self {
        let (seen, begun) = (HashSet::new(), HashMap::new());
        Self { connections, options, claimed: known.variants.clone(), seen, begun }
    }

    /// Creates the artwork. None: its variants are to come.
    pub(super) async fn create(&mut self, place: usize, ready: Ready) -> anyhow::Result<Option<Told>> {
        let Ready { examined, begun } = ready;
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
        self.claimed.extend(sidecar.variants.iter().map(|variant| (variant.id, id)));
        let created = Event::Artwork(ArtworkEvent::Created(examined.created.clone()));
        let Begun { version, there } = begun.unwrap_or_default();
        let mut telling = Telling { examined, version };
        telling.examined.variants.retain(|variant, _| !there.contains(variant));
        if version == Version::default()
            && let Some(outcome) = self.append(&mut telling, None, vec![created]).await?
        {
            return Ok(Some((outcome, Vec::new())));
        }
        self.begun.insert(place, telling);
        Ok(None)
    }

    /// Restores a variant of an artwork that was created, or at the end all that are left. None: more is to come, or nothing
    /// was begun.
    pub(super) async fn restore(&mut self, Step { place, what }: Step) -> anyhow::Result<Option<Told>> {
        let Some(mut telling) = self.begun.remove(&place) else { return Ok(None) };
        // A set whose manifest is there would be taken for whole by its lengths.
        if !self.options.dry_run {
            for manifest in std::mem::take(&mut telling.examined.broken_sets) {
                self.connections.blobs.delete(&manifest).await.with_context(|| format!("deleting {manifest:?}"))?;
            }
        }
        let next: Vec<VariantId> = match what {
            What::Restore(variant) => vec![variant],
            What::Create | What::End => telling.examined.variants.keys().copied().collect(),
        };
        for variant in next {
            let Some(events) = telling.examined.variants.remove(&variant) else { continue };
            if let Some(outcome) = self.append(&mut telling, Some(variant), events).await? {
                return Ok(Some((outcome, telling.examined.damaged)));
            }
        }
        if what != What::End {
            self.begun.insert(place, telling);
            return Ok(None);
        }
        let Examined { sidecar, damaged, .. } = telling.examined;
        let (artwork_id, title, variants) = (sidecar.id, sidecar.title, sidecar.variants.len());
        let outcome = if self.options.dry_run {
            Outcome::Restorable { artwork_id, title, variants }
        } else {
            Outcome::Restored { artwork_id, title, variants }
        };
        Ok(Some((outcome, damaged)))
    }

    /// Tells the log of the artwork, or of one of its variants, unless it has learned of it meanwhile. Answers what came of the
    /// artwork otherwise, when it was not taken.
    async fn append(
        &self,
        telling: &mut Telling,
        variant: Option<VariantId>,
        events: Vec<Event>,
    ) -> anyhow::Result<Option<Outcome>> {
        if self.options.dry_run {
            return Ok(None);
        }
        let (log, sidecar, context) = (&self.connections.log, &telling.examined.sidecar, Context::command(ACTOR));
        let events: Vec<_> = events.into_iter().map(|event| NewEvent::new(event, &context)).collect();
        let told = i64::try_from(events.len())?;
        loop {
            let expected = match telling.version {
                Version(0) => ExpectedVersion::NoStream,
                version => ExpectedVersion::Exactly(version),
            };
            let write = Write { stream: Stream::artwork(sidecar.id), expected, events: events.clone() };
            match log.append(Append { key: None, writes: vec![write] }).await {
                Ok(_) => {
                    telling.version.0 += told;
                    return Ok(None);
                }
                // Somebody else restores at the same time, a daemon goes on with what is there, or another sidecar speaks of the
                // same artwork.
                Err(AppendError::Conflict { .. }) => match known::standing(log, sidecar).await? {
                    Standing::Begun(Begun { version, there }) if version != telling.version => {
                        telling.version = version;
                        telling.examined.variants.retain(|variant, _| !there.contains(variant));
                        if variant.is_none_or(|variant| there.contains(&variant)) {
                            return Ok(None);
                        }
                    }
                    Standing::There => return Ok(Some(Outcome::AlreadyThere { artwork_id: sidecar.id })),
                    Standing::Other(reason) => return Ok(Some(Outcome::Conflict { reason })),
                    Standing::Absent | Standing::Begun(_) => {
                        let reason = "the log contradicts itself: `verify` says where".to_owned();
                        return Ok(Some(Outcome::Conflict { reason }));
                    }
                },
                Err(AppendError::Database(error @ sqlx::Error::Encode(_))) => {
                    let reason = format!("{:#}", anyhow::Error::from(error));
                    return Ok(Some(Outcome::Skipped { reason }));
                }
                Err(error) => return Err(error).with_context(|| format!("restoring artwork {}", sidecar.id)),
            }
        }
    }
}
