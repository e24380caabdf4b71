//! The reference: what the log and the jobs are to answer, and to hold afterwards. One function per statement, in memory,
//! with nothing of how Postgres does it. A job is in one place because its state says where.

mod job;
mod log;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use atelier_events::Consumer;
use atelier_events::consumer::Kind;

pub(super) use job::{Claim, End, Ending, Job, Key, State};
pub(super) use log::{Happened, Keyed, Proposal, Proposed, Write};

/// A consumer, an event type that concerns it, and whether one job stands for a whole stream.
pub(super) struct Want {
    pub(super) consumer: &'static str,
    pub(super) event_type: &'static str,
    pub(super) coalesces: bool,
}

/// A second consumer of an event type, which the catalogue does not have among its jobs.
pub(super) const POSTERS: &str = "posters";

/// Who wants what: the catalogue, and [`POSTERS`].
pub(super) static WANTS: LazyLock<Vec<Want>> = LazyLock::new(|| {
    let jobs = Consumer::ALL.into_iter().filter(|consumer| consumer.kind() == Kind::Job);
    let mut wants: Vec<Want> = jobs
        .flat_map(|one| {
            one.event_types().iter().map(move |event_type| Want {
                consumer: one.name(),
                event_type,
                coalesces: one.coalesces(),
            })
        })
        .collect();
    wants.push(Want { consumer: POSTERS, event_type: "variant.generated", coalesces: false });
    wants
});

/// Who relays.
#[derive(Clone, Debug)]
pub(super) struct Leader {
    pub(super) holder: &'static str,
    pub(super) term: i64,
    pub(super) until: i64,
}

/// Everything that a schedule can change. Times are milliseconds on the simulated clock.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) now: i64,
    /// Where the log was when the schedule began.
    pub(super) base: i64,
    /// The events of this schedule.
    pub(super) events: Vec<Happened>,
    pub(super) keys: BTreeMap<String, (Keyed, i64)>,
    pub(super) jobs: BTreeMap<Key, Job>,
    pub(super) paused: BTreeSet<&'static str>,
    pub(super) checkpoint: i64,
    pub(super) leader: Option<Leader>,
    enlisted: u64,
}

impl Model {
    /// A log at this position and no jobs.
    pub(super) fn new(base: i64) -> Self {
        Self {
            now: 0,
            base,
            events: Vec::new(),
            keys: BTreeMap::new(),
            jobs: BTreeMap::new(),
            paused: BTreeSet::new(),
            checkpoint: base,
            leader: None,
            enlisted: 0,
        }
    }

    /// The term in which this relay leads now; none while another's lease lasts.
    pub(super) fn lead(&mut self, holder: &'static str, lease_ms: i64) -> Option<i64> {
        let until = self.now + lease_ms;
        let term = match &self.leader {
            None => 1,
            Some(leader) if leader.holder == holder => leader.term,
            Some(leader) if leader.until < self.now => leader.term + 1,
            Some(_) => return None,
        };
        self.leader = Some(Leader { holder, term, until });
        Some(term)
    }

    pub(super) fn resign(&mut self, holder: &'static str) {
        if let Some(leader) = self.leader.as_mut().filter(|leader| leader.holder == holder) {
            leader.until = self.now;
        }
    }

    /// Whether the checkpoint was moved.
    pub(super) fn advance(&mut self, position: i64, term: i64) -> bool {
        let leads = self.leader.as_ref().is_some_and(|leader| leader.term == term);
        let moved = leads && self.checkpoint <= position;
        if moved {
            self.checkpoint = position;
        }
        moved
    }

    /// As `snapshot.sql` tells it.
    pub(super) fn snapshot(&self) -> String {
        let mut lines = vec![format!("head {}, checkpoint {}", self.head(), self.checkpoint)];
        if let Some(Leader { holder, term, until }) = &self.leader {
            lines.push(format!("{holder} leads, term {term}, until {until}"));
        }
        if !self.paused.is_empty() {
            lines.push(self.paused.iter().fold("paused".to_owned(), |line, consumer| format!("{line} {consumer}")));
        }
        for (key, job) in &self.jobs {
            lines.push(format!("{key} {}", job.row()));
            lines.extend(job.place(*key).map(|place| format!("{key} {place}")));
        }
        lines.join("\n")
    }
}
