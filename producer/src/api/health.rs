//! Whether the process lives, whether it can work, and what it measures.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::{self, Kind, Problem};

/// How long each thing has to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process lives.
#[derive(Serialize, ToSchema)]
pub(super) struct Alive {
    /// `ok`
    status: &'static str,
}

/// Whether the process lives. Asks nothing else, so a restart is what helps when this fails.
#[utoipa::path(
    get, path = "/healthz", tag = "operations", security(()),
    responses((status = 200, description = "It does", body = Alive))
)]
pub(super) async fn read_health() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// Everything that is needed is there.
#[derive(Serialize, ToSchema)]
pub(super) struct Ready {
    /// `ok`
    status: &'static str,
    /// Events that wait to be published.
    relay_lag: i64,
}

/// Whether database, bus, bucket and relay can be worked with.
#[utoipa::path(
    get, path = "/readyz", tag = "operations", security(()),
    responses(
        (status = 200, description = "They can", body = Ready),
        (status = "default", description = "Which cannot", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read_readiness(State(app): State<App>) -> Result<Json<Ready>, Problem> {
    let (relay, bus, blobs) = tokio::join!(
        patiently(sqlx::query_as(include_str!("../../sql/read_relay.sql")).fetch_one(app.log.pool())),
        patiently(app.bus.ready()),
        patiently(app.blobs.ready()),
    );
    let mut missing: Vec<String> = Vec::new();
    let mut relay_lag = 0;
    match relay {
        Ok((position, head, led)) => {
            let (position, head, led): (i64, i64, bool) = (position, head, led);
            relay_lag = head - position;
            if !led {
                missing.push(format!("relay: nobody leads it, and {relay_lag} events wait to be published"));
            }
        }
        Err(error) => missing.push(format!("database: {error}")),
    }
    missing.extend(bus.err().map(|error| format!("bus: {error}")));
    missing.extend(blobs.err().map(|error| format!("store: {error}")));
    if missing.is_empty() {
        Ok(Json(Ready { status: "ok", relay_lag }))
    } else {
        Err(Problem::new(Kind::Unavailable, missing.join("; ")))
    }
}

async fn patiently<T, E: std::error::Error + Send + Sync + 'static>(
    check: impl Future<Output = Result<T, E>>,
) -> anyhow::Result<T> {
    match tokio::time::timeout(PATIENCE, check).await {
        Ok(answer) => Ok(answer?),
        Err(_) => anyhow::bail!("no answer within {}s", PATIENCE.as_secs()),
    }
}

/// What is measured, for Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses(
        (status = 200, description = "In Prometheus' text format", body = String, content_type = "text/plain"),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read_metrics(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render())
}
