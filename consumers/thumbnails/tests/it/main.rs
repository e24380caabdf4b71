//! What the renditions promise, on uploads made here.

mod apng;
mod attacks;
#[cfg(feature = "avif")]
mod avif;
mod bombs;
mod colours;
mod deaths;
mod fidelity;
mod fixtures;
mod job;
mod mutations;
mod orientation;
mod outputs;
mod profiles;
mod recut;
mod refusals;
mod separate;
mod sizes;
mod stage;
mod uploads;
mod watermark;
mod watermarks;
mod workers;
