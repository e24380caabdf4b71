use atelier_events::Swatch;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgExecutor;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::RenditionRow;

/// Whose variants.
#[derive(Clone, Copy, Debug)]
pub(crate) enum VariantsOf {
    /// Of one artwork.
    Artwork(Uuid),
    /// Of one request.
    Generation(Uuid),
}

/// A variant with its files and where it comes from.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct VariantRow {
    pub(crate) id: Uuid,
    pub(crate) artwork_id: Uuid,
    pub(crate) generation_id: Option<Uuid>,
    pub(crate) state: String,
    pub(crate) provider: Option<String>,
    pub(crate) prompt: Option<String>,
    pub(crate) seed: Option<String>,
    pub(crate) width: Option<i64>,
    pub(crate) height: Option<i64>,
    pub(crate) params: Option<Value>,
    pub(crate) filename: Option<String>,
    pub(crate) original_key: Option<String>,
    pub(crate) original_sha256: Option<String>,
    pub(crate) original_media_type: Option<String>,
    pub(crate) original_length: Option<i64>,
    pub(crate) source_width: Option<i64>,
    pub(crate) source_height: Option<i64>,
    pub(crate) elapsed_ms: Option<i64>,
    pub(crate) cost_micros: Option<i64>,
    pub(crate) palette: Json<Vec<Swatch>>,
    pub(crate) placeholder: Option<String>,
    pub(crate) recipe_hash: Option<String>,
    pub(crate) failure_stage: Option<String>,
    pub(crate) failure_error: Option<String>,
    pub(crate) requested_at: OffsetDateTime,
    pub(crate) started_at: Option<OffsetDateTime>,
    pub(crate) finished_at: Option<OffsetDateTime>,
    pub(crate) lineage: Json<Vec<LineageRow>>,
    pub(crate) children: Vec<Uuid>,
    pub(crate) renditions: Json<Vec<RenditionRow>>,
}

/// What a variant comes from.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LineageRow {
    pub(crate) parent: Uuid,
    pub(crate) artwork_id: Option<Uuid>,
    pub(crate) relation: String,
}

pub(super) async fn find(executor: impl PgExecutor<'_>, of: VariantsOf, limit: i64) -> sqlx::Result<Vec<VariantRow>> {
    let (artwork, generation) = match of {
        VariantsOf::Artwork(id) => (Some(id), None),
        VariantsOf::Generation(id) => (None, Some(id)),
    };
    sqlx::query_as(include_str!("../../sql/find_variants.sql"))
        .bind(artwork)
        .bind(generation)
        .bind(limit)
        .persistent(false)
        .fetch_all(executor)
        .await
}
