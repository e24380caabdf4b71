//! Which renditions the log names now, and which it named until a moment ago.

use std::collections::{HashMap, HashSet};

use anyhow::{Context as _, bail};
use atelier_events::log::READ_LIMIT;
use atelier_events::{Log, Position, Recorded, Unreadable, VariantId, keys};
use time::OffsetDateTime;
use uuid::Uuid;

/// Characters of a variant's id at the begin of a rendition's file name.
const ID_CHARS: usize = 36;

/// Keys by variant, at some 700 bytes for each.
pub(super) struct Named {
    present: HashMap<VariantId, Vec<String>>,
    /// What was present until `spared_from` or later.
    past: HashSet<String>,
    spared_from: OffsetDateTime,
    /// The log has been read up to here.
    up_to: Position,
}

impl Named {
    /// Of an empty log. What others take the place of at this time or later counts as named.
    pub(super) fn since(spared_from: OffsetDateTime) -> Self {
        Self { present: HashMap::new(), past: HashSet::new(), spared_from, up_to: Position(0) }
    }

    /// Reads what the log has gained. An event that cannot be read is an error: nobody knows what it names.
    pub(super) async fn read_on(&mut self, log: &Log) -> anyhow::Result<()> {
        loop {
            let events = log.read(self.up_to, READ_LIMIT).await.context("reading the log")?;
            let Some(last) = events.last() else { return Ok(()) };
            let up_to = last.position;
            for event in &events {
                self.fold(event)?;
            }
            self.up_to = up_to;
        }
    }

    fn fold(&mut self, recorded: &Recorded) -> anyhow::Result<()> {
        let event = match recorded.event() {
            Ok(event) => event,
            Err(Unreadable::UnknownType(_)) => bail!(
                "a newer version wrote the event at position {} ({}), and this one does not know which blobs it names: \
                 sweep with the newer one",
                recorded.position,
                recorded.event_type
            ),
            Err(error) => return Err(error).with_context(|| format!("event at position {}", recorded.position)),
        };
        let keys = event.into_blobs().into_iter().map(|blob| blob.key);
        let mut keys: Vec<String> = keys.filter(|key| keys::is_rendition(key)).collect();
        let Some(variant) = keys.first().and_then(|key| variant_of(key)) else { return Ok(()) };
        keys.extend(keys.first().and_then(|key| keys::manifest_of(key)));
        let before = self.present.insert(variant, keys);
        if recorded.occurred_at >= self.spared_from {
            self.past.extend(before.into_iter().flatten());
        }
        Ok(())
    }

    /// Whether a key of the folders of renditions is to stay. What has no variant's name was put there by somebody else.
    pub(super) fn has(&self, key: &str) -> bool {
        let Some(variant) = variant_of(key) else { return true };
        let present = self.present.get(&variant).is_some_and(|keys| keys.iter().any(|named| named == key));
        present || self.past.contains(key)
    }
}

fn variant_of(key: &str) -> Option<VariantId> {
    let name = key.rsplit('/').next().unwrap_or(key);
    name.get(..ID_CHARS).and_then(|id| Uuid::try_parse(id).ok()).map(VariantId)
}
