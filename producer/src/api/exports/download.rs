//! `GET /v1/exports/{id}/download`: to the ZIP, at an address that does not change.

use atelier_events::ExportId;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::read::{find, signed};
use crate::app::App;
use crate::input::Id;
use crate::problem::{self, Kind, Problem};

/// Leads to the ZIP: a signed link to the bucket, which answers ranges.
#[utoipa::path(
    get, path = "/v1/exports/{id}/download", tag = "exports", params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 307, description = "`Location` is a signed link to the ZIP; it takes `Range`"),
        (status = 410, description = "The ZIP has been deleted: ask for another", body = problem::Details, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn download_export(State(app): State<App>, Id(id): Id<ExportId>) -> Result<Response, Problem> {
    let row = find(&app, id).await?;
    if let Some((url, _)) = signed(&app, &row).await? {
        let location = HeaderValue::from_str(&url).map_err(Problem::internal)?;
        // The link expires, and what it leads to is cached by itself.
        let headers = [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        return Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response());
    }
    Err(match row.state.as_str() {
        "expired" => Problem::new(
            Kind::Gone,
            format!(
                "the ZIP of export {id} was kept for a time and has been deleted: ask for another by POST /v1/exports"
            ),
        ),
        "failed" => {
            let error = row.error.unwrap_or_default();
            Problem::new(Kind::Conflict, format!("export {id} has failed and has no ZIP: {error}"))
        }
        _ => Problem::new(
            Kind::Conflict,
            format!("export {id} is not completed yet: GET /v1/exports/{id}?wait=30s waits until it is"),
        ),
    })
}
