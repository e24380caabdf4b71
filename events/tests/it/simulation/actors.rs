//! Who acts in a schedule, as badly as the real ones may: clients that repeat themselves, relays that do not know that another
//! leads, workers that die, or come back with results of attempts that others have taken over, an operator.

mod client;
mod operator;
mod relay;
mod worker;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::model::State;
use super::script::Script;
use relay::Relay;
use worker::Worker;

/// How many steps a schedule has before the faults stop.
const STEPS: std::ops::RangeInclusive<usize> = 20..=40;
/// How long a worker's lease lasts, in milliseconds.
const LEASE_MS: i64 = 1_000;
/// How long a relay's lease lasts, in milliseconds.
const RELAY_LEASE_MS: i64 = 1_500;
/// The longest delay or postponement that anybody asks for, in milliseconds.
const LONGEST_DELAY_MS: i64 = 2_000;
/// How long it takes until all leases have ended and all delays are over.
const LONG_ENOUGH_MS: i64 = 10_000;
/// A generated picture becomes renditions, and those a sidecar: no chain of jobs is longer than this.
const ROUNDS: usize = 6;

/// A schedule in the making.
pub(super) struct Actors {
    script: Script,
    rng: StdRng,
    relays: [Relay; 2],
    workers: [Worker; 3],
    /// Idempotency keys in use, with the fingerprint of what was asked.
    keys: Vec<(String, u8)>,
    ids: u128,
}

/// The schedule of this seed, in a log whose head is here. The tables are looked at after every so many calls, and at the end.
pub(super) fn schedule(seed: u64, base: i64, look_after: usize) -> Script {
    let mut actors = Actors {
        script: Script::new(base, look_after),
        rng: StdRng::seed_from_u64(seed),
        relays: ["relay 1", "relay 2"].map(Relay::new),
        workers: ["worker 1", "worker 2", "worker 3"].map(Worker::new),
        keys: Vec::new(),
        ids: 0,
    };
    for _ in 0..actors.rng.random_range(STEPS) {
        actors.step();
        actors.check();
    }
    actors.work_off();
    actors.check();
    let Script { promises, model, .. } = &mut actors.script;
    promises.check_end(model);
    actors.script.read(base, usize::from(u16::MAX));
    actors.script.look();
    actors.script
}

impl Actors {
    fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..20 => self.command(),
            20..38 => self.relay(),
            38..42 => self.script.due(),
            42..46 => self.script.rescue(),
            46..64 => self.claim(),
            64..71 => self.renew(),
            71..84 => self.settle(),
            84..87 => self.crash(),
            87..95 => self.order(),
            _ => {
                let pause = [1, 10, 200, LEASE_MS + 1, LONGEST_DELAY_MS].choose(&mut self.rng).copied();
                self.script.wait(pause.unwrap_or(1));
            }
        }
    }

    fn check(&mut self) {
        let Script { promises, model, .. } = &mut self.script;
        promises.check(model);
    }

    /// The faults stop: what is paused goes on, time passes, one relay and one worker do all there is. Those who have been
    /// away come back with what they have.
    fn work_off(&mut self) {
        for consumer in self.script.model.paused.clone() {
            self.script.resume(consumer);
        }
        self.script.wait(LONG_ENOUGH_MS);
        self.script.rescue();
        self.script.due();
        for round in 0..ROUNDS {
            self.relay_everything();
            let mut claims = Vec::new();
            for consumer in self.script.model.startable() {
                claims.extend(self.script.claim(consumer, usize::from(u8::MAX), "worker 1", LEASE_MS));
            }
            if round == 0 {
                self.renew_late();
                self.settle_late();
            }
            if !claims.is_empty() {
                self.complete(&claims);
            }
            let model = &self.script.model;
            if model.checkpoint == model.head() && model.jobs.values().all(|job| job.state.has_ended()) {
                break;
            }
        }
    }

    /// Consecutive ids that no other schedule in this log has used.
    fn ids(&mut self) -> impl FnMut() -> u128 + use<> {
        let first = (u128::from(self.script.model.base.unsigned_abs()) << 64) | self.ids;
        // Far more than one step makes.
        self.ids += 1_000;
        let mut used = 0;
        move || {
            used += 1;
            first + used
        }
    }

    /// Whether something happens that happens so often in a hundred.
    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_ratio(percent, 100)
    }

    /// One of the jobs there are, in this state or any.
    fn any_job(&mut self, wanted: fn(State) -> bool) -> Option<super::model::Key> {
        let jobs = self.script.model.jobs.iter().filter(|(_, job)| wanted(job.state));
        let keys: Vec<_> = jobs.map(|(key, _)| *key).collect();
        keys.choose(&mut self.rng).copied()
    }
}
