//! What the producer promises, on the real Postgres, a real store and the real read model.

mod commands;
mod exports;
mod feed;
mod generations;
mod operations;
mod orders;
mod poison;
mod reads;
mod recuts;
mod refusals;
mod relay;
mod studio;
