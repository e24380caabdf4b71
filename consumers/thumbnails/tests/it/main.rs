//! What the renditions promise, on uploads made here.

mod colours;
mod fixtures;
mod orientation;
mod refusals;
mod sizes;
mod uploads;
mod watermark;
