//! What the producer can be told; see `atelier_events::settings` for where from.

use std::fmt;

use atelier_events::settings::{BusSettings, DatabaseSettings, StoreSettings, TelemetrySettings};
use serde::{Deserialize, Serialize};

/// The sections that concern the producer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The database with the log.
    pub database: DatabaseSettings,
    /// What carries events to the consumers.
    pub bus: BusSettings,
    /// The bucket.
    pub store: StoreSettings,
    /// Log lines and metrics.
    pub telemetry: TelemetrySettings,
    /// The HTTP API.
    pub api: ApiSettings,
    /// The relay and the scheduler.
    pub relay: RelaySettings,
    /// The published gallery, of which the API names the pages.
    pub site: SiteAddress,
}

/// Section `api`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiSettings {
    /// Where the API listens.
    pub listen: String,
    /// Who may use it: `name:secret`, or a secret alone, whose name is `local`. The name is the owner of what is made with
    /// the key and the folder of its blobs: at most 40 of a-z, 0-9, `-` and `_`.
    pub keys: Vec<String>,
    /// What clients reach the API by, such as `https://api.example.org`. Empty: its links are paths alone.
    pub public_url: String,
    /// What renditions are served under, such as `https://cdn.example.org`. Empty: the published gallery at
    /// `site.base_url`, which has copies under `media/`, or else the bucket's own address.
    pub media_url: String,
    /// The longest body of a request, in bytes. Pictures go to the bucket and not through here.
    pub max_body_bytes: usize,
    /// The largest file that can be uploaded, in bytes.
    pub max_upload_bytes: u64,
    /// How long signed links live, in seconds.
    pub presign_ttl_s: u64,
    /// How long a read with `?after=` waits for the index, in milliseconds.
    pub after_timeout_ms: u64,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            keys: Vec::new(),
            public_url: String::new(),
            media_url: String::new(),
            max_body_bytes: 1_048_576,
            max_upload_bytes: 100_000_000,
            presign_ttl_s: 3_600,
            after_timeout_ms: 5_000,
        }
    }
}

impl fmt::Debug for ApiSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiSettings")
            .field("listen", &self.listen)
            .field("public_url", &self.public_url)
            .field("media_url", &self.media_url)
            .finish_non_exhaustive()
    }
}

/// Section `relay`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RelaySettings {
    /// How long a leader that has died keeps the others waiting, in milliseconds. It is renewed three times as often.
    pub lease_ttl_ms: u64,
    /// Events published at a time, at most 500.
    pub batch: usize,
    /// How often the log and the schedule are looked at when nothing hints at them, in milliseconds.
    pub poll_interval_ms: u64,
    /// How long completed and cancelled jobs are kept, in seconds; 0 keeps them for ever. Dead letters stay until somebody
    /// requeues or purges them.
    pub keep_jobs_s: u32,
    /// How long a command's `Idempotency-Key` is remembered, in seconds, an hour at the least: the same key is a new command
    /// after that. 0 remembers it for ever.
    pub keep_idempotency_keys_s: u32,
}

impl Default for RelaySettings {
    fn default() -> Self {
        Self {
            lease_ttl_ms: 3_000,
            batch: 500,
            poll_interval_ms: 500,
            keep_jobs_s: 604_800,
            keep_idempotency_keys_s: 2_592_000,
        }
    }
}

/// What the producer reads of section `site`; the rest of it is the site daemon's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SiteAddress {
    /// What the published gallery is reached by, such as `https://gallery.example.org`. Empty: links to its pages are
    /// paths alone.
    pub base_url: String,
}

/// What renditions are served under: what the settings say, or else the published gallery, which has copies, or else the
/// bucket's own address.
#[must_use]
pub fn media_url(api: &ApiSettings, site: &SiteAddress, store: &StoreSettings) -> String {
    if !api.media_url.is_empty() {
        return api.media_url.trim_end_matches('/').to_owned();
    }
    if !site.base_url.is_empty() {
        return format!("{}/media", site.base_url.trim_end_matches('/'));
    }
    let endpoint = match (store.public_endpoint.as_str(), store.endpoint.as_str()) {
        ("", "") => format!("https://s3.{}.amazonaws.com", store.region),
        ("", endpoint) => endpoint.to_owned(),
        (public, _) => public.to_owned(),
    };
    let endpoint = endpoint.trim_end_matches('/');
    match (store.path_style, endpoint.split_once("://")) {
        (false, Some((scheme, host))) => format!("{scheme}://{}.{host}", store.bucket),
        (_, _) => format!("{endpoint}/{}", store.bucket),
    }
}
