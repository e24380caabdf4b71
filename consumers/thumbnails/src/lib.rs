#![doc = include_str!("../README.md")]

pub mod gate;
pub mod policy;
pub mod recipe;
pub mod refused;
pub mod renditions;
pub mod settings;
pub mod watermarks;
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
