//! `POST /v1/artworks`: an upload becomes an artwork, or what was exported becomes again what it was.

use atelier_events::log::Write;
use atelier_events::variant::Uploaded;
use atelier_events::{
    ArtworkEvent, ArtworkId, Details, Event, ExpectedVersion, NewEvent, Stream, VariantEvent, VariantId, artwork,
};
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::restore::Restore;
use super::{LINE_CHARS, check_about, check_title, tidy_category};
use crate::api::answers::accepted;
use crate::api::uploads::{check_media_type, check_size};
use crate::app::App;
use crate::auth::Asking;
use crate::idempotency::{self, IdempotencyKey};
use crate::input::{Asked, Command, check_date, check_line, check_url, not_a_priority, priority, tidy_tags};
use crate::problem::{self, Flaws, Kind, Problem};

/// An artwork that is to be created from an upload.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct NewArtwork {
    /// The `key` that asking for the upload answered.
    #[schema(required, example = "uploads/0199fd2e-3c5b-7cc1-b0f3-6f6f0a4c1d2e/harbour.jpg")]
    upload_key: String,
    /// One line.
    #[schema(required, min_length = 1, max_length = 200)]
    title: String,
    /// Free text.
    #[schema(max_length = 10_000)]
    description: String,
    /// Who made it; drawn as the watermark. Empty: no watermark.
    #[schema(max_length = 200)]
    artist: String,
    /// What it is made of.
    #[schema(max_length = 200)]
    materials: Option<String>,
    /// Its size, in your words.
    #[schema(max_length = 200, example = "30 x 40 cm")]
    dimensions: Option<String>,
    /// The day the work was made.
    #[schema(format = Date, example = "2026-11-21")]
    created_date: Option<String>,
    /// `other` when nothing is said.
    #[schema(max_length = 50)]
    category: Option<String>,
    /// At most 20; kept in lower case, each once.
    #[schema(max_items = 20)]
    tags: Vec<String>,
    /// Shown first where a page has a place for it.
    featured: bool,
    /// The post or page that inspired it: http or https.
    source_url: Option<String>,
    /// A video of it: http or https.
    video_url: Option<String>,
    /// `bulk` lets whatever is `interactive` go first.
    #[schema(default = "interactive", example = "bulk")]
    priority: Option<String>,
    /// It was exported, and is to be again what it was: under these ids, as old as it is, made by this recipe. Where an
    /// artwork of yours has the id already, the variant is added to it, and what is said of the artwork is left as it is.
    restore: Option<Restore>,
}

impl Command for NewArtwork {
    fn check(&self, flaws: &mut Flaws) {
        if upload_name(&self.upload_key).is_none() {
            flaws.at("/upload_key", "is not a key that POST /v1/uploads answered");
        }
        check_title(&self.title, flaws);
        check_about(&self.artist, &self.description, self.category.as_deref(), &self.tags, flaws);
        for (at, line) in [("/materials", &self.materials), ("/dimensions", &self.dimensions)] {
            check_line(at, line.as_deref().unwrap_or_default(), LINE_CHARS, flaws);
        }
        for (at, url) in [("/source_url", &self.source_url), ("/video_url", &self.video_url)] {
            if let Some(url) = url {
                check_url(at, url, flaws);
            }
        }
        flaws.fields([("priority", not_a_priority(self.priority.as_deref()))]);
        if let Some(restore) = &self.restore {
            restore.check(flaws);
        }
        if let Some(date) = &self.created_date {
            check_date("/created_date", date, flaws);
        }
    }
}

impl NewArtwork {
    fn details(&self) -> Details {
        let line =
            |line: &Option<String>| line.as_deref().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned);
        Details {
            title: self.title.trim().to_owned(),
            description: self.description.trim().to_owned(),
            artist: self.artist.trim().to_owned(),
            materials: line(&self.materials),
            dimensions: line(&self.dimensions),
            created_on: self.created_date.as_deref().and_then(|date| check_date("", date, &mut Flaws::default())),
            category: tidy_category(self.category.as_deref()),
            tags: tidy_tags(&self.tags),
            featured: self.featured,
            source_url: self.source_url.clone(),
            video_url: self.video_url.clone(),
        }
    }
}

/// The filename in an upload's key, if it is one. Nothing else in the bucket may be named by a client.
fn upload_name(key: &str) -> Option<&str> {
    let mut parts = key.strip_prefix("uploads/")?.split('/');
    let (id, name) = (parts.next()?, parts.next()?);
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let whole = Uuid::parse_str(id).is_ok() && id.len() == 36 && plain && !name.is_empty() && !name.starts_with('.');
    (whole && parts.next().is_none()).then_some(name)
}

/// An artwork that is on its way.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedArtwork {
    /// The artwork.
    id: Uuid,
    /// The variant that the upload is.
    variant_id: Uuid,
    /// `processing`
    status: String,
    /// Of its events in the log: to be given as `?after=`.
    position: i64,
    /// Where to follow it.
    url: String,
    /// Where its page in the gallery will be.
    page_url: String,
}

/// Creates an artwork from an upload.
#[utoipa::path(
    post, path = "/v1/artworks", tag = "artworks", request_body = NewArtwork,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes sending the same request again harmless, for 30 days or what `relay.keep_idempotency_keys_s` says")),
    responses(
        (status = 202, description = "It is on its way: follow `url`", body = CreatedArtwork),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create_artwork(
    State(app): State<App>,
    asking: Asking,
    key: IdempotencyKey,
    Asked { command, fingerprint }: Asked<NewArtwork>,
) -> Result<Response, Problem> {
    let idempotent = match &command.restore {
        // Of two that restore one variant at the same time, one is refused: the index does not know either yet.
        Some(restore) => idempotency::Command::unique(&format!("restore/{}", restore.variant_id), fingerprint),
        None => idempotency::Command::new(&asking, key, fingerprint),
    };
    if let Some(answered) = idempotent.answered(&app.log).await? {
        return accepted(answered);
    }
    let length = check_upload(&app, &command.upload_key).await?;
    let (there, artwork_id, variant_id) = match &command.restore {
        Some(restore) => {
            let there = restore.find_artwork(&app, &asking).await?;
            (there, ArtworkId(restore.artwork_id), VariantId(restore.variant_id))
        }
        None => (None, ArtworkId::new(), VariantId::new()),
    };
    let answer = json!({
        "id": artwork_id,
        "variant_id": variant_id,
        "status": "processing",
        "url": app.api_url(&format!("/v1/artworks/{artwork_id}")),
        "page_url": app.page_url(artwork_id),
    });
    let added_at = command.restore.as_ref().and_then(|restore| restore.created_at);
    let owner = asking.owner.to_string();
    let created = artwork::Created { added_at, ..artwork::Created::new(artwork_id, owner, command.details()) };
    let variant = Event::Variant(VariantEvent::Uploaded(uploaded(command, artwork_id, variant_id, length)));
    let (expected, events) = match there {
        Some(_) => (ExpectedVersion::Any, vec![variant]),
        None => (ExpectedVersion::NoStream, vec![Event::Artwork(ArtworkEvent::Created(created)), variant]),
    };
    let write = Write {
        stream: Stream::artwork(artwork_id),
        expected,
        events: events.into_iter().map(|event| NewEvent::new(event, &asking.context)).collect(),
    };
    accepted(idempotent.append(&app.log, vec![write], answer).await?)
}

/// The variant that the upload is, of so many bytes.
fn uploaded(command: NewArtwork, artwork_id: ArtworkId, variant_id: VariantId, length: u64) -> Uploaded {
    let upload_key = command.upload_key;
    let uploaded = Uploaded {
        artwork_id,
        variant_id,
        filename: upload_name(&upload_key).unwrap_or_default().to_owned(),
        upload_key,
        length,
        recipe: None,
        lineage: Vec::new(),
        requested_at: None,
        priority: command.priority.as_deref().map(priority).unwrap_or_default(),
    };
    match command.restore {
        Some(Restore { recipe, lineage, requested_at, filename, .. }) => {
            Uploaded { recipe, lineage, requested_at, filename: filename.unwrap_or_default(), ..uploaded }
        }
        None => uploaded,
    }
}

/// Bytes of what lies under the key; a problem when it cannot be a picture.
async fn check_upload(app: &App, key: &str) -> Result<u64, Problem> {
    let mut flaws = Flaws::default();
    let Some(head) = app.blobs.head(key).await? else {
        flaws.at("/upload_key", format!("there is no upload at {key:?}: PUT the file first"));
        return Err(Problem::flawed(Kind::Unprocessable, flaws));
    };
    if head.length == 0 {
        flaws.at("/upload_key", format!("the upload at {key:?} is empty: PUT the file again"));
    }
    flaws.refuse(Kind::Unprocessable)?;
    check_media_type("/upload_key", &head.media_type)?;
    check_size("/upload_key", head.length, app.max_upload_bytes)?;
    Ok(head.length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_uploads_can_be_named_by_a_client() {
        let id = "0199fd2e-3c5b-7cc1-b0f3-6f6f0a4c1d2e";
        assert_eq!(upload_name(&format!("uploads/{id}/a.png")), Some("a.png"));
        for key in [
            "",
            "uploads/a.png",
            "exports/0199fd2e-3c5b-7cc1-b0f3-6f6f0a4c1d2e.zip",
            &format!("uploads/{id}/.."),
            &format!("uploads/{id}/"),
            &format!("uploads/{id}/../../exports/x.zip"),
            &format!("uploads/{id}/a/b.png"),
            &format!("uploads/{}/a.png", id.replace('-', "")),
        ] {
            assert_eq!(upload_name(key), None, "{key}");
        }
    }
}
