//! Settings: defaults < `atelier.toml` < environment `ATELIER__SECTION__KEY`. Unknown keys are errors. Secrets may lie in
//! a file instead: `ATELIER__SECTION__KEY_FILE` names it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Environment, File, FileFormat};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use crate::blobs::StoreSettings;

/// The environment variable that names the settings file; without it, `atelier.toml` in the working directory is read
/// when it is there.
pub const FILE_VARIABLE: &str = "ATELIER_CONFIG";

/// Every section there is: one file serves all daemons, and each reads the sections that concern it.
const SECTIONS: &[&str] = &[
    "api",
    "bus",
    "consumer",
    "database",
    "exports",
    "index",
    "relay",
    "render",
    "site",
    "store",
    "telemetry",
    "thumbnails",
    "watermark",
];

/// Settings that are lists, which the environment writes with commas.
const LISTS: &[(&str, &str)] = &[("ATELIER__API__KEYS", "api.keys")];

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file named by `ATELIER_CONFIG` is not there.
    #[error("ATELIER_CONFIG names {0:?}, which is not there")]
    NoFile(PathBuf),
    /// A secret's file cannot be read.
    #[error("{variable} names {path:?}, which cannot be read")]
    NoSecret {
        /// The variable.
        variable: String,
        /// The file it names.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A section that no daemon knows.
    #[error("unknown section {0:?} in the settings; there are: {known}", known = SECTIONS.join(", "))]
    UnknownSection(String),
    /// A value does not fit, or a key is not known.
    #[error(transparent)]
    Invalid(#[from] ConfigError),
}

/// Reads the settings of one daemon. `T`'s fields are sections; each refuses keys it does not know.
pub fn load<T: DeserializeOwned>() -> Result<T, SettingsError> {
    let named = std::env::var_os(FILE_VARIABLE).map(PathBuf::from);
    let file = match named {
        Some(path) if !path.exists() => return Err(SettingsError::NoFile(path)),
        Some(path) => Some(path),
        None => Some(PathBuf::from("atelier.toml")).filter(|path| path.exists()),
    };
    load_from(file.as_deref(), std::env::vars())
}

/// Reads settings from a file and an environment.
pub fn load_from<T: DeserializeOwned>(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<T, SettingsError> {
    let mut environment: HashMap<String, String> = environment.into_iter().collect();
    for (variable, path) in environment.clone() {
        let Some(value) = variable.strip_suffix("_FILE").filter(|name| name.starts_with("ATELIER__")) else {
            continue;
        };
        let secret = std::fs::read_to_string(&path).map_err(|source| SettingsError::NoSecret {
            variable: variable.clone(),
            path,
            source,
        })?;
        environment.insert(value.to_owned(), secret.trim_end().to_owned());
        environment.remove(&variable);
    }
    let mut builder = Config::builder();
    if let Some(path) = file {
        builder = builder.add_source(File::from(path).format(FileFormat::Toml));
    }
    for (variable, key) in LISTS {
        let listed = environment.remove(*variable).map(|value| elements(&value));
        builder = builder.set_override_option(*key, listed)?;
    }
    // No guessing of types from the text: a secret such as 0123 or 1e5 would come out as another. Whatever reads a
    // number or a truth value parses it.
    let variables =
        Environment::with_prefix("ATELIER").prefix_separator("__").separator("__").source(Some(environment));
    let settings = builder.add_source(variables).build()?;
    let table: HashMap<String, config::Value> = settings.clone().try_deserialize()?;
    if let Some(section) = table.keys().find(|section| !SECTIONS.contains(&section.as_str())) {
        return Err(SettingsError::UnknownSection(section.clone()));
    }
    Ok(settings.try_deserialize()?)
}

/// The parts of a list; an empty one is none (an empty API key would let everybody in).
fn elements(list: &str) -> Vec<String> {
    let parts = list.split(',').map(str::trim);
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Section `database`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseSettings {
    /// Postgres 15 or newer: `postgres://user:password@host:port/database`. On this machine without TLS, elsewhere with it
    /// where the server offers it, unless the address says `?sslmode=…`.
    pub url: String,
    /// Connections that one daemon opens at the most, beside ten at the most on which its loops claim, publish, settle and
    /// append; at least 4. The six daemons together stay within the hundred that Postgres allows.
    pub connections: u32,
    /// How long a statement waits for a free connection before it fails, in milliseconds.
    pub acquire_timeout_ms: u64,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self { url: "postgres://127.0.0.1/atelier".to_owned(), connections: 8, acquire_timeout_ms: 10_000 }
    }
}

impl std::fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseSettings").field("connections", &self.connections).finish_non_exhaustive()
    }
}

/// Section `bus`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BusSettings {
    /// RabbitMQ 3.10 or newer: `amqp://user:password@host:port/vhost`. Empty: the bus is Postgres itself.
    pub url: String,
    /// What the names of exchange and queues start with.
    pub prefix: String,
}

impl Default for BusSettings {
    fn default() -> Self {
        Self { url: String::new(), prefix: "atelier".to_owned() }
    }
}

impl std::fmt::Debug for BusSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BusSettings").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Section `telemetry`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// How log lines look.
    pub format: LogFormat,
    /// Which log lines are written: `tracing` directives, such as `info,atelier_thumbnails=debug`.
    pub filter: String,
    /// Where the daemon answers `/metrics` for Prometheus, `/healthz` and `/readyz`, without a key, such as
    /// `127.0.0.1:9464`; each daemon needs one of its own. Empty: nowhere. (The producer answers them on `api.listen` too.)
    pub listen: String,
    /// The OpenTelemetry collector that traces are sent to, over HTTP, such as `http://127.0.0.1:4318`. Empty: none are made.
    pub otlp_endpoint: String,
    /// The share of requests that are traced, from 0 to 1; a client that sends a traceparent decides for itself.
    pub trace_sample_ratio: f64,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info,s3s=warn,s3s_fs=warn,sqlx::postgres::notice=warn".to_owned(),
            listen: String::new(),
            otlp_endpoint: String::new(),
            trace_sample_ratio: 1.0,
        }
    }
}
