//! What the read model and the documents promise, on the real Postgres and a real store.

mod applied;
mod commands;
mod documents;
mod gate;
mod owned;
mod redelivered;
mod replayed;
mod searched;
mod story;
