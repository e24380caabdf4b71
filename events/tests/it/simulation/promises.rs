//! What must be true of every history, told without the model's states: from what was answered to whom, in order. The database
//! is held to the model and the model to these.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Claim, End, Ending, Key, Model, State, WANTS};

/// What is known of one job.
#[derive(Default)]
struct Life {
    /// The fence of the last claim, and whether its attempt can still end.
    last: Option<(i64, bool)>,
    /// Attempts that count since it was enlisted or requeued.
    attempts: i32,
    /// It has ended, and nobody has asked for it again.
    over: bool,
    /// Where the log was at the last claim.
    seen_up_to: i64,
    completed: bool,
}

/// The history, and every promise that it has broken.
#[derive(Default)]
pub(super) struct Promises {
    lives: BTreeMap<Key, Life>,
    /// Attempts whose end was taken and is told by an event.
    told: BTreeSet<u128>,
    pub(super) broken: Vec<String>,
}

impl Promises {
    pub(super) fn enlisted(&mut self, keys: &[Key]) {
        for key in keys {
            if self.lives.insert(*key, Life::default()).is_some() {
                self.broken.push(format!("{key} was enlisted twice"));
            }
        }
    }

    pub(super) fn claimed(&mut self, claims: &[Claim], after: &Model) {
        let head = after.head();
        for claim in claims {
            let consumer = claim.key.consumer;
            let bulk = after.jobs.get(&claim.key).is_some_and(|job| job.bulk);
            if after.paused.contains(consumer) {
                self.broken.push(format!("{} began while its consumer was paused", claim.key));
            }
            if bulk && after.waits_interactive(consumer) {
                self.broken.push(format!("{} is bulk and went before what somebody waits for", claim.key));
            }
            let life = self.lives.entry(claim.key).or_default();
            life.attempts += 1;
            if life.over {
                self.broken.push(format!("{} runs after its end", claim.key));
            }
            if life.last.is_some_and(|(fence, open)| open || fence >= claim.fence) {
                self.broken.push(format!("{} was claimed while it ran, or with a fence seen before", claim.key));
            }
            if life.attempts != claim.attempt {
                self.broken.push(format!("{} is at attempt {}, not {}", claim.key, claim.attempt, life.attempts));
            }
            life.last = Some((claim.fence, true));
            life.seen_up_to = head;
        }
    }

    pub(super) fn ended(&mut self, endings: &[Ending]) {
        for ending in endings {
            let life = self.lives.entry(ending.key).or_default();
            if life.last != Some((ending.fence, true)) {
                self.broken.push(format!("{} was ended by who does not hold its lease", ending.key));
            }
            life.last = Some((ending.fence, false));
            life.attempts -= i32::from(matches!(ending.end, End::Released | End::Snoozed(_)));
            life.over = matches!(ending.end, End::Completed | End::Discarded);
            life.completed = ending.end == End::Completed;
            if ending.effect().is_some() {
                self.told.insert(ending.cause());
            }
        }
    }

    pub(super) fn rescued(&mut self, keys: &[Key]) {
        for key in keys {
            self.close(*key);
        }
    }

    pub(super) fn cancelled(&mut self, keys: &[Key]) {
        for key in keys {
            self.close(*key);
            self.lives.entry(*key).or_default().over = true;
        }
    }

    pub(super) fn requeued(&mut self, keys: &[Key]) {
        for key in keys {
            let life = self.lives.entry(*key).or_default();
            if life.completed {
                self.broken.push(format!("{key} is done and was asked for again"));
            }
            (life.over, life.attempts) = (false, 0);
        }
    }

    fn close(&mut self, key: Key) {
        let life = self.lives.entry(key).or_default();
        life.last = life.last.map(|(fence, _)| (fence, false));
    }

    /// After each step: nothing lies behind the relay without a job, and each effect is in the log once.
    pub(super) fn check(&mut self, model: &Model) {
        for event in model.events.iter().filter(|event| event.position <= model.checkpoint) {
            for want in WANTS.iter().filter(|want| want.event_type == event.event.event_type) {
                let key = Key { position: event.position, consumer: want.consumer };
                if !self.lives.contains_key(&key) && !want.coalesces {
                    self.broken.push(format!("the relay is past {} and made no job of {key}", event.position));
                }
            }
        }
        let causes: Vec<u128> = model.events.iter().filter_map(|event| event.event.cause).collect();
        let distinct: BTreeSet<u128> = causes.iter().copied().collect();
        if distinct.len() != causes.len() || distinct != self.told {
            self.broken.push("an effect is in the log twice, or not at all".to_owned());
        }
    }

    /// Once the faults have stopped and everything has been worked off.
    pub(super) fn check_end(&mut self, model: &Model) {
        if model.checkpoint != model.head() {
            self.broken.push(format!("the relay stands at {} of {}", model.checkpoint, model.head()));
        }
        for (key, job) in model.jobs.iter().filter(|(_, job)| !job.state.has_ended()) {
            self.broken.push(format!("{key} never came to an end: {:?}", job.state));
        }
        for event in &model.events {
            for want in WANTS.iter().filter(|want| want.event_type == event.event.event_type) {
                let seen = self.lives.iter().any(|(key, life)| {
                    let its_own = key.position == event.position;
                    let job = model.jobs.get(key).filter(|job| job.stream == event.stream);
                    key.consumer == want.consumer
                        && job.is_some_and(|job| {
                            its_own || job.state == State::Cancelled || life.seen_up_to >= event.position
                        })
                });
                if !seen {
                    self.broken.push(format!("{} never acted on the event at {}", want.consumer, event.position));
                }
            }
        }
    }
}
