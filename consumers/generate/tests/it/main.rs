//! What the generate daemon promises.

mod sketch;
