#![doc = include_str!("../README.md")]

mod applier;
pub mod compare;
mod copy;
mod daemon;
pub mod folded;
pub mod found;
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
mod vocabulary;

pub use compare::{Digest, compare, digests, dry_run};
pub use daemon::run;
pub use found::Unfit;
pub use projection::ReadModel;
pub use replay::{Begun, Options, Progress, ReplayError, Replayed, replay, replay_with};
pub use settings::IndexSettings;
pub use sidecars::Sidecars;
