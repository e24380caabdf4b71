//! What the exports daemon can be told beside what every consumer can.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The section that concerns this daemon alone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How ZIPs are kept.
    pub exports: ExportSettings,
}

/// Section `exports` of the settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExportSettings {
    /// How long a ZIP, or the list of a query whose export failed, is kept, in seconds, before it is deleted; 0 keeps it for
    /// ever.
    pub keep_s: u32,
}

impl Default for ExportSettings {
    fn default() -> Self {
        Self { keep_s: 604_800 }
    }
}

impl ExportSettings {
    /// How long a ZIP is kept; none: for ever.
    pub(crate) fn keep(&self) -> Option<Duration> {
        (self.keep_s > 0).then(|| Duration::from_secs(self.keep_s.into()))
    }
}
