//! `GET /v1/exports/{id}`: how far an export has come.

use atelier_events::jobs::{self, Filter};
use atelier_events::{Consumer, ExportId, Position, Stream};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::app::App;
use crate::index::ExportRow;
use crate::input::{Id, Params, Wait};
use crate::problem::{self, Kind, Problem};

/// How to read an export.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Reading {
    /// Waits so long for it to be completed or given up, such as `30s`; at most `60s`.
    #[param(value_type = Option<String>, example = "30s")]
    wait: Option<Wait>,
    /// Waits until the index has got to this position of the log.
    #[param(minimum = 0)]
    after: Option<i64>,
}

/// How far an export has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExportAnswer {
    id: Uuid,
    /// `pending`, `completed`, `failed` or `expired`: completed, and its ZIP deleted since.
    state: String,
    /// While it is packed: how far that is.
    progress: Option<ExportProgress>,
    /// `originals`, or `{"rendition": kind}`.
    #[schema(value_type = Object)]
    files: Value,
    /// `cover` or `all`.
    variants: String,
    /// Where the ZIP can be downloaded, once it is completed: signed, for whoever holds it. Reading the export again gives
    /// a new one; `/v1/exports/{id}/download` leads there too.
    download_url: Option<String>,
    /// Until when `download_url` is good.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    /// When the ZIP is deleted; none: it is kept for ever.
    #[serde(with = "time::serde::rfc3339::option")]
    kept_until: Option<OffsetDateTime>,
    /// Of the ZIP.
    sha256: Option<String>,
    /// Bytes.
    length: Option<i64>,
    /// How many pictures are in it.
    pictures: Option<i64>,
    /// The artworks, and variants of artworks, that were asked for and are not in it, each with the reason.
    #[schema(value_type = Vec<Object>)]
    missing: Value,
    /// Why it failed.
    error: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    requested_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
}

/// How far packing is, as its worker tells it about once a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ExportProgress {
    /// Pictures that are done.
    pictures: u64,
    /// All there are.
    total_pictures: u64,
    /// Of the pictures that are done.
    bytes: u64,
    /// Of all.
    total_bytes: u64,
}

/// An export as it is now.
pub(super) struct Seen {
    pub(super) row: ExportRow,
    pub(super) progress: Option<ExportProgress>,
}

/// Reads how far an export has come, with its download link.
#[utoipa::path(
    get, path = "/v1/exports/{id}", tag = "exports", params(("id" = uuid::Uuid, Path), Reading),
    responses(
        (status = 200, description = "How far it has come", body = ExportAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn read_export(
    State(app): State<App>,
    Id(id): Id<ExportId>,
    Params(reading): Params<Reading>,
) -> Result<Json<ExportAnswer>, Problem> {
    app.caught_up(reading.after).await?;
    find(&app, id).await?;
    let read = || async { app.index.find_export(id).await?.ok_or_else(|| unknown(id)) };
    let row = app.wait(reading.wait.unwrap_or_default().0, read, |row: &ExportRow| row.state != "pending").await?;
    let seen = Seen::of(&app, row).await?;
    Ok(Json(ExportAnswer::of(&app, seen).await?))
}

/// An export, also one that was asked for a moment ago.
pub(super) async fn find(app: &App, id: ExportId) -> Result<ExportRow, Problem> {
    app.find(|| app.index.find_export(id)).await?.ok_or_else(|| unknown(id))
}

fn unknown(id: ExportId) -> Problem {
    Problem::new(Kind::NotFound, format!("there is no export {id}"))
}

impl Seen {
    pub(super) async fn of(app: &App, row: ExportRow) -> Result<Self, Problem> {
        if row.state != "pending" {
            return Ok(Self { row, progress: None });
        }
        let jobs = jobs::list(app.log.pool(), &packing(&row), 1).await?;
        let told = jobs.into_iter().next().and_then(|job| job.progress);
        // A worker of another version may tell it in other words.
        let progress = told.and_then(|told| serde_json::from_value(told).ok());
        Ok(Self { row, progress })
    }
}

/// The job that packs it; deleting its ZIP is another.
pub(super) fn packing(row: &ExportRow) -> Filter {
    Filter {
        consumer: Some(Consumer::Exports.name().to_owned()),
        stream: Some(Stream::export(ExportId(row.id))),
        position: Some(Position(row.position)),
        ..Filter::default()
    }
}

/// Where the ZIP of an export can be downloaded, and until when, while there is one.
pub(super) async fn signed(app: &App, row: &ExportRow) -> Result<Option<(String, OffsetDateTime)>, Problem> {
    let Some(key) = row.archive_key.as_deref().filter(|_| row.state == "completed") else { return Ok(None) };
    let name = format!("atelier-{}.zip", row.id);
    let signed = app.blobs.presign_get(key, Some(&name), app.presign_ttl).await?;
    Ok(Some((signed.url, signed.expires_at)))
}

impl ExportAnswer {
    pub(super) async fn of(app: &App, Seen { row, progress }: Seen) -> Result<Self, Problem> {
        let (download_url, expires_at) = signed(app, &row).await?.unzip();
        Ok(Self {
            id: row.id,
            state: row.state,
            progress,
            files: row.files,
            variants: row.variants,
            download_url,
            expires_at,
            kept_until: row.kept_until,
            sha256: row.archive_sha256,
            length: row.archive_length,
            pictures: row.pictures,
            missing: row.missing.unwrap_or_else(|| json!([])),
            error: row.error,
            requested_at: row.requested_at,
            finished_at: row.finished_at,
        })
    }
}
