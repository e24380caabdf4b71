//! `atelier-exports`: packs selections of artworks as ZIPs.

use atelier_exports::Exports;
use atelier_runtime::{Daemon, arguments};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    arguments("atelier-exports", "Packs selections of artworks as ZIPs.");
    arguments("atelier-exports", "Packs selections of artworks as ZIPs.");
    let mut daemon = Daemon::start().await?;
    let connections = daemon.connections.clone();
    daemon.run_job(Exports::new(connections.log, connections.blobs));
    daemon.finish().await
}
