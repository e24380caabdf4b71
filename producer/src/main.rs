//! `atelier-producer`: the HTTP API and the relay.

use anyhow::Context as _;
use atelier_events::settings;
use clap::{Parser, Subcommand};

/// Takes commands over HTTP, appends events to the log and publishes them.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, Subcommand)]
enum Command {
    /// Serves the API and runs the relay (the default).
    Serve,
    /// Brings the database's schema up to date and exits; for where the daemons' own database users may not.
    Migrate,
    /// Prints the API's description (OpenAPI 3.1) and exits.
    Openapi,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().command.unwrap_or(Command::Serve) {
        Command::Serve => atelier_producer::run(settings::load()?).await,
        Command::Migrate => atelier_producer::migrate(settings::load()?).await,
        Command::Openapi => serde_json::to_writer_pretty(std::io::stdout().lock(), &atelier_producer::openapi())
            .context("the description could not be printed"),
    }
}
