//! The command line.

use atelier_runtime::SETTINGS_HELP;
use atelier_site::replay;
use clap::{Parser, Subcommand};

/// Publishes the static gallery.
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
    /// Renders everything from the log again, compares it with every byte that is live, and makes good what differs, also at
    /// the target.
    Replay {
        #[command(flatten)]
        args: replay::Args,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}
