//! `atelier-exports`: packs selections of artworks as ZIPs, and tells who waits for them.

use atelier_exports::settings::Settings;
use atelier_runtime::{Daemon, arguments};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    arguments("atelier-exports", "Packs selections of artworks as ZIPs, and tells who waits for them.");
    let settings: Settings = atelier_events::settings::load()?;
    let Some(mut daemon) = Daemon::start().await? else { return Ok(()) };
    atelier_exports::run(&mut daemon, settings.exports)?;
    daemon.finish().await
}
