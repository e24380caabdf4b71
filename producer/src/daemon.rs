use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use atelier_events::{Blobs, Connections, connect, lifecycle, operations, telemetry};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::relay;
use crate::serve::serve;
use crate::settings::Settings;

/// The pause before a store that did not answer is asked again for the bucket.
const PAUSE: Duration = Duration::from_secs(5);

/// Migrates the database, serves the API and runs the relay, until SIGTERM or SIGINT.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let telemetry = telemetry::start(&settings.telemetry)?;
    let shutdown = lifecycle::shutdown_signal()?;
    let pool = tokio::select! {
        pool = connect::database(&settings.database) => pool?,
        () = shutdown.cancelled() => return Ok(()),
    };
    connect::migrate(&pool).await?;
    let Connections { log, bus, blobs } = Connections::open(pool, &settings.bus, &settings.store).await?;
    tokio::spawn(make_bucket(blobs.clone(), shutdown.clone()));
    let app = App::new(log.clone(), Arc::clone(&bus), blobs, telemetry.metrics.clone(), &settings)?;
    operations::serve(&settings.telemetry.listen, telemetry.metrics.clone(), app.missing(), shutdown.clone()).await?;
    let listen = &settings.api.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("api.listen {listen:?} cannot be used"))?;
    tracing::info!(http.listen = %listener.local_addr()?, "the API listens");

    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener, app, shutdown.clone()));
    tasks.spawn(relay::run(log, bus, settings.relay, shutdown.clone()));
    let notified = tokio::spawn(lifecycle::notify(shutdown.clone()));
    let mut result = Ok(());
    while let Some(ended) = tasks.join_next().await {
        // One without the other would look alive and not be: the first that ends takes the other with it.
        shutdown.cancel();
        result = result.and(ended.unwrap_or_else(|panic| Err(panic.into())));
    }
    notified.await?;
    telemetry.finish().await;
    result
}

/// Brings the schema up to date, and nothing else: all that needs to be done as its owner.
pub async fn migrate(settings: Settings) -> anyhow::Result<()> {
    telemetry::start(&settings.telemetry)?;
    let pool = connect::database(&settings.database).await?;
    connect::migrate(&pool).await?;
    tracing::info!("the schema is up to date");
    Ok(())
}

/// Creates the bucket unless it is there. Beside everything else: commands that need no bucket are taken without it, and
/// `/readyz` says until when it is not there.
async fn make_bucket(blobs: Blobs, shutdown: CancellationToken) {
    let asked = async {
        while let Err(error) = blobs.create_bucket().await {
            tracing::warn!(error = %error, "the bucket could not be made ready; trying again");
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = asked => {}
    }
}
