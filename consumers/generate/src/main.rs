//! `atelier-generate`: makes the pictures of requested variants.

use atelier_generate::generation::Generation;
use atelier_generate::provider::Providers;
use atelier_runtime::{Daemon, arguments};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    arguments("atelier-generate", "Makes the pictures of requested variants.");
    let Some(mut daemon) = Daemon::start().await? else { return Ok(()) };
    let connections = daemon.connections.clone();
    daemon.run_job(Generation::new(connections.log, connections.blobs, Providers::built_in()));
    daemon.finish().await
}
