#![doc = include_str!("../README.md")]

pub mod settings;

mod app;
mod daemon;
mod serve;

pub mod recut;
pub mod relay;

mod auth;
mod cursor;
mod idempotency;
mod index;
mod input;
mod problem;

mod api;

pub use api::openapi;
pub use app::App;
pub use daemon::{migrate, run};
pub use serve::serve;
