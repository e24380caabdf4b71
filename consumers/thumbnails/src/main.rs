//! `atelier-thumbnails`: cuts the renditions of originals.

use atelier_runtime::{Daemon, arguments};
use atelier_thumbnails::renditions::Renditions;
use atelier_thumbnails::settings::Settings;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    arguments("atelier-thumbnails", "Cuts the renditions of originals.");
    let settings: Settings = atelier_events::settings::load()?;
    let mut daemon = Daemon::start().await?;
    let connections = daemon.connections.clone();
    daemon.run_job(Renditions::new(connections.log, connections.blobs, settings.thumbnails));
    daemon.finish().await
}
