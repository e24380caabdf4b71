//! What the daemon consists of: the read model, the sidecars and the list of all artworks.

use atelier_runtime::Daemon;

use crate::gallery;
use crate::projection::ReadModel;
use crate::replay;
use crate::settings::IndexSettings;
use crate::sidecars::Sidecars;

/// Opens the read model and adds all that this crate does to a daemon.
pub async fn run(daemon: &mut Daemon, settings: IndexSettings) -> anyhow::Result<()> {
    let (log, blobs) = (daemon.connections.log.clone(), daemon.connections.blobs.clone());
    let read_model = ReadModel::open(&log).await?.keeping(settings.kept_artworks);
    let moved = read_model.moved();
    daemon.run_job(Sidecars::new(log.clone(), blobs.clone()));
    let asked = log.clone();
    daemon.run(|shutdown| replay::asked::serve(asked, shutdown));
    daemon.run(|shutdown| gallery::keep(log, blobs, settings, moved, shutdown));
    daemon.run_projection(read_model);
    Ok(())
}
