//! `POST /v1/generations`: placeholders appear at once, in one append.

use atelier_events::log::Write;
use atelier_events::variant::Requested;
use atelier_events::{
    ArtworkEvent, ArtworkId, Event, ExpectedVersion, GenerationId, NewEvent, Stream, VariantEvent, VariantId, artwork,
};
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::command::{NewGeneration, requested};
use super::origins::{check_artwork, check_known};
use crate::api::answers::accepted;
use crate::app::App;
use crate::auth::Asking;
use crate::idempotency::{self, IdempotencyKey};
use crate::input::Asked;
use crate::problem::{self, Problem};

/// Variants that are on their way.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedGeneration {
    /// The generation.
    id: Uuid,
    /// What it makes, in order.
    artworks: Vec<Placeholder>,
    /// Of its events in the log: to be given as `?after=`.
    position: i64,
    /// Where to follow it.
    url: String,
    /// The same as `url`.
    status_url: String,
}

/// A variant to come, and the artwork it is a version of.
#[derive(Serialize, ToSchema)]
pub(crate) struct Placeholder {
    artwork_id: Uuid,
    variant_id: Uuid,
    /// The artwork's page in the gallery, once it is published.
    page_url: String,
}

/// Asks for variants to be generated.
#[utoipa::path(
    post, path = "/v1/generations", tag = "generations", request_body = NewGeneration,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes sending the same request again harmless, for 30 days or what `relay.keep_idempotency_keys_s` says")),
    responses(
        (status = 202, description = "They are on their way: follow `url`", body = CreatedGeneration),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create_generation(
    State(app): State<App>,
    asking: Asking,
    key: IdempotencyKey,
    Asked { command, fingerprint }: Asked<NewGeneration>,
) -> Result<Response, Problem> {
    let idempotent = idempotency::Command::new(&asking, key, fingerprint);
    if let Some(answered) = idempotent.answered(&app.log).await? {
        return accepted(answered);
    }
    let existing = command.artwork_id.map(ArtworkId);
    if let Some(artwork_id) = existing {
        check_artwork(&app, &asking, artwork_id, command.parent.map(VariantId)).await?;
    }
    check_known(&app, &command).await?;

    let generation_id = GenerationId::new();
    let requested = requested(&command, generation_id, existing);
    let writes = writes(&command, &asking, existing, &requested);
    let placeholder = |one: &Requested| {
        json!({
            "artwork_id": one.artwork_id,
            "variant_id": one.variant_id,
            "page_url": app.page_url(one.artwork_id),
        })
    };
    let url = app.api_url(&format!("/v1/generations/{generation_id}"));
    let answer = json!({
        "id": generation_id,
        "artworks": requested.iter().map(placeholder).collect::<Vec<_>>(),
        "url": url,
        "status_url": url,
    });
    accepted(idempotent.append(&app.log, writes, answer).await?)
}

fn writes(
    command: &NewGeneration,
    asking: &Asking,
    existing: Option<ArtworkId>,
    requested: &[Requested],
) -> Vec<Write> {
    let event = |event| NewEvent::new(event, &asking.context);
    let variant = |one: &Requested| event(Event::Variant(VariantEvent::Requested(one.clone())));
    if let Some(artwork_id) = existing {
        let events = requested.iter().map(variant).collect();
        return vec![Write { stream: Stream::artwork(artwork_id), expected: ExpectedVersion::Any, events }];
    }
    let artwork = |one: &Requested| {
        let (artwork_id, owner) = (one.artwork_id, asking.owner.to_string());
        let created = artwork::Created::new(artwork_id, owner, command.details());
        let events = vec![event(Event::Artwork(ArtworkEvent::Created(created))), variant(one)];
        Write { stream: Stream::artwork(artwork_id), expected: ExpectedVersion::NoStream, events }
    };
    requested.iter().map(artwork).collect()
}
