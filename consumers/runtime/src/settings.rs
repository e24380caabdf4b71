//! The settings that every consumer has; what only one has is in its own `settings.rs`.

use atelier_events::Consumer;
use atelier_events::settings::{BusSettings, DatabaseSettings, StoreSettings, TelemetrySettings};
use serde::{Deserialize, Serialize};

/// The sections that concern every consumer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Where the log is.
    pub database: DatabaseSettings,
    /// Where messages come from.
    pub bus: BusSettings,
    /// Where blobs lie.
    pub store: StoreSettings,
    /// What the daemon says about itself.
    pub telemetry: TelemetrySettings,
    /// How it works through its jobs.
    pub consumer: ConsumerSettings,
}

/// Section `consumer` of the settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsumerSettings {
    /// Attempts that run at the same time in one daemon; each waits for a provider, the bucket or the disk for much of its
    /// time.
    pub concurrency: usize,
    /// Attempts after which a job is given up.
    pub max_attempts: i32,
    /// How long one attempt may take, in milliseconds.
    pub attempt_timeout_ms: u64,
    /// How long a lease lasts without being renewed, in milliseconds: after a crash, a job waits this long. It is
    /// renewed three times in that period.
    pub lease_ttl_ms: u32,
    /// How often a consumer looks for work that no message told it of, in milliseconds.
    pub poll_interval_ms: u64,
    /// The pause after the first failed attempt, in milliseconds; it doubles with each, plus or minus a quarter.
    pub backoff_initial_ms: u64,
    /// The longest pause between attempts, in milliseconds; never more than a year.
    pub backoff_max_ms: u64,
    /// How long running attempts may take to finish once the daemon is asked to stop, in milliseconds; those that do
    /// not are handed back.
    pub grace_ms: u64,
    /// Attempts that may begin in a minute, over all daemons of a consumer; 0 for no limit.
    pub rate_per_minute: u32,
    /// What is different for generate.
    pub generate: ConsumerOverrides,
    /// What is different for thumbnails.
    pub thumbnails: ConsumerOverrides,
    /// What is different for exports.
    pub exports: ConsumerOverrides,
    /// What is different for webhooks.
    pub webhooks: ConsumerOverrides,
    /// What is different for sidecars.
    pub sidecars: ConsumerOverrides,
}

/// Section `consumer.<name>`: settings of `consumer` that are different for one of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsumerOverrides {
    /// Instead of `consumer.concurrency`.
    pub concurrency: Option<usize>,
    /// Instead of `consumer.max_attempts`.
    pub max_attempts: Option<i32>,
    /// Instead of `consumer.attempt_timeout_ms`.
    pub attempt_timeout_ms: Option<u64>,
    /// Instead of `consumer.backoff_initial_ms`.
    pub backoff_initial_ms: Option<u64>,
    /// Instead of `consumer.backoff_max_ms`.
    pub backoff_max_ms: Option<u64>,
    /// Instead of `consumer.rate_per_minute`.
    pub rate_per_minute: Option<u32>,
}

impl ConsumerSettings {
    /// What holds for one consumer.
    #[must_use]
    pub fn of(&self, consumer: Consumer) -> Self {
        let defaults = Self::default();
        // A table that names one key leaves the defaults of the others as they are.
        let (Some(own), Some(default)) = (self.own(consumer), defaults.own(consumer)) else { return self.clone() };
        Self {
            concurrency: own.concurrency.or(default.concurrency).unwrap_or(self.concurrency),
            max_attempts: own.max_attempts.or(default.max_attempts).unwrap_or(self.max_attempts),
            attempt_timeout_ms: own
                .attempt_timeout_ms
                .or(default.attempt_timeout_ms)
                .unwrap_or(self.attempt_timeout_ms),
            backoff_initial_ms: own
                .backoff_initial_ms
                .or(default.backoff_initial_ms)
                .unwrap_or(self.backoff_initial_ms),
            backoff_max_ms: own.backoff_max_ms.or(default.backoff_max_ms).unwrap_or(self.backoff_max_ms),
            rate_per_minute: own.rate_per_minute.or(default.rate_per_minute).unwrap_or(self.rate_per_minute),
            ..self.clone()
        }
    }

    fn own(&self, consumer: Consumer) -> Option<&ConsumerOverrides> {
        match consumer {
            Consumer::Generate => Some(&self.generate),
            Consumer::Thumbnails => Some(&self.thumbnails),
            Consumer::Exports => Some(&self.exports),
            Consumer::Webhooks => Some(&self.webhooks),
            Consumer::Sidecars => Some(&self.sidecars),
            Consumer::Index | Consumer::Site => None,
        }
    }
}

impl Default for ConsumerSettings {
    fn default() -> Self {
        Self {
            concurrency: 4,
            max_attempts: 10,
            attempt_timeout_ms: 300_000,
            lease_ttl_ms: 10_000,
            poll_interval_ms: 1_000,
            backoff_initial_ms: 1_000,
            backoff_max_ms: 600_000,
            grace_ms: 25_000,
            rate_per_minute: 0,
            generate: ConsumerOverrides::default(),
            thumbnails: ConsumerOverrides::default(),
            // A ZIP may take hours; a transfer that stands still is given up long before.
            exports: ConsumerOverrides { attempt_timeout_ms: Some(86_400_000), ..ConsumerOverrides::default() },
            // Whoever is told may be away for a night: 18 attempts go on for two days.
            webhooks: ConsumerOverrides {
                max_attempts: Some(18),
                attempt_timeout_ms: Some(60_000),
                backoff_initial_ms: Some(5_000),
                backoff_max_ms: Some(36_000_000),
                ..ConsumerOverrides::default()
            },
            sidecars: ConsumerOverrides::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_consumer_s_own_table_changes_what_it_names_and_nothing_else() -> serde_json::Result<()> {
        let settings: ConsumerSettings = serde_json::from_value(json!({
            "max_attempts": 3,
            "exports": { "concurrency": 1 },
            "webhooks": { "backoff_initial_ms": 1 },
            "generate": { "max_attempts": 5 },
        }))?;
        let of = |consumer| {
            let ConsumerSettings {
                concurrency,
                max_attempts,
                attempt_timeout_ms,
                backoff_initial_ms,
                backoff_max_ms,
                ..
            } = settings.of(consumer);
            (concurrency, max_attempts, attempt_timeout_ms, backoff_initial_ms, backoff_max_ms)
        };
        assert_eq!(of(Consumer::Exports), (1, 3, 86_400_000, 1_000, 600_000));
        assert_eq!(of(Consumer::Webhooks), (4, 18, 60_000, 1, 36_000_000));
        assert_eq!(of(Consumer::Generate), (4, 5, 300_000, 1_000, 600_000));
        assert_eq!(of(Consumer::Index), (4, 3, 300_000, 1_000, 600_000));
        Ok(())
    }
}
