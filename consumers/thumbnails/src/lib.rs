#![doc = include_str!("../README.md")]

pub mod gate;
pub mod policy;
pub mod refused;
pub mod renditions;
pub mod settings;

mod cut;
mod decode;
mod encode;
mod palette;
mod placeholder;
mod raster;
mod watermark;

pub use cut::{Cut, Picture, Source, cut};
pub use policy::{Limits, Policy};
pub use refused::Refused;
