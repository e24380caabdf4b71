//! What only this daemon has of the settings; see `atelier_runtime::Settings` for the rest.

use std::path::PathBuf;

use atelier_events::blobs::StoreSettings;
use serde::{Deserialize, Serialize};

use crate::gallery::{PixelRendering, SiteMeta};
use crate::release::{DeployError, Folder};
use crate::target::settings::TargetSettings;
use crate::target::{Target, TargetError};
use crate::theme::{Theme, ThemeError};

/// The section that concerns this daemon alone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What is published, and where.
    pub site: SiteSettings,
    /// Where the pictures lie, and what a target that is a bucket takes for granted.
    pub store: StoreSettings,
}

/// Section `site`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SiteSettings {
    /// The folder that a web server serves: a link that is swapped to a new release. The releases lie beside it.
    pub dir: PathBuf,
    /// Where that server is reached, without a trailing slash.
    pub base_url: String,
    /// What the gallery is called.
    pub title: String,
    /// One sentence about it.
    pub description: String,
    /// Whose it is.
    pub author: String,
    /// The language of its own words, such as `en`.
    pub language: String,
    /// What the page about the gallery says: plain text, its line breaks are kept.
    pub about: String,
    /// Web addresses where else the author is found, for that page.
    pub links: Vec<String>,
    /// The folder of a theme: templates, style sheets, scripts, fonts and images that replace the built-in ones. It is read when
    /// the daemon starts. Empty: the built-in theme.
    pub theme: PathBuf,
    /// Whose pixels stay squares when a picture is shown larger: `auto` those of pixel art, `always` all, `never` none.
    pub pixel_rendering: PixelRendering,
    /// Whether readers can keep the works that they like: in their own browsers, of which nobody else learns.
    pub likes: bool,
    /// How long a burst may pause before what has come so far is deployed, in milliseconds.
    pub quiet_ms: u64,
    /// How long a burst may go on before what has come so far is deployed all the same, in milliseconds.
    pub burst_max_ms: u64,
    /// How often everything is rendered and compared with every byte that is live, to make good what somebody has changed
    /// there, in milliseconds; 0 never does it.
    pub replay_every_ms: u64,
    /// How many releases can be gone back from the live one.
    pub kept_releases: u32,
    /// Artworks whose whole state is kept in memory, those with the newest events, at about 10 KiB each; of the others what
    /// their pages show, and their streams are read again when something happens to them.
    pub kept_artworks: usize,
    /// Where releases are brought from that folder. Large beside the rest, and moved with it from future to future.
    pub target: Box<TargetSettings>,
}

impl Default for SiteSettings {
    fn default() -> Self {
        Self {
            dir: PathBuf::from(".atelier/site"),
            base_url: "http://127.0.0.1:8081".to_owned(),
            title: "Atelier".to_owned(),
            description: "A gallery of artworks.".to_owned(),
            author: String::new(),
            language: "en".to_owned(),
            about: String::new(),
            links: Vec::new(),
            theme: PathBuf::new(),
            pixel_rendering: PixelRendering::default(),
            likes: true,
            quiet_ms: 100,
            burst_max_ms: 1_000,
            replay_every_ms: 86_400_000,
            kept_releases: 20,
            kept_artworks: 1_000,
            target: Box::default(),
        }
    }
}

impl SiteSettings {
    /// What it says about itself.
    #[must_use]
    pub fn into_meta(self) -> SiteMeta {
        SiteMeta {
            title: self.title,
            description: self.description,
            base_url: self.base_url.trim_end_matches('/').to_owned(),
            author: self.author,
            language: self.language,
            about: self.about,
            links: self.links,
            pixel_rendering: self.pixel_rendering,
            likes: self.likes,
        }
    }

    /// What it looks like.
    pub fn theme(&self) -> Result<Theme, ThemeError> {
        if self.theme.as_os_str().is_empty() { Ok(Theme::built_in()) } else { Theme::read(&self.theme) }
    }

    /// Where it is deployed to.
    pub fn folder(&self) -> Result<Folder, DeployError> {
        Folder::new(&self.dir, self.kept_releases)
    }

    /// Where it is brought from there; `store` is where the pictures lie.
    pub fn target(&self, store: &StoreSettings) -> Result<Target, TargetError> {
        Target::new(&self.target, store, &self.base_url)
    }
}
