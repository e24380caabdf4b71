//! `atelier replay`: the read model, built again from the log and swapped in. The work is the index's, and so are its
//! options.

use std::process::ExitCode;

use atelier_events::lifecycle::shutdown_signal;
pub use atelier_index::replay::command::Args;
use atelier_runtime::Connections;

/// Replays, shows how far it is, and prints what came of it.
pub async fn run(args: Args, connections: &Connections) -> anyhow::Result<ExitCode> {
    atelier_index::replay::command::run(args, &connections.log, shutdown_signal()?).await
}
