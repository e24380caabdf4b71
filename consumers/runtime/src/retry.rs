//! When a failed attempt is repeated: exponential backoff with jitter.

use std::time::Duration;

use backoff::ExponentialBackoffBuilder;
use backoff::backoff::Backoff;

use crate::settings::ConsumerSettings;

/// How far apart a jittered pause may lie from the exact one, in both directions.
const JITTER: f64 = 0.25;
/// The pause doubles with every attempt.
const FACTOR: f64 = 2.0;
/// The longest pause while the infrastructure cannot be used: so long does a job wait at the most once it can be again.
const OUTAGE_MAX: Duration = Duration::from_secs(30);

/// When, and how often, a job is tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    initial: Duration,
    max: Duration,
    max_attempts: i32,
}

impl RetryPolicy {
    /// Whatever the settings say: a time further away than some 290,000 years cannot be stored, and the end of an attempt
    /// would be refused.
    pub const LONGEST_PAUSE: Duration = Duration::from_hours(24 * 365);

    /// The policy that the settings ask for.
    #[must_use]
    pub fn new(settings: &ConsumerSettings) -> Self {
        Self {
            initial: Duration::from_millis(settings.backoff_initial_ms),
            max: Duration::from_millis(settings.backoff_max_ms).min(Self::LONGEST_PAUSE),
            max_attempts: settings.max_attempts,
        }
    }

    /// A policy of a consumer's own, for what it repeats within one attempt.
    #[must_use]
    pub fn of(initial: Duration, max: Duration, max_attempts: u32) -> Self {
        let max_attempts = i32::try_from(max_attempts).unwrap_or(i32::MAX);
        Self { initial, max: max.min(Self::LONGEST_PAUSE), max_attempts }
    }

    /// The pause after this attempt (from 1) has failed; none when it was the last.
    #[must_use]
    pub fn pause_after(&self, attempt: i32) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        Some(self.doubled(attempt.saturating_sub(1), self.max))
    }

    /// The pause after an attempt that the infrastructure made impossible, so many of which came before.
    #[must_use]
    pub fn pause_of_outage(&self, before: i64) -> Duration {
        self.doubled(i32::try_from(before).unwrap_or(i32::MAX), self.max.min(OUTAGE_MAX))
    }

    fn doubled(&self, times: i32, max: Duration) -> Duration {
        let exact = self.initial.as_secs_f64() * FACTOR.powi(times.clamp(0, 62));
        let exact = Duration::try_from_secs_f64(exact).unwrap_or(max).min(max);
        // The crate keeps its state in the object; a job's state is in its row, so each pause starts at its own interval.
        ExponentialBackoffBuilder::new()
            .with_initial_interval(exact)
            .with_randomization_factor(JITTER)
            .with_max_elapsed_time(None)
            .build()
            .next_backoff()
            .unwrap_or(exact)
    }

    /// Whether an attempt with this number may still be run.
    #[must_use]
    pub fn allows(&self, attempt: i32) -> bool {
        attempt <= self.max_attempts
    }
}
