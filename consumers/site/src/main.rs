//! `atelier-site`: publishes the static gallery.

mod arguments;

use std::process::ExitCode;

use atelier_events::{Blobs, Log, connect, lifecycle::shutdown_signal, settings::load, signal::Signals, telemetry};
use atelier_runtime::Daemon;
use atelier_site::publication::Publication;
use atelier_site::{replay, settings::Settings};
use clap::Parser;

use crate::arguments::{Arguments, Command};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let command = Arguments::parse().command.unwrap_or(Command::Run);
    let settings: Settings = load()?;
    let target = settings.site.target(&settings.store)?;
    match command {
        Command::Run => {
            let Some(mut daemon) = Daemon::start().await? else { return Ok(ExitCode::SUCCESS) };
            let connections = daemon.connections.clone();
            let publication = Publication::new(connections.log, connections.blobs, settings.site)?;
            daemon.run_projection(publication.brought_to(target));
            daemon.finish().await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Replay { args, json } => {
            let common: atelier_runtime::Settings = load()?;
            telemetry::start(&common.telemetry)?;
            let pool = connect::database(&common.database).await?;
            let log = Log::start(pool.clone(), Signals::start(&pool));
            let publication = Publication::new(log, Blobs::connect(&settings.store), settings.site)?;
            replay::run(args, json, publication.brought_to(target), shutdown_signal()?).await
        }
    }
}
