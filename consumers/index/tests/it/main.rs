//! What the read model and the documents promise, on the real Postgres and a real store.

mod applied;
mod commands;
mod documents;
mod folds;
mod gate;
mod held;
mod interrupted;
mod owned;
mod passed_over;
mod redelivered;
mod rehearsed;
mod replayed;
mod restored;
mod searched;
mod story;
