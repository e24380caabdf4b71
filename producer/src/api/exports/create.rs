//! `POST /v1/exports`: artworks that are named, that a query finds, or all of them.

use std::collections::HashSet;

use atelier_events::export::{Files, Requested, Selection, Variants};
use atelier_events::log::Write;
use atelier_events::{
    ArtworkId, Blob, Event, ExpectedVersion, ExportEvent, ExportId, NewEvent, Position, RenditionKind, Stream, keys,
};
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::answers::accepted;
use crate::api::artworks::list::{STATUSES, WORDS_CHARS};
use crate::app::App;
use crate::auth::Asking;
use crate::idempotency::{self, IdempotencyKey};
use crate::index::ArtworkFilter;
use crate::input::{Asked, Command, check_count, not_one_of};
use crate::problem::{self, Flaws, Kind, Problem};

/// The artworks that one request can name; whoever wants more asks by a query or takes all.
const NAMED_ARTWORKS: usize = 1_000;

/// Ids that one look at the index brings.
const LISTED_AT_A_TIME: i64 = 10_000;

/// An export that is to be written: `artwork_ids`, `matching` or `all`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct NewExport {
    /// These, at most 1,000.
    #[schema(min_items = 1, max_items = 1_000)]
    artwork_ids: Option<Vec<Uuid>>,
    /// Every artwork that `GET /v1/artworks` would list by these filters now.
    matching: Option<Matching>,
    /// Every artwork that is active now.
    all: bool,
    /// Which file of each: `originals`, or a rendition: `display`, `lossless`, `medium_1280`, `medium_1280_webp`,
    /// `medium_640`, `medium_640_webp`, `thumb`, `icon`, `preview`, `card` or `animation`.
    #[schema(default = "originals", example = "display")]
    files: Option<String>,
    /// Which variants of each: `cover`, the one that stands for it, or `all` that are complete. When nothing is said, `all`
    /// of `all` artworks' originals, which is a backup, and `cover` of anything else.
    #[schema(example = "all")]
    variants: Option<String>,
}

/// The filters of `GET /v1/artworks`; one that is not set is off.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Matching {
    /// `pending`, `processing`, `active` or `failed`.
    status: Option<String>,
    /// With this tag.
    tag: Option<String>,
    /// In this category.
    category: Option<String>,
    /// Featured, or not.
    featured: Option<bool>,
    /// Containing these words, as in a web search: quotes, `or` and `-` work.
    #[schema(max_length = 200)]
    q: Option<String>,
    /// Of this owner.
    owner: Option<String>,
}

impl Matching {
    fn check(&self, flaws: &mut Flaws) {
        flaws.fields([("matching/status", not_one_of(self.status.as_deref(), &STATUSES))]);
        let chars = self.q.as_deref().map_or(0, |words| words.chars().count());
        if chars > WORDS_CHARS {
            flaws.at("/matching/q", format!("has {chars} characters, at most {WORDS_CHARS} are allowed"));
        }
    }

    fn filter(self) -> ArtworkFilter {
        ArtworkFilter {
            status: self.status,
            tag: self.tag.map(|tag| tag.trim().to_lowercase()),
            category: self.category.map(|category| category.trim().to_lowercase()),
            featured: self.featured,
            owner: self.owner,
            words: self.q,
            ..ArtworkFilter::default()
        }
    }
}

/// The files of a word, if it is one.
fn files(word: Option<&str>) -> Option<Files> {
    match word {
        None | Some("originals") => Some(Files::Originals),
        Some(kind) => serde_json::from_value::<RenditionKind>(kind.into()).ok().map(Files::Rendition),
    }
}

impl NewExport {
    /// What a command that has been checked means: where it does not say, everything as it is, to be taken back in, or
    /// pictures to look at.
    fn variants(&self, files: Files) -> Variants {
        let unsaid = if self.all && files == Files::Originals { Variants::All } else { Variants::Cover };
        let word = self.variants.as_deref();
        Variants::ALL.into_iter().find(|variants| word == Some(variants.as_str())).unwrap_or(unsaid)
    }
}

impl Command for NewExport {
    fn check(&self, flaws: &mut Flaws) {
        let ids = self.artwork_ids.as_deref();
        match (ids, &self.matching, self.all) {
            (Some(_), _, true) => flaws.at("/all", "is given together with artwork_ids: give one of them"),
            (None, Some(_), true) => flaws.at("/all", "is given together with matching: give one of them"),
            (Some(_), Some(_), false) => flaws.at("/matching", "is given together with artwork_ids: give one of them"),
            (None, None, false) => {
                flaws.at(
                    "/artwork_ids",
                    "is missing: name some artworks, give filters as \"matching\", or \"all\": true",
                );
            }
            (None, None, true) | (None, Some(_), false) | (Some(_), None, false) => {}
        }
        if let Some(matching) = &self.matching {
            matching.check(flaws);
        }
        if files(self.files.as_deref()).is_none() {
            let word = self.files.as_deref().unwrap_or_default();
            flaws.at(
                "/files",
                format!("{word:?} is neither \"originals\" nor a kind of rendition, such as \"display\""),
            );
        }
        flaws.fields([("variants", not_one_of(self.variants.as_deref(), &Variants::ALL.map(Variants::as_str)))]);
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
pub(crate) async fn create_export(
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
    let export_id = ExportId::new();
    let files = files(command.files.as_deref()).unwrap_or_default();
    let variants = command.variants(files);
    let selection = match (command.artwork_ids, command.matching) {
        (Some(ids), _) => Selection::Artworks(existing(&app, &ids, head).await?),
        (None, Some(matching)) => Selection::Listed(list(&app, export_id, matching, head).await?),
        (None, None) => Selection::All(head),
    };
    let answer = json!({
        "id": export_id,
        "state": "pending",
        "url": app.api_url(&format!("/v1/exports/{export_id}")),
    });
    let event = Event::Export(ExportEvent::Requested(Requested { export_id, selection, files, variants }));
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

/// Writes down in the bucket what a query finds once the index has got to where the log is: an id a line.
async fn list(app: &App, export_id: ExportId, matching: Matching, head: Position) -> Result<Blob, Problem> {
    app.caught_up(Some(head.0)).await?;
    let mut filter = matching.filter();
    let mut upload = app.blobs.upload(&keys::export_list(export_id), "text/plain")?;
    let mut is_empty = true;
    loop {
        let found = app.index.find_artwork_ids(&filter, LISTED_AT_A_TIME).await?;
        let Some((_, last)) = found.last() else { break };
        filter.before = Some(*last);
        is_empty = false;
        let lines: Vec<String> = found.iter().map(|(id, _)| format!("{id}\n")).collect();
        upload.write(lines.concat().into()).await?;
    }
    if is_empty {
        let mut flaws = Flaws::default();
        flaws.at("/matching", "finds no artwork");
        return Err(Problem::flawed(Kind::Unprocessable, flaws));
    }
    Ok(upload.finish().await?)
}
