//! What an operator's tools ask of a daemon: `/metrics`, `/healthz` and `/readyz` on `telemetry.listen`, without a key.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use futures::future::BoxFuture;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::connect::Connections;
use crate::health;

/// How long a scrape that is under way may take once the process stops.
const GRACE: Duration = Duration::from_secs(2);

/// How Prometheus wants its text to be called.
pub const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Why nothing can be asked.
#[derive(Debug, thiserror::Error)]
pub enum OperationsError {
    /// Not an address.
    #[error("telemetry.listen {0:?} is not an address (such as 127.0.0.1:9464)")]
    Address(String),
    /// It is taken, or not one of this machine.
    #[error("telemetry.listen {address:?} cannot be used: each daemon needs one of its own")]
    Listen {
        /// The setting.
        address: String,
        /// Why not.
        source: std::io::Error,
    },
}

/// Asks what is missing for work; empty when nothing is.
pub type Missing = Arc<dyn Fn() -> BoxFuture<'static, Vec<String>> + Send + Sync>;

/// Answers until the shutdown, on an address that may be empty: then nobody asks.
pub async fn serve(
    listen: &str,
    metrics: PrometheusHandle,
    missing: Missing,
    shutdown: CancellationToken,
) -> Result<(), OperationsError> {
    if listen.is_empty() {
        return Ok(());
    }
    let address: SocketAddr = listen.parse().map_err(|_| OperationsError::Address(listen.to_owned()))?;
    let unusable = |source| OperationsError::Listen { address: listen.to_owned(), source };
    let listener = TcpListener::bind(address).await.map_err(unusable)?;
    tracing::info!(http.listen = %listener.local_addr().map_err(unusable)?, "metrics and health are answered");
    tokio::spawn(answer(listener, metrics, missing, shutdown));
    Ok(())
}

/// What every daemon needs: database, bus and store.
#[must_use]
pub fn missing_of(connections: &Connections) -> Missing {
    let connections = connections.clone();
    Arc::new(move || {
        let connections = connections.clone();
        Box::pin(async move { health::missing(&connections).await })
    })
}

async fn answer(listener: TcpListener, metrics: PrometheusHandle, missing: Missing, shutdown: CancellationToken) {
    let router = Router::new()
        .route("/metrics", get(read_metrics).with_state(metrics))
        .route("/healthz", get(read_health))
        .route("/readyz", get(read_readiness).with_state(missing));
    let stopped = shutdown.clone();
    let served = axum::serve(listener, router).with_graceful_shutdown(async move { stopped.cancelled().await });
    let overdue = async {
        shutdown.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = served => if let Err(error) = served {
            tracing::error!(error = %error, "metrics and health are not answered any more");
        },
        () = overdue => {}
    }
}

async fn read_metrics(State(metrics): State<PrometheusHandle>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, METRICS_TYPE)], metrics.render())
}

/// Asks nothing but the process itself, so a restart is what helps when this fails.
async fn read_health() -> (StatusCode, String) {
    let stuck = health::stuck();
    let said = stuck.iter().map(|(name, silence)| format!("{name}: silent for {} s\n", silence.as_secs()));
    verdict(stuck.is_empty(), said.collect())
}

async fn read_readiness(State(missing): State<Missing>) -> (StatusCode, String) {
    let missing = missing().await;
    let said = missing.iter().map(|what| format!("{what}\n"));
    let (status, mut said) = verdict(missing.is_empty(), said.collect());
    said.extend(health::stalls().iter().map(|stall| format!("{stall}\n")));
    (status, said)
}

fn verdict(good: bool, said: String) -> (StatusCode, String) {
    if good { (StatusCode::OK, "ok\n".to_owned()) } else { (StatusCode::SERVICE_UNAVAILABLE, said) }
}
