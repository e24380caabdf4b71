//! `atelier-site`: publishes the static gallery.

use atelier_runtime::{Daemon, arguments};
use atelier_site::publication::Publication;
use atelier_site::settings::Settings;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    arguments("atelier-site", "Publishes the static gallery.");
    let settings: Settings = atelier_events::settings::load()?;
    let mut daemon = Daemon::start().await?;
    let connections = daemon.connections.clone();
    let target = settings.site.target(&settings.store)?;
    daemon.run_projection(Publication::new(connections.log, connections.blobs, settings.site)?.brought_to(target));
    daemon.finish().await
}
