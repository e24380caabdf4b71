//! Generations: a request for one or more variants that a provider makes.

pub(super) mod cancel;
mod command;
pub(super) mod create;
mod origins;
pub(super) mod read;

pub(super) use command::PROMPT_CHARS;
