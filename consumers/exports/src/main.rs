//! `atelier-exports`: packs selections of artworks as ZIPs.

use atelier_exports::Exports;
use atelier_exports::settings::Settings;
use atelier_runtime::{Daemon, arguments};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    arguments("atelier-exports", "Packs selections of artworks as ZIPs.");
    let settings: Settings = atelier_events::settings::load()?;
    let mut daemon = Daemon::start().await?;
    let connections = daemon.connections.clone();
    daemon.run_job(Exports::new(connections.log, connections.blobs, settings.exports));
    daemon.finish().await
}
