#![doc = include_str!("../README.md")]

pub mod generation;
pub mod provider;
pub mod sketch;
