//! Whether the process lives, whether it can work, and what it measures.

use atelier_events::health;
use atelier_events::operations::METRICS_TYPE;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::{self, Kind, Problem};

/// The process lives.
#[derive(Serialize, ToSchema)]
pub(super) struct Alive {
    /// `ok`
    status: &'static str,
}

/// Whether the process lives: whether its loops go round. Asks nothing else, so a restart is what helps when this fails.
#[utoipa::path(
    get, path = "/healthz", tag = "operations", security(()),
    responses(
        (status = 200, description = "It does", body = Alive),
        (status = "default", description = "Which loop is stuck", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read_health() -> Result<Json<Alive>, Problem> {
    let stuck = health::stuck();
    if stuck.is_empty() {
        return Ok(Json(Alive { status: "ok" }));
    }
    let stuck: Vec<String> =
        stuck.iter().map(|(name, silence)| format!("{name}: silent for {} s", silence.as_secs())).collect();
    Err(Problem::new(Kind::Unavailable, stuck.join("; ")))
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
    match missing(&app).await {
        Ok(relay_lag) => Ok(Json(Ready { status: "ok", relay_lag })),
        Err(missing) => Err(Problem::new(Kind::Unavailable, missing.join("; "))),
    }
}

/// How far the relay is behind when nothing is missing for work, or else what is.
pub(crate) async fn missing(app: &App) -> Result<i64, Vec<String>> {
    let (relay, bus, blobs) = tokio::join!(
        health::answers("database", sqlx::query_as(include_str!("../../sql/read_relay.sql")).fetch_one(app.log.pool())),
        health::answers("bus", app.bus.ready()),
        health::answers("store", app.blobs.ready()),
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
        Err(error) => missing.push(error),
    }
    missing.extend(bus.err());
    missing.extend(blobs.err());
    if missing.is_empty() { Ok(relay_lag) } else { Err(missing) }
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
    ([(header::CONTENT_TYPE, METRICS_TYPE)], app.metrics.render())
}
