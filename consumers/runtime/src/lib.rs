#![doc = include_str!("../README.md")]

mod arguments;
mod attempt;
mod connect;
mod daemon;
mod job;
mod lease;
mod output;
mod progress;
mod projection;
mod retry;
mod settings;
mod settle;
mod stall;

pub use arguments::{SETTINGS_HELP, arguments};
pub use atelier_events::Connections;
pub use connect::connect;
pub use daemon::Daemon;
pub use job::{Attempt, Job, Outcome, run_job};
pub use output::{Output, output};
pub use progress::Progress;
pub use projection::{Projection, run_projection};
pub use retry::RetryPolicy;
pub use settings::{ConsumerOverrides, ConsumerSettings, Settings};
