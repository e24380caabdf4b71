//! What the renditions promise, on uploads made here.

mod attacks;
mod bombs;
mod colours;
mod fidelity;
mod fixtures;
mod job;
mod mutations;
mod orientation;
mod outputs;
mod profiles;
mod refusals;
mod sizes;
mod uploads;
mod watermark;
mod watermarks;
mod workers;
