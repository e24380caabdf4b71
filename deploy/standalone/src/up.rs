//! `atelier up`: everything in one process, on the embedded defaults.

use std::net::SocketAddr;
use std::sync::Arc;

use atelier_generate::generation::Generation;
use atelier_generate::provider::Providers;
use atelier_runtime::{Connections, Daemon};
use atelier_site::publication::Publication;
use atelier_thumbnails::renditions::Renditions;
use atelier_thumbnails::workers::Workers;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::gallery_server;
use crate::home::{Mark, Running};
use crate::installation::Installation;

/// Where an installation listens.
#[derive(Clone, Debug, clap::Args)]
pub struct Listen {
    /// The published gallery; port 0 takes any that is free.
    #[arg(long, default_value = "127.0.0.1:8081", value_name = "ADDRESS")]
    pub site_listen: SocketAddr,
    /// The embedded bucket; port 0 takes any that is free.
    #[arg(long, default_value = "127.0.0.1:8082", value_name = "ADDRESS")]
    pub bucket_listen: SocketAddr,
}

/// A running installation.
pub struct Up {
    /// Where it is reached.
    pub running: Running,
    /// The secret of its API.
    pub api_key: String,
    /// What everything works with.
    pub connections: Connections,
    shutdown: CancellationToken,
    bucket_shutdown: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    bucket: Option<tokio::task::JoinHandle<()>>,
    _mark: Mark,
}

/// Starts everything. Returns as soon as the API answers.
pub async fn start(
    mut installation: Installation,
    listen: &Listen,
    metrics: PrometheusHandle,
    shutdown: CancellationToken,
) -> anyhow::Result<Up> {
    let (site_listener, site_url) = installation.listen_for_gallery(listen.site_listen).await?;
    let (api_listener, api_url) = installation.listen_for_api().await?;
    // The bucket outlives everything that writes to it.
    let bucket_shutdown = CancellationToken::new();
    let bucket = installation.start_bucket(listen.bucket_listen, bucket_shutdown.clone()).await?;
    let api_key = installation.client_key()?;
    let pool = atelier_events::connect::database(&installation.producer.database).await?;
    atelier_events::connect::migrate(&pool).await?;
    let (bus, store) = (&installation.producer.bus, &installation.producer.store);
    let connections = Connections::open(pool, bus, store).await?;
    let running = installation.running(api_url, site_url);
    let mark = installation.home.mark_running(&running)?;
    let tasks = spawn(installation, &connections, api_listener, site_listener, metrics, &shutdown).await?;
    Ok(Up { running, api_key, connections, shutdown, bucket_shutdown, tasks, bucket, _mark: mark })
}

impl Up {
    /// Waits until something fails or shutdown is asked for, and for the end of everything.
    pub async fn finish(mut self) -> anyhow::Result<()> {
        let mut result = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            self.shutdown.cancel();
            result = result.and(ended.unwrap_or_else(|error| Err(error.into())));
        }
        self.bucket_shutdown.cancel();
        if let Some(bucket) = self.bucket {
            bucket.await?;
        }
        result
    }

    /// Stops everything.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        self.finish().await
    }
}

async fn spawn(
    installation: Installation,
    connections: &Connections,
    api: TcpListener,
    site: TcpListener,
    metrics: PrometheusHandle,
    shutdown: &CancellationToken,
) -> anyhow::Result<JoinSet<anyhow::Result<()>>> {
    let Connections { log, bus, blobs } = connections.clone();
    let mut tasks = JoinSet::new();
    let folder = installation.site.dir.clone();
    let stop = shutdown.clone();
    tasks.spawn(async move { gallery_server::serve(site, &folder, stop).await });

    let store = &installation.producer.store;
    let app = atelier_producer::App::new(
        log.clone(),
        Arc::clone(&bus),
        blobs.clone(),
        metrics.clone(),
        &installation.producer,
    )?;
    let operations = &installation.producer.telemetry.listen;
    atelier_events::operations::serve(operations, metrics, app.missing(), shutdown.clone()).await?;
    tasks.spawn(atelier_producer::serve(api, app, shutdown.clone()));
    let (relay, stop) = (installation.producer.relay, shutdown.clone());
    tasks.spawn(async move { atelier_producer::relay::run(log, bus, relay, stop).await });

    let mut consumers = Daemon::new(connections.clone(), installation.consumer, shutdown.clone());
    let log = || connections.log.clone();
    consumers.run_job(Generation::new(log(), blobs.clone(), Providers::built_in()));
    let thumbnails = installation.thumbnails;
    let workers = match &installation.worker_program {
        Some(program) => Workers::of(program, thumbnails.render.clone()),
        None => Workers::of_this_program(thumbnails.render.clone())?,
    };
    consumers.run_job(Renditions::new(log(), blobs.clone(), thumbnails, workers));
    atelier_exports::run(&mut consumers, installation.exports)?;
    let target = installation.site.target(store)?;
    consumers.run_projection(Publication::new(log(), blobs, installation.site)?.brought_to(target));
    // Before it runs, it may replay for minutes, or wait for a database that has gone away.
    tokio::select! {
        added = atelier_index::run(&mut consumers, installation.index.index) => added?,
        () = shutdown.cancelled() => return Ok(tasks),
    }
    tasks.spawn(consumers.finish());
    Ok(tasks)
}
