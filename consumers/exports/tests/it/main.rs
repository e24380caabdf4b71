//! What exports promise, on the real Postgres and a real store.

mod kept;
mod memory;
mod packed;
mod readers;
mod selected;
mod story;
mod told_of;
mod variants;
