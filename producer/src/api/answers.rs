//! What several resources answer: artworks, variants and their files, each with its addresses.

use std::collections::BTreeMap;

use atelier_events::{ArtworkId, Swatch};
use axum::Json;
use axum::http::header::{HeaderName, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::idempotency::Answered;
use crate::index::{ArtworkRow, LineageRow, RenditionRow, VariantRow};
use crate::problem::Problem;

/// A file of a variant, as it is served.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RenditionAnswer {
    /// Where it is served; never changes.
    url: String,
    /// Such as `image/jpeg`.
    media_type: String,
    /// Bytes.
    length: i64,
    /// Pixels.
    width: i64,
    /// Pixels.
    height: i64,
}

/// A variant's files by kind.
pub(crate) fn renditions(app: &App, rows: Vec<RenditionRow>) -> BTreeMap<String, RenditionAnswer> {
    let answer = |row: RenditionRow| {
        let url = app.blob_url(&row.key);
        let RenditionRow { kind, key: _, media_type, length, width, height } = row;
        (kind, RenditionAnswer { url, media_type, length, width, height })
    };
    rows.into_iter().map(answer).collect()
}

/// A colour of a picture.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SwatchAnswer {
    /// `#rrggbb`.
    colour: String,
    /// How much of the picture it covers, in thousandths.
    per_mille: u16,
}

fn swatches(palette: Vec<Swatch>) -> Vec<SwatchAnswer> {
    palette.into_iter().map(|Swatch { colour, per_mille }| SwatchAnswer { colour, per_mille }).collect()
}

/// An artwork.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ArtworkAnswer {
    /// Its id.
    id: Uuid,
    /// Whose it is: the name of the key that made it.
    owner: String,
    title: String,
    description: String,
    /// Who made it; drawn as the watermark.
    artist: String,
    materials: Option<String>,
    /// Its size as the owner wrote it.
    dimensions: Option<String>,
    /// The day the work was made, as `2026-11-21`.
    #[schema(value_type = Option<String>, format = Date)]
    created_date: Option<Date>,
    category: String,
    tags: Vec<String>,
    featured: bool,
    /// The post or page that inspired it.
    source_url: Option<String>,
    video_url: Option<String>,
    /// Of the newest recipe; empty for an upload.
    prompt: String,
    /// `pending`, `processing`, `active` or `failed`.
    pub(crate) status: String,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// The position of its creation in the log.
    position: i64,
    /// Itself in the API.
    url: String,
    /// Its page in the published gallery, once `published`.
    page_url: String,
    /// Whether its page is live, as `artwork.published` has told.
    pub(crate) published: bool,
    /// The variant that stands for it: the newest complete one.
    cover: Option<Uuid>,
    /// The cover's files: `display`, `thumb`, `icon`, `preview` and `card`; of a larger original `medium_640`,
    /// `medium_640_webp`, `medium_1280` and `medium_1280_webp`; of flat art `lossless`; of an animation `animation`.
    renditions: BTreeMap<String, RenditionAnswer>,
    /// The cover's colours, the most present first.
    palette: Vec<SwatchAnswer>,
    /// What to show until the picture is there: a thumbhash, base64.
    placeholder: Option<String>,
    /// Width of the cover's original in pixels, as seen.
    width: Option<i64>,
    /// Height of the cover's original in pixels, as seen.
    height: Option<i64>,
}

impl ArtworkAnswer {
    pub(crate) fn of(app: &App, row: ArtworkRow) -> Self {
        Self {
            id: row.id,
            owner: row.owner,
            title: row.title,
            description: row.description,
            artist: row.artist,
            materials: row.materials,
            dimensions: row.dimensions,
            created_date: row.created_on,
            category: row.category,
            tags: row.tags,
            featured: row.featured,
            source_url: row.source_url,
            video_url: row.video_url,
            prompt: row.prompt,
            status: row.status,
            created_at: row.created_at,
            position: row.created_position,
            url: app.api_url(&format!("/v1/artworks/{}", row.id)),
            page_url: app.page_url(ArtworkId(row.id)),
            published: row.published_position.is_some(),
            cover: row.cover_variant,
            renditions: renditions(app, row.renditions.0),
            palette: swatches(row.palette.map(|palette| palette.0).unwrap_or_default()),
            placeholder: row.placeholder,
            width: row.source_width,
            height: row.source_height,
        }
    }
}

/// What made a variant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RecipeAnswer {
    provider: String,
    prompt: String,
    /// The provider's randomness.
    seed: u64,
    /// Asked for, in pixels.
    width: i64,
    /// Asked for, in pixels.
    height: i64,
    /// What else the provider was told.
    #[schema(value_type = Object)]
    params: Value,
}

/// Where a variant comes from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct LineageAnswer {
    /// The variant it comes from.
    parent: Uuid,
    /// The artwork that the parent is a version of.
    artwork_id: Option<Uuid>,
    /// `derived` (from a reference), `refined` (of the same work) or `forked` (into a new one).
    relation: String,
}

/// A variant's original: private, so its link is signed and expires.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct OriginalAnswer {
    /// Good until `expires_at`, for whoever holds it.
    url: String,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    sha256: Option<String>,
    media_type: Option<String>,
    /// Bytes.
    length: Option<i64>,
}

/// Why a variant failed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FailureAnswer {
    /// `generate` or `renditions`.
    pub(crate) stage: Option<String>,
    /// In words.
    pub(crate) error: String,
}

/// One version of an artwork.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct VariantAnswer {
    id: Uuid,
    artwork_id: Uuid,
    /// The request it is part of; none for an upload.
    generation_id: Option<Uuid>,
    /// `pending`, `processing`, `completed` or `failed`.
    state: String,
    /// What made it; none for an upload.
    recipe: Option<RecipeAnswer>,
    /// The name an upload had at its owner's.
    filename: Option<String>,
    lineage: Vec<LineageAnswer>,
    /// The variants that come from this one.
    children: Vec<Uuid>,
    original: Option<OriginalAnswer>,
    /// Width of the original in pixels, as seen.
    width: Option<i64>,
    /// Height of the original in pixels, as seen.
    height: Option<i64>,
    /// Its colours, the most present first.
    palette: Vec<SwatchAnswer>,
    placeholder: Option<String>,
    /// By which recipe its files were cut; what cuts files by another has them cut again by `POST /v1/variants/recut`.
    recipe_hash: Option<String>,
    /// How long the provider took, in milliseconds.
    elapsed_ms: Option<i64>,
    /// What it cost, in millionths of a US dollar.
    cost_micros: Option<i64>,
    failure: Option<FailureAnswer>,
    /// Its files by kind, once it is complete.
    renditions: BTreeMap<String, RenditionAnswer>,
    #[serde(with = "time::serde::rfc3339")]
    requested_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
}

impl VariantAnswer {
    /// Signs the original's link on the way: that is computed here, without asking the store.
    pub(crate) async fn of(app: &App, row: VariantRow) -> Result<Self, Problem> {
        let recipe = row.provider.clone().map(|provider| RecipeAnswer {
            provider,
            prompt: row.prompt.clone().unwrap_or_default(),
            seed: row.seed.as_deref().and_then(|digits| digits.parse().ok()).unwrap_or_default(),
            width: row.width.unwrap_or_default(),
            height: row.height.unwrap_or_default(),
            params: row.params.clone().unwrap_or_default(),
        });
        let original = match &row.original_key {
            Some(key) => Some(original(app, key, &row).await?),
            None => None,
        };
        let of = |LineageRow { parent, artwork_id, relation }| LineageAnswer { parent, artwork_id, relation };
        let stage = row.failure_stage;
        Ok(Self {
            id: row.id,
            artwork_id: row.artwork_id,
            generation_id: row.generation_id,
            state: row.state,
            recipe,
            filename: row.filename,
            lineage: row.lineage.0.into_iter().map(of).collect(),
            children: row.children,
            original,
            width: row.source_width,
            height: row.source_height,
            palette: swatches(row.palette.0),
            placeholder: row.placeholder,
            recipe_hash: row.recipe_hash,
            elapsed_ms: row.elapsed_ms,
            cost_micros: row.cost_micros,
            failure: row.failure_error.map(|error| FailureAnswer { stage, error }),
            renditions: renditions(app, row.renditions.0),
            requested_at: row.requested_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}

async fn original(app: &App, key: &str, row: &VariantRow) -> Result<OriginalAnswer, Problem> {
    let name = key.rsplit('/').next();
    let signed = app.blobs.presign_get(key, name, app.presign_ttl).await?;
    Ok(OriginalAnswer {
        url: signed.url,
        expires_at: signed.expires_at,
        sha256: row.original_sha256.clone(),
        media_type: row.original_media_type.clone(),
        length: row.original_length,
    })
}

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The answer to a command that was taken: 202 with its position, where to look (the answer's `url`), and whether all
/// of this was said before.
pub(crate) fn accepted(answered: Answered) -> Result<Response, Problem> {
    let Answered { position, mut answer, replayed } = answered;
    let mut headers = HeaderMap::new();
    if let Some(url) = answer["url"].as_str() {
        headers.insert(LOCATION, HeaderValue::from_str(url).map_err(Problem::internal)?);
    }
    if replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    answer["position"] = position.0.into();
    Ok((StatusCode::ACCEPTED, headers, Json(answer)).into_response())
}
