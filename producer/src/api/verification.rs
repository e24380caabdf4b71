//! `POST /v1/log/verify`: proof that the log is what was written.

use std::time::Instant;

use atelier_events::log::verify;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::{self, Kind, Problem};

/// What a verification found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerifiedAnswer {
    /// Events whose digests were computed again.
    events: u64,
    /// Commits whose links were.
    commits: u64,
    /// The last position of the log when it began.
    position: i64,
    /// How long it took, in milliseconds.
    took_ms: u64,
    /// Every place where the log is not what was written, in words; empty when it is whole.
    flaws: Vec<String>,
}

/// Computes the digest of every event and every link of the chain again. Takes about a second for half a million events, in
/// which appends go on; one at a time. Blobs and the read model are looked at by `atelier verify` alone.
#[utoipa::path(
    post, path = "/v1/log/verify", tag = "operations",
    responses(
        (status = 200, description = "What was found, flaws or none", body = VerifiedAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn verify_log(State(app): State<App>) -> Result<Json<VerifiedAnswer>, Problem> {
    let Ok(_alone) = app.verifying.try_lock() else {
        return Err(Problem::new(Kind::Conflict, "the log is being verified already: ask again when that has ended"));
    };
    let began = Instant::now();
    let found = verify(app.log.pool(), |_| {}).await?;
    Ok(Json(VerifiedAnswer {
        events: found.events,
        commits: found.commits,
        position: found.reached.position.0,
        took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        flaws: found.flaws.iter().map(ToString::to_string).collect(),
    }))
}
