#![doc = include_str!("../README.md")]

mod ahead;
mod archive;
mod contents;
mod daemon;
mod exports;
mod finished;
mod manifest;
mod name;
mod pack;
mod pages;
mod selection;
pub mod settings;
mod webhooks;
mod zip;

pub use daemon::run;
pub use exports::Exports;
pub use manifest::{MANIFEST, Manifest, ManifestEntry, ManifestError};
pub use pages::INDEX;
pub use settings::{ExportSettings, WebhookSettings};
pub use webhooks::Webhooks;
