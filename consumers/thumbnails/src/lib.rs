#![doc = include_str!("../README.md")]
#![expect(unexpected_cfgs, reason = "`fuzzing` is set by cargo fuzz, whose targets are built without the daemon")]

pub mod gate;
pub mod policy;
#[cfg(not(fuzzing))]
pub mod recipe;
pub mod refused;
#[cfg(not(fuzzing))]
pub mod renditions;
#[cfg(not(fuzzing))]
pub mod settings;
#[cfg(not(fuzzing))]
pub mod watermarks;
#[cfg(not(fuzzing))]
pub mod workers;

mod animation;
mod buffers;
mod caption;
mod card;
mod colour;
mod cut;
mod decode;
mod encode;
mod note;
mod palette;
mod placeholder;
mod raster;
#[cfg(not(fuzzing))]
mod sets;
mod stages;
mod stopwatch;
mod text;
mod watermark;

pub use caption::{Caption, Corner, Mark};
pub use cut::{Cut, Picture, Source, cut, cut_measured};
pub use policy::{Limits, Policy};
pub use refused::Refused;
pub use stopwatch::Costs;
