//! Exports: a selection of artworks as one ZIP.

use std::collections::HashSet;

use atelier_events::export::{Requested, Selection};
use atelier_events::log::Write;
use atelier_events::{ArtworkId, Event, ExpectedVersion, ExportEvent, ExportId, NewEvent, Position, Stream};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::answers::accepted;
use crate::app::App;
use crate::auth::Asking;
use crate::idempotency::{self, IdempotencyKey};
use crate::index::ExportRow;
use crate::input::{Asked, Command, Id, Params, Wait, check_count};
use crate::problem::{self, Flaws, Kind, Problem};

/// The artworks that one request can name; whoever wants more takes all.
const NAMED_ARTWORKS: usize = 1_000;

/// An export that is to be written: either `artwork_ids` or `all`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct NewExport {
    /// These, at most 1,000.
    #[schema(min_items = 1, max_items = 1_000)]
    artwork_ids: Option<Vec<Uuid>>,
    /// Every artwork that is active now.
    all: bool,
}

impl Command for NewExport {
    fn check(&self, flaws: &mut Flaws) {
        let ids = self.artwork_ids.as_deref();
        match (ids, self.all) {
            (Some(_), true) => flaws.at("/all", "is given together with artwork_ids: give one of them"),
            (None, false) => flaws.at("/artwork_ids", "is missing: name some artworks, or give \"all\": true"),
            (None, true) | (Some(_), false) => {}
        }
        if ids.is_some_and(<[Uuid]>::is_empty) {
            flaws.at("/artwork_ids", "is empty");
        }
        check_count("/artwork_ids", ids.map_or(0, <[Uuid]>::len), NAMED_ARTWORKS, flaws);
    }
}

/// An export that is on its way.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedExport {
    id: Uuid,
    /// `pending`
    state: String,
    /// Of its event in the log: to be given as `?after=`.
    position: i64,
    /// Where to follow it.
    url: String,
}

/// Asks for a ZIP of artworks.
#[utoipa::path(
    post, path = "/v1/exports", tag = "exports", request_body = NewExport,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes sending the same request again harmless, for 30 days or what `relay.keep_idempotency_keys_s` says")),
    responses(
        (status = 202, description = "It is on its way: follow `url`", body = CreatedExport),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_export(
    State(app): State<App>,
    asking: Asking,
    key: IdempotencyKey,
    Asked { command, fingerprint }: Asked<NewExport>,
) -> Result<Response, Problem> {
    let idempotent = idempotency::Command::new(&asking, key, fingerprint);
    if let Some(answered) = idempotent.answered(&app.log).await? {
        return accepted(answered);
    }
    let head = app.log.head().await?;
    let selection = match command.artwork_ids {
        Some(ids) => Selection::Artworks(existing(&app, &ids, head).await?),
        None => Selection::All(head),
    };
    let export_id = ExportId::new();
    let answer = json!({
        "id": export_id,
        "state": "pending",
        "url": app.api_url(&format!("/v1/exports/{export_id}")),
    });
    let event = Event::Export(ExportEvent::Requested(Requested { export_id, selection }));
    let write = Write {
        stream: Stream::export(export_id),
        expected: ExpectedVersion::NoStream,
        events: vec![NewEvent::new(event, &asking.context)],
    };
    accepted(idempotent.append(&app.log, vec![write], answer).await?)
}

/// These artworks, each once, when all of them exist.
async fn existing(app: &App, ids: &[Uuid], head: Position) -> Result<Vec<ArtworkId>, Problem> {
    let streams: Vec<Stream> = ids.iter().map(|id| Stream::artwork(ArtworkId(*id))).collect();
    let known = app.log.read_streams(&streams, head).await?;
    let mut flaws = Flaws::default();
    for (index, (id, _)) in ids.iter().zip(&streams).enumerate().filter(|(_, (_, stream))| !known.contains_key(stream))
    {
        flaws.at(format!("/artwork_ids/{index}"), format!("there is no artwork {id}"));
    }
    flaws.refuse(Kind::Unprocessable)?;
    let mut seen = HashSet::new();
    Ok(ids.iter().filter(|id| seen.insert(**id)).map(|id| ArtworkId(*id)).collect())
}

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
    /// `pending`, `completed` or `failed`.
    state: String,
    /// Where the ZIP can be downloaded, once it is completed: signed, for whoever holds it. Reading the export again gives
    /// a new one.
    download_url: Option<String>,
    /// Until when `download_url` is good.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    /// Of the ZIP.
    sha256: Option<String>,
    /// Bytes.
    length: Option<i64>,
    /// How many pictures are in it.
    pictures: Option<i64>,
    /// The artworks that were asked for and are not in it, each with the reason.
    #[schema(value_type = Vec<Object>)]
    missing: Value,
    /// Why it failed.
    error: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    requested_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
}

/// Reads how far an export has come, with its download link.
#[utoipa::path(
    get, path = "/v1/exports/{id}", tag = "exports", params(("id" = uuid::Uuid, Path), Reading),
    responses(
        (status = 200, description = "How far it has come", body = ExportAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read_export(
    State(app): State<App>,
    Id(id): Id<ExportId>,
    Params(reading): Params<Reading>,
) -> Result<Json<ExportAnswer>, Problem> {
    app.caught_up(reading.after).await?;
    let none = || Problem::new(Kind::NotFound, format!("there is no export {id}"));
    app.find(|| app.index.find_export(id)).await?.ok_or_else(none)?;
    let read = || async { app.index.find_export(id).await?.ok_or_else(none) };
    let row = app.wait(reading.wait.unwrap_or_default().0, read, |row: &ExportRow| row.state != "pending").await?;
    let signed = match &row.archive_key {
        Some(key) => {
            let name = format!("atelier-{}.zip", row.id);
            Some(app.blobs.presign_get(key, Some(&name), app.presign_ttl).await?)
        }
        None => None,
    };
    let (download_url, expires_at) = signed.map(|signed| (signed.url, signed.expires_at)).unzip();
    Ok(Json(ExportAnswer {
        id: row.id,
        state: row.state,
        download_url,
        expires_at,
        sha256: row.archive_sha256,
        length: row.archive_length,
        pictures: row.pictures,
        missing: row.missing.unwrap_or_else(|| json!([])),
        error: row.error,
        requested_at: row.requested_at,
        finished_at: row.finished_at,
    }))
}
