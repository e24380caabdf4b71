//! What the exports daemon can be told beside what every consumer can.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest that a store takes a signed link for.
const WEEK_S: u32 = 604_800;

/// The section that concerns this daemon alone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How ZIPs are kept, and who is told of them.
    pub exports: ExportSettings,
}

/// Section `exports` of the settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExportSettings {
    /// How long a ZIP, or the list of a query whose export failed, is kept, in seconds, before it is deleted; 0 keeps it for
    /// ever.
    pub keep_s: u32,
    /// Who is told when an export has ended.
    pub webhook: WebhookSettings,
}

/// Section `exports.webhook` of the settings.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookSettings {
    /// Where it is sent to by POST; empty: nobody is told.
    pub url: String,
    /// What it is signed with: `whsec_` and 24 to 64 bytes in base64.
    pub secret: String,
    /// How long the download link that is sent lives, in seconds, at most a week; never longer than the ZIP is kept.
    pub link_ttl_s: u32,
}

impl Default for ExportSettings {
    fn default() -> Self {
        Self { keep_s: WEEK_S, webhook: WebhookSettings::default() }
    }
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self { url: String::new(), secret: String::new(), link_ttl_s: WEEK_S }
    }
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password.
        formatter.debug_struct("WebhookSettings").field("link_ttl_s", &self.link_ttl_s).finish_non_exhaustive()
    }
}

impl ExportSettings {
    /// How long a ZIP is kept; none: for ever.
    pub(crate) fn keep(&self) -> Option<Duration> {
        (self.keep_s > 0).then(|| Duration::from_secs(self.keep_s.into()))
    }
}

impl WebhookSettings {
    pub(crate) fn link_ttl(&self) -> anyhow::Result<Duration> {
        anyhow::ensure!(
            (1..=WEEK_S).contains(&self.link_ttl_s),
            "exports.webhook.link_ttl_s is {}; it must be from 1 to {WEEK_S}, a week",
            self.link_ttl_s
        );
        Ok(Duration::from_secs(self.link_ttl_s.into()))
    }
}
