//! The command line.

use atelier_index::replay;
use atelier_runtime::SETTINGS_HELP;
use clap::{Parser, Subcommand};

/// Keeps the read model, the sidecars and gallery-metadata.json up to date with the log.
#[derive(Parser)]
#[command(version, after_help = SETTINGS_HELP)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Runs until SIGTERM; also what is done without a command.
    Run,
    /// Builds the read model again from the log, beside the live one, and swaps it in.
    Replay(replay::command::Args),
    /// Writes gallery-metadata.json from the sidecars in the bucket alone.
    Gallery {
        /// Read nothing but the bucket, which is listed for it.
        #[arg(long, required = true)]
        rebuild: bool,
    },
}
