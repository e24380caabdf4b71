//! A worker: claims, renews, settles. It may die, stop renewing without noticing, or send a result twice since it never
//! learnt whether the first was taken.

use rand::RngExt;
use rand::seq::IndexedRandom;

use super::super::model::{Claim, End, Ending, Key, WANTS};
use super::{Actors, LEASE_MS, LONGEST_DELAY_MS};

pub(super) struct Worker {
    name: &'static str,
    /// Attempts that it believes to run: job and fence.
    held: Vec<(Key, i64)>,
}

impl Worker {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, held: Vec::new() }
    }
}

impl Actors {
    pub(super) fn claim(&mut self) {
        let which = self.rng.random_range(0..self.workers.len());
        // Mostly where there is something: a message about a job that is done, or not yet there, finds nothing.
        let startable = self.script.model.startable();
        let anybody = WANTS.choose(&mut self.rng).map(|want| want.consumer);
        let somebody = startable.choose(&mut self.rng).copied().filter(|_| self.rng.random_ratio(9, 10));
        let Some(consumer) = somebody.or(anybody) else { return };
        let limit = self.rng.random_range(1..=3);
        let worker = &mut self.workers[which];
        let claims = self.script.claim(consumer, limit, worker.name, LEASE_MS);
        worker.held.extend(claims.iter().map(|claim| (claim.key, claim.fence)));
    }

    pub(super) fn renew(&mut self) {
        let Some(which) = self.busy() else { return };
        let renewed = self.script.renew(&self.workers[which].held, LEASE_MS);
        // One that is told that a lease is gone stops its attempt; one that was just about to settle does not.
        if self.chance(50) {
            self.workers[which].held.retain(|(key, _)| renewed.contains(key));
        }
    }

    pub(super) fn settle(&mut self) {
        let Some(which) = self.busy() else { return };
        let count = self.rng.random_range(1..=self.workers[which].held.len());
        let endings = self.endings(which, count);
        let ids = self.ids();
        self.script.settle(&endings, ids);
        if self.chance(75) {
            self.workers[which].held.drain(..count);
        }
    }

    /// Dies before, or in the middle of, its settlement.
    pub(super) fn crash(&mut self) {
        let Some(which) = self.busy() else { return };
        if self.chance(70) {
            let endings = self.endings(which, self.workers[which].held.len());
            let ids = self.ids();
            self.script.settle_and_crash(&endings, ids);
        }
        self.workers[which].held.clear();
    }

    /// Everybody who has been away renews what he believes to hold.
    pub(super) fn renew_late(&mut self) {
        for worker in &self.workers {
            if !worker.held.is_empty() {
                self.script.renew(&worker.held, LEASE_MS);
            }
        }
    }

    /// Everybody who has been away sends what he has.
    pub(super) fn settle_late(&mut self) {
        for which in 0..self.workers.len() {
            let endings = self.endings(which, self.workers[which].held.len());
            if !endings.is_empty() {
                let ids = self.ids();
                self.script.settle(&endings, ids);
            }
        }
    }

    pub(super) fn complete(&mut self, claims: &[Claim]) {
        let complete = |claim: &Claim| Ending { key: claim.key, fence: claim.fence, end: End::Completed };
        let endings: Vec<Ending> = claims.iter().map(complete).collect();
        let ids = self.ids();
        self.script.settle(&endings, ids);
    }

    fn busy(&mut self) -> Option<usize> {
        let busy: Vec<usize> = (0..self.workers.len()).filter(|which| !self.workers[*which].held.is_empty()).collect();
        busy.choose(&mut self.rng).copied()
    }

    fn endings(&mut self, which: usize, count: usize) -> Vec<Ending> {
        let held: Vec<(Key, i64)> = self.workers[which].held.iter().take(count).copied().collect();
        held.into_iter().map(|(key, fence)| Ending { key, fence, end: self.end() }).collect()
    }

    fn end(&mut self) -> End {
        let delay = self.rng.random_range(0..=LONGEST_DELAY_MS);
        match self.rng.random_range(0..20) {
            0..10 => End::Completed,
            10..13 => End::Retryable(delay),
            13..15 => End::Snoozed(delay),
            15..17 => End::Released,
            _ => End::Discarded,
        }
    }
}
