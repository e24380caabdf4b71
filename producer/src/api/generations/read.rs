//! `GET /v1/generations/{id}`: how far a generation has come.

use std::collections::BTreeMap;

use atelier_events::{ArtworkId, GenerationId};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::answers::{FailureAnswer, RenditionAnswer, renditions};
use crate::app::App;
use crate::index::VariantRow;
use crate::input::{Id, Params, Wait};
use crate::problem::{self, Kind, Problem};

/// How to read a generation.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Reading {
    /// Waits so long for the last variant to be completed or given up, such as `30s`; at most `60s`.
    #[param(value_type = Option<String>, example = "30s")]
    wait: Option<Wait>,
    /// Waits until the index has got to this position of the log.
    #[param(minimum = 0)]
    after: Option<i64>,
}

/// How far a generation has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GenerationAnswer {
    id: Uuid,
    /// `pending` (nothing has begun), `processing`, `completed` (all of them), `failed` (all of them) or `partial`
    /// (some completed, some failed).
    state: &'static str,
    counts: Counts,
    /// In the order they were asked for.
    variants: Vec<GeneratedVariant>,
}

/// How far one of its variants has come. The artwork's own page says the rest.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GeneratedVariant {
    variant_id: Uuid,
    artwork_id: Uuid,
    /// `pending`, `processing`, `completed` or `failed`.
    state: String,
    /// Its randomness.
    seed: u64,
    failure: Option<FailureAnswer>,
    /// Its files by kind, once it is complete.
    renditions: BTreeMap<String, RenditionAnswer>,
    /// The artwork in the API.
    url: String,
    /// The artwork's page in the published gallery.
    page_url: String,
}

impl GeneratedVariant {
    fn of(app: &App, row: VariantRow) -> Self {
        let stage = row.failure_stage;
        Self {
            variant_id: row.id,
            artwork_id: row.artwork_id,
            state: row.state,
            seed: row.seed.and_then(|digits| digits.parse().ok()).unwrap_or_default(),
            failure: row.failure_error.map(|error| FailureAnswer { stage, error }),
            renditions: renditions(app, row.renditions.0),
            url: app.api_url(&format!("/v1/artworks/{}", row.artwork_id)),
            page_url: app.page_url(ArtworkId(row.artwork_id)),
        }
    }

    /// Whether anything more can become of it.
    fn ended(&self) -> bool {
        matches!(self.state.as_str(), "completed" | "failed")
    }
}

/// How many variants are in which state.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Counts {
    total: usize,
    pending: usize,
    processing: usize,
    completed: usize,
    failed: usize,
}

impl Counts {
    fn of(variants: &[GeneratedVariant]) -> Self {
        let count = |state: &str| variants.iter().filter(|variant| variant.state == state).count();
        Self {
            total: variants.len(),
            pending: count("pending"),
            processing: count("processing"),
            completed: count("completed"),
            failed: count("failed"),
        }
    }

    fn state(&self) -> &'static str {
        match self {
            Self { total, pending, .. } if pending == total => "pending",
            Self { pending: 0, processing: 0, failed: 0, .. } => "completed",
            Self { pending: 0, processing: 0, completed: 0, .. } => "failed",
            Self { pending: 0, processing: 0, .. } => "partial",
            Self { .. } => "processing",
        }
    }
}

/// Reads how far a generation has come.
#[utoipa::path(
    get, path = "/v1/generations/{id}", tag = "generations", params(("id" = uuid::Uuid, Path), Reading),
    responses(
        (status = 200, description = "How far it has come", body = GenerationAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn read_generation(
    State(app): State<App>,
    Id(id): Id<GenerationId>,
    Params(reading): Params<Reading>,
) -> Result<Json<GenerationAnswer>, Problem> {
    app.caught_up(reading.after).await?;
    let found = app.find(|| async { Ok(Some(read(&app, id).await?).filter(|answer| answer.counts.total > 0)) }).await?;
    if found.is_none() {
        return Err(Problem::new(Kind::NotFound, format!("there is no generation {id}")));
    }
    let ended = |answer: &GenerationAnswer| answer.variants.iter().all(GeneratedVariant::ended);
    let answer = app.wait(reading.wait.unwrap_or_default().0, || read(&app, id), ended).await?;
    Ok(Json(answer))
}

async fn read(app: &App, id: GenerationId) -> Result<GenerationAnswer, Problem> {
    let rows = app.index.find_generation(id.0).await?;
    let variants: Vec<GeneratedVariant> = rows.into_iter().map(|row| GeneratedVariant::of(app, row)).collect();
    let counts = Counts::of(&variants);
    Ok(GenerationAnswer { id: id.0, state: counts.state(), counts, variants })
}
