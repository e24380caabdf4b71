//! `GET /v1/artworks/{id}`: all that is known about one.

use atelier_events::jobs::{self, Filter};
use atelier_events::{ArtworkId, Stream};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::answers::{ArtworkAnswer, VariantAnswer};
use crate::api::jobs::JobAnswer;
use crate::app::App;
use crate::input::{Id, Params, Wait};
use crate::problem::{self, Kind, Problem};

/// The jobs that an artwork's page shows, newest first.
const JOBS_LIMIT: i64 = 100;

/// What a read of an artwork can wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum WaitFor {
    /// All renditions of a variant are there, or the artwork has failed.
    #[default]
    Ready,
    /// Its page is live, or the artwork has failed.
    Published,
}

/// How to read an artwork.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Reading {
    /// Waits so long for what `wait_for` says, such as `30s`; at most `60s`. What there is by then is the answer.
    #[param(value_type = Option<String>, example = "30s")]
    wait: Option<Wait>,
    /// `ready` (all renditions are there; the default) or `published` (its page is live). A failure ends both.
    #[param(inline)]
    wait_for: Option<WaitFor>,
    /// Waits until the index has got to this position of the log.
    #[param(minimum = 0)]
    after: Option<i64>,
}

/// An artwork with its variants and jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ArtworkPage {
    #[serde(flatten)]
    artwork: ArtworkAnswer,
    /// In the order they were asked for.
    variants: Vec<VariantAnswer>,
    /// What the consumers did and do for it, newest first.
    jobs: Vec<JobAnswer>,
}

impl ArtworkPage {
    fn has(&self, wait_for: WaitFor) -> bool {
        match wait_for {
            _ if self.artwork.status == "failed" => true,
            WaitFor::Ready => self.artwork.status == "active",
            WaitFor::Published => self.artwork.published,
        }
    }
}

/// Reads an artwork with its variants, files and jobs.
#[utoipa::path(
    get, path = "/v1/artworks/{id}", tag = "artworks", params(("id" = uuid::Uuid, Path), Reading),
    responses(
        (status = 200, description = "All that is known about it", body = ArtworkPage),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn read_artwork(
    State(app): State<App>,
    Id(id): Id<ArtworkId>,
    Params(reading): Params<Reading>,
) -> Result<Json<ArtworkPage>, Problem> {
    app.caught_up(reading.after).await?;
    if app.find(|| app.index.find_artwork(id.0)).await?.is_none() {
        return Err(Problem::new(Kind::NotFound, format!("there is no artwork {id}")));
    }
    let wait_for = reading.wait_for.unwrap_or_default();
    let page = app.wait(reading.wait.unwrap_or_default().0, || page(&app, id), |page| page.has(wait_for)).await?;
    Ok(Json(page))
}

async fn page(app: &App, id: ArtworkId) -> Result<ArtworkPage, Problem> {
    let found = app.index.find_artwork(id.0).await?;
    let (artwork, rows) = found.ok_or_else(|| Problem::new(Kind::NotFound, format!("there is no artwork {id}")))?;
    let mut variants = Vec::with_capacity(rows.len());
    for row in rows {
        variants.push(VariantAnswer::of(app, row).await?);
    }
    let filter = Filter { stream: Some(Stream::artwork(id)), ..Filter::default() };
    let jobs = jobs::list(app.log.pool(), &filter, JOBS_LIMIT).await?;
    let jobs = jobs.into_iter().map(JobAnswer::from).collect();
    Ok(ArtworkPage { artwork: ArtworkAnswer::of(app, artwork), variants, jobs })
}
