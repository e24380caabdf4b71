//! What exports promise, on the real Postgres and a real store.

mod memory;
mod packed;
mod selected;
mod story;
