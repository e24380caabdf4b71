//! When a failed attempt is repeated: exponential backoff with jitter.

use std::time::Duration;

use backoff::ExponentialBackoffBuilder;
use backoff::backoff::Backoff;

use crate::settings::ConsumerSettings;

/// How far apart a jittered pause may lie from the exact one, in both directions.
const JITTER: f64 = 0.25;
/// The pause doubles with every attempt.
const FACTOR: f64 = 2.0;

/// When, and how often, a job is tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    initial: Duration,
    max: Duration,
    max_attempts: i32,
}

impl RetryPolicy {
    /// The policy that the settings ask for.
    #[must_use]
    pub fn new(settings: &ConsumerSettings) -> Self {
        Self {
            initial: Duration::from_millis(settings.backoff_initial_ms),
            max: Duration::from_millis(settings.backoff_max_ms),
            max_attempts: settings.max_attempts,
        }
    }

    /// The pause after this attempt (from 1) has failed; none when it was the last.
    #[must_use]
    pub fn pause_after(&self, attempt: i32) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        let doubled = FACTOR.powi(attempt.saturating_sub(1).clamp(0, 62));
        let exact = self.initial.as_secs_f64() * doubled;
        let exact = Duration::try_from_secs_f64(exact).unwrap_or(self.max).min(self.max);
        // The crate keeps its state in the object; a job's state is in its row, so each pause starts at its own interval.
        ExponentialBackoffBuilder::new()
            .with_initial_interval(exact)
            .with_randomization_factor(JITTER)
            .with_max_elapsed_time(None)
            .build()
            .next_backoff()
    }

    /// Whether an attempt with this number may still be run.
    #[must_use]
    pub fn allows(&self, attempt: i32) -> bool {
        attempt <= self.max_attempts
    }
}
