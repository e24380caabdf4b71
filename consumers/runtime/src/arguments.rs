//! The command line of a daemon that has nothing to say on it but `run`.

use clap::{Command, CommandFactory, Parser, Subcommand};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Run>,
}

#[derive(Subcommand)]
enum Run {
    /// Runs until SIGTERM (what is done without a command).
    Run,
}

/// Where a daemon's settings come from, as `--help` says after all else.
pub const SETTINGS_HELP: &str =
    "Settings: defaults < atelier.toml (or the file that ATELIER_CONFIG names) < environment ATELIER__SECTION__KEY.";

/// Answers `--help` and `--version` and refuses what it does not know; comes back when the daemon is to run.
pub fn arguments(name: &'static str, about: &'static str) {
    let command: Command = Arguments::command().name(name).about(about).after_help(SETTINGS_HELP);
    command.version(env!("CARGO_PKG_VERSION")).get_matches();
}
