//! A relay: takes the lead and passes over the log. Between any two statements it may stand still for as long as another
//! leads, and then go on with what it knew.

use rand::RngExt;

use super::{Actors, RELAY_LEASE_MS};

pub(super) struct Relay {
    name: &'static str,
    /// The term in which it believes to lead.
    term: Option<i64>,
    /// Where it left the checkpoint.
    at: Option<i64>,
    pass: Pass,
}

/// How far a pass over the log has got.
#[derive(Clone, Copy)]
enum Pass {
    Waiting,
    /// The events in `(after, last]` are read.
    Read {
        after: i64,
        last: i64,
    },
    /// Their jobs are there.
    Enlisted {
        last: i64,
    },
}

impl Relay {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, term: None, at: None, pass: Pass::Waiting }
    }

    /// As when its process starts again.
    fn forget(&mut self) {
        *self = Self::new(self.name);
    }
}

impl Actors {
    pub(super) fn relay(&mut self) {
        let which = self.rng.random_range(0..self.relays.len());
        match self.rng.random_range(0..20) {
            0..3 => self.lead(which),
            3 => self.relays[which].forget(),
            4 => {
                self.script.resign(self.relays[which].name);
                self.relays[which].forget();
            }
            _ if self.relays[which].term.is_none() => self.lead(which),
            _ => {
                self.pass(which);
                while self.chance(60) && !matches!(self.relays[which].pass, Pass::Waiting) {
                    self.pass(which);
                }
            }
        }
    }

    fn lead(&mut self, which: usize) {
        let relay = &mut self.relays[which];
        let term = self.script.lead(relay.name, RELAY_LEASE_MS);
        // Who is told that another leads may have a pass under way that does not know it yet.
        if term.is_some() && term != relay.term {
            relay.forget();
            relay.term = term;
        }
    }

    /// The next statement of its pass.
    fn pass(&mut self, which: usize) {
        let limit = self.rng.random_range(1..=5);
        let relay = &mut self.relays[which];
        let Some(term) = relay.term else { return };
        relay.pass = match relay.pass {
            Pass::Waiting => {
                let after = relay.at.unwrap_or_else(|| self.script.checkpoint());
                let last = self.script.read(after, limit);
                last.map_or(Pass::Waiting, |last| Pass::Read { after, last })
            }
            Pass::Read { after, last } => {
                self.script.enlist(after, last);
                Pass::Enlisted { last }
            }
            Pass::Enlisted { last } => {
                if self.script.advance(last, term) {
                    relay.at = Some(last);
                    Pass::Waiting
                } else {
                    return relay.forget();
                }
            }
        };
    }

    /// One relay leads and is left alone.
    pub(super) fn relay_everything(&mut self) {
        let head = self.script.model.head();
        if self.script.model.checkpoint == head {
            return;
        }
        let Some(term) = self.script.lead(self.relays[0].name, RELAY_LEASE_MS) else { return };
        let after = self.script.checkpoint();
        self.script.enlist(after, head);
        self.script.advance(head, term);
    }
}
