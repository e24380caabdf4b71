//! The log in memory: positions, versions, idempotency keys.

use super::Model;

/// What one command asks for: all of it or nothing.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    pub(crate) key: Option<Keyed>,
    pub(crate) writes: Vec<Write>,
}

/// An idempotency key, what was asked under it, and what is answered.
#[derive(Clone, Debug)]
pub(crate) struct Keyed {
    pub(crate) key: String,
    pub(crate) fingerprint: u8,
    pub(crate) answer: u64,
}

/// The events for one stream.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) stream: String,
    /// -1 any version, otherwise the one the stream must be at.
    pub(crate) expected: i64,
    pub(crate) events: Vec<Proposed>,
}

/// An event that may be appended.
#[derive(Clone, Debug)]
pub(crate) struct Proposed {
    pub(crate) id: u128,
    pub(crate) event_type: &'static str,
    pub(crate) bulk: bool,
    pub(crate) not_before: Option<i64>,
    /// The attempt that it is the effect of, as a number of its own.
    pub(crate) cause: Option<u128>,
}

/// An event in the log.
#[derive(Clone, Debug)]
pub(crate) struct Happened {
    pub(crate) position: i64,
    pub(crate) stream: String,
    pub(crate) version: i64,
    pub(crate) event: Proposed,
}

impl Model {
    /// The last position.
    pub(crate) fn head(&self) -> i64 {
        self.events.last().map_or(self.base, |event| event.position)
    }

    /// The last version of a stream, or 0.
    pub(crate) fn version(&self, stream: &str) -> i64 {
        self.events.iter().rev().find(|event| event.stream == stream).map_or(0, |event| event.version)
    }

    /// Takes or refuses each of a batch of appends. Answers a line per refused write, and one that tells the head before.
    pub(crate) fn append(&mut self, batch: &[Proposal]) -> Vec<String> {
        let (mut answers, head) = (Vec::new(), self.head());
        let mut taken = Vec::new();
        for (index, proposal) in batch.iter().enumerate() {
            let refusals = self.refusals(index, proposal);
            if refusals.is_empty() {
                taken.push(proposal);
            }
            answers.extend(refusals);
        }
        for proposal in taken {
            for write in &proposal.writes {
                for event in &write.events {
                    let (position, version) = (self.head() + 1, self.version(&write.stream) + 1);
                    let (stream, event) = (write.stream.clone(), event.clone());
                    self.events.push(Happened { position, stream, version, event });
                }
            }
            if let Some(keyed) = &proposal.key {
                self.keys.insert(keyed.key.clone(), (keyed.clone(), self.head()));
            }
        }
        answers.push(format!("appended after {head}"));
        answers
    }

    fn refusals(&self, index: usize, proposal: &Proposal) -> Vec<String> {
        if let Some((first, position)) = proposal.key.as_ref().and_then(|keyed| self.keys.get(&keyed.key)) {
            let Keyed { fingerprint, answer, .. } = first;
            return vec![format!("{index} is a duplicate of {position}: {fingerprint} answered {answer}")];
        }
        let conflict = |write: &Write| {
            let version = self.version(&write.stream);
            (write.expected >= 0 && write.expected != version)
                .then(|| format!("{index} conflicts: {} is at {version}", write.stream))
        };
        proposal.writes.iter().filter_map(conflict).collect()
    }

    /// Events after a position, a line each, at most so many.
    pub(crate) fn read(&self, after: i64, limit: usize) -> Vec<String> {
        self.events.iter().filter(|event| event.position > after).take(limit).map(Happened::line).collect()
    }
}

impl Happened {
    fn line(&self) -> String {
        let cause = self.event.cause.map(|cause| format!(" because of {cause:x}")).unwrap_or_default();
        format!("{} {} {} {}{cause}", self.position, self.stream, self.version, self.event.event_type)
    }
}
