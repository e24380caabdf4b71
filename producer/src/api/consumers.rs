//! `GET /v1/consumers`: what each consumer is at; pausing it and letting it go on.

use atelier_events::Consumer;
use atelier_events::jobs::{self, ConsumerStatus};
use atelier_events::stalls::Stall;
use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Asking;
use crate::problem::{self, Kind, Problem};

/// What a consumer is at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConsumerAnswer {
    /// Which.
    consumer: String,
    /// Jobs that could run now.
    available: i64,
    /// Jobs that wait for their time, after an error or by plan.
    scheduled: i64,
    /// Jobs that run.
    running: i64,
    /// Dead letters: jobs that were given up.
    discarded: i64,
    /// Daemons seen in the last minute.
    workers: i64,
    /// Attempts that they can run at a time.
    concurrency: i64,
    /// Who paused it, if it is paused.
    paused_by: Option<String>,
    /// Since when.
    #[serde(with = "time::serde::rfc3339::option")]
    paused_at: Option<OffsetDateTime>,
    /// Why it does not go on: of `index` and `site`, when they cannot. Of the site that may be a target that takes no release;
    /// what was live there still is.
    stall: Option<StallAnswer>,
}

/// Why a consumer does not go on. It tries again by itself, and this is gone once it has come to an end.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StallAnswer {
    /// When it failed for the first time.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// Attempts since then, each of which failed.
    attempts: i64,
    /// What the last one failed of.
    error: String,
    /// When it is tried again.
    #[serde(with = "time::serde::rfc3339")]
    next_at: OffsetDateTime,
}

impl From<ConsumerStatus> for ConsumerAnswer {
    fn from(status: ConsumerStatus) -> Self {
        let ConsumerStatus {
            consumer,
            available,
            scheduled,
            running,
            discarded,
            workers,
            concurrency,
            paused_by,
            paused_at,
            stall,
        } = status;
        let stall = stall.map(StallAnswer::from);
        Self { consumer, available, scheduled, running, discarded, workers, concurrency, paused_by, paused_at, stall }
    }
}

impl From<Stall> for StallAnswer {
    fn from(Stall { since, attempts, error, next_at }: Stall) -> Self {
        Self { since, attempts, error, next_at }
    }
}

/// The consumers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConsumersAnswer {
    items: Vec<ConsumerAnswer>,
}

/// Lists the consumers and what each is at.
#[utoipa::path(
    get, path = "/v1/consumers", tag = "operations",
    responses(
        (status = 200, description = "All of them", body = ConsumersAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_consumers(State(app): State<App>) -> Result<Json<ConsumersAnswer>, Problem> {
    let consumers = jobs::consumers(app.log.pool()).await?;
    Ok(Json(ConsumersAnswer { items: consumers.into_iter().map(ConsumerAnswer::from).collect() }))
}

/// Pauses a consumer: it begins nothing more, whatever daemons it has; what runs goes on.
#[utoipa::path(
    post, path = "/v1/consumers/{name}/pause", tag = "operations", params(("name" = String, Path)),
    responses(
        (status = 200, description = "It is paused, now or before", body = ConsumerAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn pause_consumer(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<String>,
) -> Result<Json<ConsumerAnswer>, Problem> {
    let consumer = named(&name)?;
    jobs::pause(&app.log, consumer, &asking.owner).await?;
    status(&app, consumer).await
}

/// Lets a paused consumer go on.
#[utoipa::path(
    post, path = "/v1/consumers/{name}/resume", tag = "operations", params(("name" = String, Path)),
    responses(
        (status = 200, description = "It goes on", body = ConsumerAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn resume_consumer(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<ConsumerAnswer>, Problem> {
    let consumer = named(&name)?;
    jobs::resume(&app.log, consumer).await?;
    status(&app, consumer).await
}

fn named(name: &str) -> Result<Consumer, Problem> {
    Consumer::from_name(name).ok_or_else(|| {
        let names = Consumer::ALL.map(Consumer::name).join(", ");
        Problem::new(Kind::NotFound, format!("there is no consumer {name:?}; there are: {names}"))
    })
}

async fn status(app: &App, consumer: Consumer) -> Result<Json<ConsumerAnswer>, Problem> {
    let all = jobs::consumers(app.log.pool()).await?;
    let found = all.into_iter().find(|status| status.consumer == consumer.name());
    let found = found.ok_or_else(|| Problem::internal(anyhow::anyhow!("consumer {consumer} is not listed")))?;
    Ok(Json(found.into()))
}
