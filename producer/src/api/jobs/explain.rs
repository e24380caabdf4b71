//! `GET /v1/jobs/{id}`: everything about one job, and why it waits.

use atelier_events::jobs::{self, Explained, Reason};
use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::JobAnswer;
use crate::app::App;
use crate::problem::{self, Kind, Problem};

/// A job, what it waits for and when it will run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExplainedJob {
    #[serde(flatten)]
    job: JobAnswer,
    /// The type of the event it is about.
    event_type: String,
    /// What it waits for, the weightiest first; none when it has ended.
    reasons: Vec<ReasonAnswer>,
    /// When it will run: exact when it waits for a time, a guess by the pace of the last minutes when it waits for its
    /// turn, none when it waits for somebody to do something.
    #[serde(with = "time::serde::rfc3339::option")]
    runs_at: Option<OffsetDateTime>,
}

/// Why a job waits.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReasonAnswer {
    /// In a sentence.
    words: String,
    /// `running`, `lease_ended`, `paused`, `no_worker`, `backoff`, `infrastructure`, `scheduled`, `no_relay`, `queued` or `rate_limited`,
    /// and what there is to say of it.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    reason: Value,
}

impl ReasonAnswer {
    fn of(reason: &Reason) -> Result<Self, serde_json::Error> {
        Ok(Self { words: reason.words(), reason: serde_json::to_value(reason)? })
    }
}

/// Tells why a job waits, and when it will run.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "operations", params(("id" = i64, Path)),
    responses(
        (status = 200, description = "The job", body = ExplainedJob),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn explain_job(State(app): State<App>, Path(id): Path<String>) -> Result<Json<ExplainedJob>, Problem> {
    let unknown = || Problem::new(Kind::NotFound, format!("there is no job {id:?}: GET /v1/jobs lists them"));
    let job: i64 = id.parse().map_err(|_| unknown())?;
    let Explained { job, event_type, waiting } = jobs::explain(app.log.pool(), job).await?.ok_or_else(unknown)?;
    let reasons = waiting.reasons.iter().map(ReasonAnswer::of).collect::<Result<_, _>>().map_err(Problem::internal)?;
    Ok(Json(ExplainedJob { job: job.into(), event_type, reasons, runs_at: waiting.runs_at }))
}
