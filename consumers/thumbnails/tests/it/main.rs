//! What the renditions promise, on uploads made here.

mod colours;
mod fidelity;
mod fixtures;
mod orientation;
mod outputs;
mod profiles;
mod refusals;
mod sizes;
mod uploads;
mod watermark;
