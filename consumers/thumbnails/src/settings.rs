//! What only this daemon has of the settings; see `atelier_runtime::Settings` for the rest.

use serde::Deserialize;

use crate::policy::Policy;

/// The section that concerns this daemon alone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What is taken, and what is cut from it.
    pub thumbnails: Policy,
}
