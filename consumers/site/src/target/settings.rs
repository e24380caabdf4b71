//! Section `site.target`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use atelier_events::blobs::StoreSettings;
use atelier_events::keys;
use atelier_runtime::RetryPolicy;
use serde::{Deserialize, Serialize};

use super::TargetError;

/// Where a release goes once it is live in the folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetSettings {
    /// Which of those below.
    pub kind: TargetKind,
    /// How long bringing one release there may take, what is repeated included, in milliseconds.
    pub timeout_ms: u64,
    /// How often what fails there is tried in one deploy: a request, or the whole command.
    pub attempts: u32,
    /// The pause after the first failure, in milliseconds; it doubles with each, plus or minus a quarter.
    pub backoff_initial_ms: u64,
    /// The longest pause between two tries, in milliseconds.
    pub backoff_max_ms: u64,
    /// A bucket that serves the files.
    pub bucket: BucketSettings,
    /// The static assets of a Cloudflare Worker.
    pub workers: WorkersSettings,
    /// Whatever a command does.
    pub command: CommandSettings,
}

/// Kinds of targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// `site.dir` is what is served.
    #[default]
    Folder,
    /// A bucket.
    Bucket,
    /// Cloudflare Workers.
    Workers,
    /// A command.
    Command,
}

/// Section `site.target.bucket`. What is empty is as in `[store]`; with an endpoint of its own, region and `path_style` are
/// its own too.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BucketSettings {
    /// Address of the store.
    pub endpoint: String,
    /// Region, `auto` where the store has none.
    pub region: String,
    /// Name of the bucket.
    pub bucket: String,
    /// Who asks.
    pub access_key_id: String,
    /// How they prove it.
    pub secret_access_key: String,
    /// Whether the bucket is named in the path or in the host.
    pub path_style: bool,
    /// The folder of the bucket that holds the site. Empty: the bucket is the site.
    pub prefix: String,
    /// How long a file that the site has no more is still there for who is reading an older page, in milliseconds.
    pub grace_ms: u64,
    /// Where more files than this are to be deleted at once, none is.
    pub max_deletes: usize,
}

/// Section `site.target.workers`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkersSettings {
    /// Address of the API.
    pub api_url: String,
    /// Whose the Worker is: 32 hexadecimal digits.
    pub account_id: String,
    /// The Worker's name. It has no code: it serves the files.
    pub script: String,
    /// May edit Workers scripts of the account.
    pub api_token: String,
    /// How many files a version may have.
    pub max_files: usize,
    /// How long a file may be, in bytes.
    pub max_file_bytes: u64,
}

/// Section `site.target.command`: one of `run` and `shell`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CommandSettings {
    /// A program and its arguments, such as `["rsync", "-a", "--delete", "./", "host:/srv/site/"]`.
    pub run: Vec<String>,
    /// A line for `/bin/sh`.
    pub shell: String,
    /// Where it is run. Empty: in the release's folder.
    pub working_dir: PathBuf,
}

impl Default for TargetSettings {
    fn default() -> Self {
        Self {
            kind: TargetKind::Folder,
            timeout_ms: 1_800_000,
            attempts: 5,
            backoff_initial_ms: 1_000,
            backoff_max_ms: 30_000,
            bucket: BucketSettings::default(),
            workers: WorkersSettings::default(),
            command: CommandSettings::default(),
        }
    }
}

impl Default for BucketSettings {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            region: String::new(),
            bucket: String::new(),
            access_key_id: String::new(),
            secret_access_key: String::new(),
            path_style: true,
            prefix: "site".to_owned(),
            grace_ms: 3_600_000,
            max_deletes: 256,
        }
    }
}

impl Default for WorkersSettings {
    fn default() -> Self {
        Self {
            api_url: "https://api.cloudflare.com/client/v4".to_owned(),
            account_id: String::new(),
            script: "atelier".to_owned(),
            api_token: String::new(),
            max_files: 20_000,
            max_file_bytes: 26_214_400,
        }
    }
}

impl fmt::Debug for BucketSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketSettings")
            .field("endpoint", &self.endpoint)
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WorkersSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkersSettings")
            .field("api_url", &self.api_url)
            .field("account_id", &self.account_id)
            .field("script", &self.script)
            .finish_non_exhaustive()
    }
}

impl TargetSettings {
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub(super) fn retries(&self) -> RetryPolicy {
        let [initial, max] = [self.backoff_initial_ms, self.backoff_max_ms].map(Duration::from_millis);
        RetryPolicy::of(initial, max, self.attempts)
    }
}

impl BucketSettings {
    /// The store that is meant where blobs lie in `store`, and what keys of the site start with there.
    pub fn store(&self, store: &StoreSettings) -> Result<(StoreSettings, String), TargetError> {
        let or = |own: &String, shared: &String| if own.is_empty() { shared.clone() } else { own.clone() };
        let elsewhere = !self.endpoint.is_empty();
        let own = StoreSettings {
            endpoint: or(&self.endpoint, &store.endpoint),
            public_endpoint: String::new(),
            region: or(&self.region, &store.region),
            bucket: or(&self.bucket, &store.bucket),
            access_key_id: or(&self.access_key_id, &store.access_key_id),
            secret_access_key: or(&self.secret_access_key, &store.secret_access_key),
            path_style: if elsewhere { self.path_style } else { store.path_style },
        };
        let prefix = self.prefix.trim_matches('/');
        let blobs = ["originals", "uploads", "gallery-metadata.json", keys::EXPORTS.trim_end_matches('/')];
        let blobs = blobs.into_iter().chain(keys::RENDITION_FOLDERS.map(|folder| folder.trim_end_matches('/')));
        let first = prefix.split('/').next().unwrap_or_default();
        let shared = own.endpoint == store.endpoint && own.bucket == store.bucket;
        if shared && (prefix.is_empty() || blobs.into_iter().any(|folder| folder == first)) {
            return Err(TargetError::Settings(format!(
                "site.target.bucket is the bucket \"{}\" of [store], and with the prefix \"{prefix}\" the site would lie among \
                 the originals; name another bucket, or another prefix such as \"site\"",
                own.bucket
            )));
        }
        Ok((own, if prefix.is_empty() { String::new() } else { format!("{prefix}/") }))
    }
}
