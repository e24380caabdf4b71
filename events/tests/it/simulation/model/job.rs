//! Jobs in memory.

use std::fmt;

use super::{Model, WANTS};

/// Which job: the event it is about, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) position: i64,
    pub(crate) consumer: &'static str,
}

/// A job, and by its state the one place where it waits.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// Which was enlisted first.
    order: u64,
    pub(crate) stream: String,
    pub(crate) bulk: bool,
    pub(crate) state: State,
    pub(crate) attempt: i32,
    pub(crate) fence: i64,
    run_at: i64,
    worker: Option<&'static str>,
    errors: usize,
}

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Available,
    Scheduled,
    Retryable,
    Running { until: i64 },
    Completed,
    Cancelled,
    Discarded,
}

/// What a claim answers of one job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) key: Key,
    pub(crate) attempt: i32,
    pub(crate) fence: i64,
}

/// How an attempt ends; times in milliseconds from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Retryable(i64),
    Snoozed(i64),
    Released,
    Discarded,
}

/// The end of one attempt, as its worker reports it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) key: Key,
    pub(crate) fence: i64,
    pub(crate) end: End,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.consumer, self.position)
    }
}

impl State {
    pub(crate) fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Discarded)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Scheduled => "scheduled",
            Self::Retryable => "retryable",
            Self::Running { .. } => "running",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Discarded => "discarded",
        }
    }
}

impl Job {
    pub(super) fn row(&self) -> String {
        let Self { bulk, state, attempt, fence, errors, run_at, worker, .. } = self;
        let (state, priority, worker) = (state.name(), i32::from(*bulk), worker.unwrap_or("nobody"));
        format!(
            "is {state}, priority {priority}, attempt {attempt}, fence {fence}, errors {errors}, run at {run_at}, by {worker}"
        )
    }

    /// Its row in one of the narrow tables; none once it has ended well or was cancelled.
    pub(super) fn place(&self, key: Key) -> Option<String> {
        let Self { bulk, attempt, fence, worker, .. } = self;
        let (position, priority, worker) = (key.position, i32::from(*bulk), worker.unwrap_or("nobody"));
        match self.state {
            State::Available => {
                Some(format!("waits for {position} with priority {priority}, attempt {attempt}, fence {fence}"))
            }
            State::Scheduled | State::Retryable => Some(format!("waits until {}", self.run_at)),
            State::Running { until } => Some(format!(
                "is leased to {worker} for {position}, priority {priority}, attempt {attempt}, fence {fence}, until {until}"
            )),
            State::Discarded => Some("is a dead letter".to_owned()),
            State::Completed | State::Cancelled => None,
        }
    }
}

impl Model {
    /// Makes the jobs of the events in `(after, up_to]` that are not there yet, and answers them.
    pub(crate) fn enlist(&mut self, after: i64, up_to: i64) -> Vec<Key> {
        let mut wanted = Vec::new();
        for event in self.events.iter().filter(|event| event.position > after && event.position <= up_to) {
            for want in WANTS.iter().filter(|want| want.event_type == event.event.event_type) {
                let later = || {
                    self.events.iter().any(|next| {
                        next.position > event.position
                            && next.position <= up_to
                            && next.stream == event.stream
                            && next.event.event_type == event.event.event_type
                    })
                };
                let waits = || {
                    self.jobs.iter().any(|(key, job)| {
                        job.state == State::Available
                            && job.stream == event.stream
                            && key.consumer == want.consumer
                            && key.position <= after
                    })
                };
                let key = Key { position: event.position, consumer: want.consumer };
                if self.jobs.contains_key(&key) || want.coalesces && (later() || waits()) {
                    continue;
                }
                let run_at = event.event.not_before.map_or(self.now, |time| time.max(self.now));
                wanted.push((key, event.stream.clone(), event.event.bulk, run_at));
            }
        }
        for (key, stream, bulk, run_at) in &wanted {
            self.enlisted += 1;
            let job = Job {
                order: self.enlisted,
                stream: stream.clone(),
                bulk: *bulk,
                state: if *run_at > self.now { State::Scheduled } else { State::Available },
                attempt: 0,
                fence: 0,
                run_at: *run_at,
                worker: None,
                errors: 0,
            };
            self.jobs.insert(*key, job);
        }
        wanted.into_iter().map(|(key, ..)| key).collect()
    }

    /// Interactive before bulk, the oldest first; none while the consumer is paused.
    pub(crate) fn claim(
        &mut self,
        consumer: &'static str,
        limit: usize,
        worker: &'static str,
        lease_ms: i64,
    ) -> Vec<Claim> {
        if self.paused.contains(consumer) {
            return Vec::new();
        }
        let until = self.now + lease_ms;
        let mut available: Vec<_> = self
            .jobs
            .iter_mut()
            .filter(|(key, job)| key.consumer == consumer && job.state == State::Available)
            .collect();
        available.sort_by_key(|(_, job)| (job.bulk, job.order));
        let first = available.into_iter().take(limit);
        first
            .map(|(key, job)| {
                job.state = State::Running { until };
                job.attempt += 1;
                job.fence += 1;
                job.worker = Some(worker);
                Claim { key: *key, attempt: job.attempt, fence: job.fence }
            })
            .collect()
    }

    /// The job while this fence is its lease's.
    fn held(&mut self, key: Key, fence: i64) -> Option<&mut Job> {
        self.jobs.get_mut(&key).filter(|job| job.fence == fence && matches!(job.state, State::Running { .. }))
    }

    pub(crate) fn renew(&mut self, leases: &[(Key, i64)], lease_ms: i64) -> Vec<Key> {
        let until = self.now + lease_ms;
        let renewed = leases.iter().filter(|(key, fence)| {
            let held = self.held(*key, *fence);
            held.map(|job| job.state = State::Running { until }).is_some()
        });
        renewed.map(|(key, _)| *key).collect()
    }

    /// Answers the endings that count.
    pub(crate) fn end(&mut self, endings: &[Ending]) -> Vec<Ending> {
        let now = self.now;
        let mut taken = Vec::new();
        for ending in endings {
            let Some(job) = self.held(ending.key, ending.fence) else { continue };
            let (state, run_at) = match ending.end {
                End::Completed => (State::Completed, job.run_at),
                End::Discarded => (State::Discarded, job.run_at),
                End::Released => (State::Available, now),
                End::Snoozed(delay) => (State::Scheduled, now + delay),
                End::Retryable(delay) => (State::Retryable, now + delay),
            };
            (job.state, job.run_at) = (state, run_at);
            job.errors += usize::from(matches!(ending.end, End::Retryable(_) | End::Discarded));
            job.attempt -= i32::from(matches!(ending.end, End::Released | End::Snoozed(_)));
            taken.push(*ending);
        }
        taken
    }

    pub(crate) fn due(&mut self) -> Vec<Key> {
        let now = self.now;
        self.change(|job| {
            let due = matches!(job.state, State::Scheduled | State::Retryable) && job.run_at <= now;
            due.then(|| job.state = State::Available).is_some()
        })
    }

    pub(crate) fn rescue(&mut self) -> Vec<Key> {
        let now = self.now;
        self.change(|job| {
            let lost = matches!(job.state, State::Running { until } if until < now);
            if lost {
                (job.state, job.run_at) = (State::Available, now);
                job.errors += 1;
            }
            lost
        })
    }

    pub(crate) fn cancel(&mut self, keys: &[Key]) -> Vec<Key> {
        let mut cancelled = keys.to_vec();
        cancelled.retain(|key| {
            let open = self.jobs.get_mut(key).filter(|job| !job.state.has_ended());
            open.map(|job| job.state = State::Cancelled).is_some()
        });
        cancelled
    }

    pub(crate) fn requeue(&mut self, keys: &[Key]) -> Vec<Key> {
        let now = self.now;
        let mut requeued = keys.to_vec();
        requeued.retain(|key| {
            let ended = self.jobs.get_mut(key);
            let ended = ended.filter(|job| matches!(job.state, State::Cancelled | State::Discarded));
            ended.map(|job| (job.state, job.attempt, job.run_at) = (State::Available, 0, now)).is_some()
        });
        requeued
    }

    fn change(&mut self, mut changed: impl FnMut(&mut Job) -> bool) -> Vec<Key> {
        self.jobs.iter_mut().filter_map(|(key, job)| changed(job).then_some(*key)).collect()
    }

    /// Whose available jobs there are, without those of paused consumers.
    pub(crate) fn startable(&self) -> Vec<&'static str> {
        let mut consumers: Vec<_> =
            self.jobs.iter().filter(|(_, job)| job.state == State::Available).map(|(key, _)| key.consumer).collect();
        consumers.sort_unstable();
        consumers.dedup();
        consumers.retain(|consumer| !self.paused.contains(consumer));
        consumers
    }

    /// A bulk job may not be taken while an interactive one of its consumer is left.
    pub(crate) fn waits_interactive(&self, consumer: &str) -> bool {
        self.jobs.iter().any(|(key, job)| key.consumer == consumer && job.state == State::Available && !job.bulk)
    }
}
