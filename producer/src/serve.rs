use std::time::Duration;

use anyhow::Context as _;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::app::App;

/// How long requests under way may go on after the shutdown.
const GRACE: Duration = Duration::from_secs(10);

/// Answers requests until the shutdown, and then those that are under way. Feeds and waiting reads end at once.
pub async fn serve(listener: TcpListener, app: App, shutdown: CancellationToken) -> anyhow::Result<()> {
    let stopping = app.stopping.clone();
    let stop = async move {
        shutdown.cancelled().await;
        stopping.cancel();
    };
    let stopped = app.stopping.clone();
    // Events of a feed are small and must not wait for the acknowledgement of the one before.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection keeps its delay");
        }
    });
    let served = axum::serve(listener, api::router(app)).with_graceful_shutdown(stop);
    let overdue = async {
        stopped.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = served => served.context("the API stopped answering"),
        () = overdue => {
            tracing::warn!("requests were cut off after {GRACE:?}");
            Ok(())
        }
    }
}
