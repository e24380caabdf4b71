//! `POST /v1/exports/{id}/cancel`: what has not been packed yet is not packed.

use std::time::Duration;

use atelier_events::jobs::{self, Filter};
use atelier_events::{ExportId, Stream};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::read::{find, packing};
use crate::api::jobs::orders::refused;
use crate::app::App;
use crate::auth::Asking;
use crate::input::Id;
use crate::problem::{self, Kind, Problem};

/// How long the relay may take to make a job of what was asked for a moment ago.
const PATIENCE: Duration = Duration::from_secs(5);

const PAUSE: Duration = Duration::from_millis(50);

/// What was cancelled.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CancelledExport {
    /// Whether it will not be packed; `false` when it had ended.
    cancelled: bool,
    /// Of the event that tells of it, if any does: to be given as `?after=`.
    position: Option<i64>,
}

/// Cancels an export that has not ended: it fails, says so, and what was sent of its ZIP is deleted.
#[utoipa::path(
    post, path = "/v1/exports/{id}/cancel", tag = "exports", params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 200, description = "It will not be packed, unless it had ended", body = CancelledExport),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel_export(
    State(app): State<App>,
    asking: Asking,
    Id(id): Id<ExportId>,
) -> Result<Json<CancelledExport>, Problem> {
    let row = find(&app, id).await?;
    let events = app.log.read_stream(&Stream::export(id)).await?;
    if events.first().is_none_or(|requested| requested.actor != *asking.owner) {
        return Err(Problem::new(Kind::Forbidden, "the export is not yours: only who asked for it cancels it"));
    }
    let until = Instant::now() + PATIENCE;
    let ids: Vec<i64> = loop {
        let jobs = jobs::list(app.log.pool(), &packing(&row), 1).await?;
        if !jobs.is_empty() || Instant::now() >= until {
            break jobs.into_iter().map(|job| job.id).collect();
        }
        tokio::time::sleep(PAUSE).await;
    };
    if ids.is_empty() {
        return Err(Problem::new(Kind::Unavailable, format!("the relay has not begun export {id}: ask again shortly")));
    }
    let filter = Filter { ids: Some(ids), ..Filter::default() };
    let ordered = jobs::cancel(&app.log, &filter, &asking.owner).await.map_err(refused)?;
    let position = ordered.position.map(|position| position.0);
    Ok(Json(CancelledExport { cancelled: !ordered.jobs.is_empty(), position }))
}
