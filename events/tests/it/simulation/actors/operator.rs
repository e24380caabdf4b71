//! An operator: pauses and resumes consumers, cancels and requeues jobs, those that have ended included.

use rand::RngExt;
use rand::seq::IndexedRandom;

use super::super::model::{State, WANTS};
use super::Actors;

impl Actors {
    pub(super) fn order(&mut self) {
        let consumer = WANTS.choose(&mut self.rng).map(|want| want.consumer);
        let any = |_| true;
        let mut keys: Vec<_> = [self.any_job(any), self.any_job(any)].into_iter().flatten().collect();
        keys.dedup();
        match (self.rng.random_range(0..10), consumer) {
            (0..4, _) if !keys.is_empty() => self.script.cancel(&keys),
            (4..7, _) if !keys.is_empty() => {
                keys.extend(self.any_job(|state| matches!(state, State::Cancelled | State::Discarded)));
                keys.sort_unstable();
                keys.dedup();
                self.script.requeue(&keys);
            }
            (7, Some(consumer)) => self.script.pause(consumer),
            (8.., _) => {
                let paused: Vec<_> = self.script.model.paused.iter().copied().collect();
                if let Some(consumer) = paused.choose(&mut self.rng) {
                    self.script.resume(consumer);
                }
            }
            _ => {}
        }
    }
}
