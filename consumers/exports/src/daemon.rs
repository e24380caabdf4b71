//! What the daemon consists of: packing, and telling who waits.

use atelier_runtime::Daemon;

use crate::exports::Exports;
use crate::settings::ExportSettings;
use crate::webhooks::Webhooks;

/// Adds all that this crate does to a daemon.
pub fn run(daemon: &mut Daemon, settings: ExportSettings) -> anyhow::Result<()> {
    let (log, blobs) = (daemon.connections.log.clone(), daemon.connections.blobs.clone());
    daemon.run_job(Webhooks::new(log.clone(), blobs.clone(), &settings.webhook)?);
    daemon.run_job(Exports::new(log, blobs, settings));
    Ok(())
}
