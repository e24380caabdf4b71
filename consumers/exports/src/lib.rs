#![doc = include_str!("../README.md")]

mod archive;
mod exports;
mod manifest;
mod name;
mod pack;
mod selection;

pub use exports::Exports;
pub use manifest::{MANIFEST, ManifestEntry};
