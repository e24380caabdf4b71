//! The settings that every consumer has; what only one has is in its own `settings.rs`.

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
    /// Attempts that run at the same time in one daemon.
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
    /// The longest pause between attempts, in milliseconds.
    pub backoff_max_ms: u64,
    /// How long running attempts may take to finish once the daemon is asked to stop, in milliseconds; those that do
    /// not are handed back.
    pub grace_ms: u64,
}

impl Default for ConsumerSettings {
    fn default() -> Self {
        Self {
            concurrency: 2,
            max_attempts: 10,
            attempt_timeout_ms: 300_000,
            lease_ttl_ms: 10_000,
            poll_interval_ms: 1_000,
            backoff_initial_ms: 1_000,
            backoff_max_ms: 600_000,
            grace_ms: 25_000,
        }
    }
}
