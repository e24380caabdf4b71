//! `POST /v1/generations/{id}/cancel`: what has not been made yet is not made.

use std::collections::HashSet;

use atelier_events::jobs::{self, Filter};
use atelier_events::{Artwork, ArtworkId, Event, GenerationId, Stream, VariantEvent, VariantId};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::jobs::orders::refused;
use crate::app::App;
use crate::auth::Asking;
use crate::input::Id;
use crate::problem::{self, Kind, Problem};

/// What was cancelled.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CancelledGeneration {
    /// Jobs that will not be done; none when every variant had ended.
    cancelled: usize,
    /// Of the last event that tells of it, if any does: to be given as `?after=`.
    position: Option<i64>,
}

/// Cancels what of a generation has not ended: its variants fail, and say so.
#[utoipa::path(
    post, path = "/v1/generations/{id}/cancel", tag = "generations", params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 200, description = "What had not ended will not be made", body = CancelledGeneration),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel_generation(
    State(app): State<App>,
    asking: Asking,
    Id(id): Id<GenerationId>,
) -> Result<Json<CancelledGeneration>, Problem> {
    let unknown = || Problem::new(Kind::NotFound, format!("there is no generation {id}"));
    let rows = app.find(|| async { Ok(Some(app.index.find_generation(id.0).await?).filter(|rows| !rows.is_empty())) });
    let rows = rows.await?.ok_or_else(unknown)?;
    let variants: HashSet<VariantId> = rows.iter().map(|row| VariantId(row.id)).collect();
    let streams: HashSet<Stream> = rows.iter().map(|row| Stream::artwork(ArtworkId(row.artwork_id))).collect();
    let mut ids = Vec::new();
    for stream in streams {
        ids.extend(jobs_of(&app, &asking, stream, &variants).await?);
    }
    let filter = Filter { ids: Some(ids), ..Filter::default() };
    let ordered = jobs::cancel(&app.log, &filter, &asking.owner).await.map_err(refused)?;
    let position = ordered.position.map(|position| position.0);
    Ok(Json(CancelledGeneration { cancelled: ordered.jobs.len(), position }))
}

/// The jobs on one artwork's stream that are about these variants.
async fn jobs_of(
    app: &App,
    asking: &Asking,
    stream: Stream,
    variants: &HashSet<VariantId>,
) -> Result<Vec<i64>, Problem> {
    let events = app.log.read_stream(&stream).await?;
    let artwork = Artwork::of(&events).map_err(Problem::internal)?;
    if artwork.is_none_or(|artwork| artwork.owner != *asking.owner) {
        return Err(Problem::new(Kind::Forbidden, "the generation is not yours: only who asked for it cancels it"));
    }
    let about = |event: &VariantEvent| {
        let begins_a_job = matches!(event, VariantEvent::Requested(_) | VariantEvent::Generated(_));
        begins_a_job && variants.contains(&event.variant_id())
    };
    let positions: HashSet<_> = events
        .iter()
        .filter(|event| matches!(event.event(), Ok(Event::Variant(variant)) if about(&variant)))
        .map(|event| event.position)
        .collect();
    let filter = Filter { stream: Some(stream), ..Filter::default() };
    let jobs = jobs::list(app.log.pool(), &filter, jobs::BULK_LIMIT).await?;
    Ok(jobs.into_iter().filter(|job| positions.contains(&job.position)).map(|job| job.id).collect())
}
