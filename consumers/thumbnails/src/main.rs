//! `atelier-thumbnails`: cuts the renditions of originals.

use std::process::ExitCode;

use atelier_runtime::{Daemon, arguments};
use atelier_thumbnails::renditions::Renditions;
use atelier_thumbnails::settings::Settings;
use atelier_thumbnails::workers::{Workers, serve_if_asked};

fn main() -> anyhow::Result<ExitCode> {
    match serve_if_asked() {
        Some(ended) => Ok(ended),
        None => daemon().map(|()| ExitCode::SUCCESS),
    }
}

#[tokio::main]
async fn daemon() -> anyhow::Result<()> {
    arguments("atelier-thumbnails", "Cuts the renditions of originals.");
    let settings: Settings = atelier_events::settings::load()?;
    let workers = Workers::of_this_program(settings.render.clone())?;
    let Some(mut daemon) = Daemon::start().await? else { return Ok(()) };
    let connections = daemon.connections.clone();
    daemon.run_job(Renditions::new(connections.log, connections.blobs, settings, workers));
    daemon.finish().await
}
