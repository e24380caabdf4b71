//! `atelier replay`: the read model, built again from the log and swapped in. The work is the index's.

use std::io::Write;
use std::process::ExitCode;

use atelier_index::progress;
use atelier_runtime::Connections;

/// Builds the read model again from the log and swaps it in.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Replays, shows how far it is, and prints what came of it.
pub async fn run(args: Args, connections: &Connections) -> anyhow::Result<ExitCode> {
    let replayed = atelier_index::replay(&connections.log, progress::on_stderr()).await?;
    let text = if args.json { serde_json::to_string(&replayed)? } else { replayed.to_string() };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}
