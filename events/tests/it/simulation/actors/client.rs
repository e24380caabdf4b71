//! A client: commands, some with an idempotency key, some of which it sends again, and some that expect another version.

use rand::RngExt;
use rand::seq::IndexedRandom;

use super::super::model::{Keyed, Proposal, Proposed, Write};
use super::{Actors, LONGEST_DELAY_MS};

const STREAMS: usize = 3;
/// Twice what makes more than one job.
const EVENT_TYPES: [&str; 8] = [
    "artwork.created",
    "variant.requested",
    "variant.requested",
    "variant.uploaded",
    "variant.uploaded",
    "variant.rendered",
    "variant.rendered",
    "export.requested",
];

impl Actors {
    /// One or two appends in a batch, each of which may be refused alone.
    pub(super) fn command(&mut self) {
        let first = self.rng.random_range(0..STREAMS);
        let mut batch = vec![self.proposal(first)];
        if self.chance(30) {
            let next = self.proposal((first + 1) % STREAMS);
            let key = |proposal: &Proposal| proposal.key.as_ref().map(|keyed| keyed.key.clone());
            // The appender never puts one key into a batch twice.
            if key(&next).is_none() || key(&next) != key(&batch[0]) {
                batch.push(next);
            }
        }
        for keyed in batch.iter().filter_map(|proposal| proposal.key.as_ref()) {
            if !self.keys.iter().any(|(known, _)| *known == keyed.key) {
                self.keys.push((keyed.key.clone(), keyed.fingerprint));
            }
        }
        self.script.append(&batch);
    }

    fn proposal(&mut self, stream: usize) -> Proposal {
        let stream = format!("artwork-{}-{stream}", self.script.model.base);
        let version = self.script.model.version(&stream);
        let expected = match self.rng.random_range(0..10) {
            0..6 => -1,
            6..8 => version,
            8 => 0,
            _ => version + 1,
        };
        let mut id = self.ids();
        let events = (0..self.rng.random_range(1..=2)).map(|_| self.event(id())).collect();
        Proposal { key: self.key(), writes: vec![Write { stream, expected, events }] }
    }

    fn event(&mut self, id: u128) -> Proposed {
        let event_type = EVENT_TYPES.choose(&mut self.rng).copied().unwrap_or(EVENT_TYPES[0]);
        let now = self.script.model.now;
        let not_before = self.chance(15).then(|| now + self.rng.random_range(0..=LONGEST_DELAY_MS));
        Proposed { id, event_type, bulk: self.chance(40), not_before, cause: None }
    }

    /// None, a new one, or one that was used before: for the same request or, wrongly, for another.
    fn key(&mut self) -> Option<Keyed> {
        let answer = self.rng.random_range(0..1_000);
        match self.rng.random_range(0..10) {
            0..6 => None,
            6..8 => {
                let key = format!("key-{}-{}", self.script.model.base, self.ids);
                Some(Keyed { key, fingerprint: self.rng.random(), answer })
            }
            _ => {
                let (key, fingerprint) = self.keys.choose(&mut self.rng).cloned()?;
                let fingerprint = if self.chance(70) { fingerprint } else { self.rng.random() };
                Some(Keyed { key, fingerprint, answer })
            }
        }
    }
}
