#![doc = include_str!("../README.md")]

mod applier;
pub mod compare;
mod daemon;
pub mod folded;
pub mod gallery;
pub mod metadata;
pub mod progress;
pub mod projection;
pub mod rebuild;
pub mod replay;
mod rows;
pub mod schema;
pub mod settings;
pub mod sidecars;

pub use compare::{Digest, compare, digests};
pub use daemon::run;
pub use projection::ReadModel;
pub use replay::{Progress, ReplayError, Replayed, replay};
pub use settings::IndexSettings;
pub use sidecars::Sidecars;
