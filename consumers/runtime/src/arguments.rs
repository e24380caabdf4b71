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

/// Answers `--help` and `--version` and refuses what it does not know; comes back when the daemon is to run.
pub fn arguments(name: &'static str, about: &'static str) {
    let settings = "Settings: defaults < atelier.toml (or the file that ATELIER_CONFIG names) < environment \
                    ATELIER__SECTION__KEY.";
    let command: Command = Arguments::command().name(name).about(about).after_help(settings);
    command.version(env!("CARGO_PKG_VERSION")).get_matches();
}
