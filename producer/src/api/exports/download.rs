//! `GET /v1/exports/{id}/download`: to the ZIP, at an address that does not change.

use atelier_events::ExportId;
use axum::extract::State;
use axum::http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::read::{find, signed};
use crate::app::App;
use crate::input::Id;
use crate::problem::{self, Kind, Problem};

/// Leads to the ZIP: a signed link to the bucket, which answers ranges. `HEAD` answers how long it is.
#[utoipa::path(
    get, path = "/v1/exports/{id}/download", tag = "exports", params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 307, description = "`Location` is a signed link to the ZIP; it takes `Range`"),
        (status = 410, description = "The ZIP has been deleted: ask for another", body = problem::Details, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn download_export(
    State(app): State<App>,
    method: Method,
    Id(id): Id<ExportId>,
) -> Result<Response, Problem> {
    let row = find(&app, id).await?;
    // A link is signed for GET alone: a HEAD that followed it would be refused by the bucket.
    if method == Method::HEAD
        && row.state == "completed"
        && let Some(length) = row.archive_length
    {
        let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/zip")), (CONTENT_LENGTH, length.into())];
        return Ok((headers, [(ACCEPT_RANGES, "bytes")]).into_response());
    }
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
