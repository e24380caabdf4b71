#![doc = include_str!("../README.md")]

pub mod archive;
pub mod assets;
pub mod backdrop;
pub mod catalogue;
pub mod check;
pub mod colours;
pub mod gallery;
pub mod kinship;
pub mod listings;
pub mod pages;
pub mod publication;
pub mod release;
pub mod replay;
pub mod sample;
pub mod settings;
pub mod target;
pub mod templates;
pub mod theme;
pub mod turns;
mod untold;
pub mod untrusted;
pub mod video;
mod works;
