use atelier_events::Swatch;
use serde::Deserialize;
use sqlx::types::Json;
use sqlx::{PgExecutor, types::time::OffsetDateTime};
use time::Date;
use uuid::Uuid;

/// Which artworks; a filter that is not set is off.
#[derive(Clone, Debug, Default)]
pub(crate) struct ArtworkFilter {
    /// Older than this: the `created_position` of the last one of the page before.
    pub(crate) before: Option<i64>,
    /// This one.
    pub(crate) id: Option<Uuid>,
    /// In this status.
    pub(crate) status: Option<String>,
    /// With this tag.
    pub(crate) tag: Option<String>,
    /// In this category.
    pub(crate) category: Option<String>,
    /// Featured, or not.
    pub(crate) featured: Option<bool>,
    /// Of this owner.
    pub(crate) owner: Option<String>,
    /// Containing these words.
    pub(crate) words: Option<String>,
}

/// An artwork with the files of its cover.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct ArtworkRow {
    pub(crate) id: Uuid,
    pub(crate) owner: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) artist: String,
    pub(crate) materials: Option<String>,
    pub(crate) dimensions: Option<String>,
    pub(crate) created_on: Option<Date>,
    pub(crate) category: String,
    pub(crate) tags: Vec<String>,
    pub(crate) featured: bool,
    pub(crate) source_url: Option<String>,
    pub(crate) video_url: Option<String>,
    pub(crate) prompt: String,
    pub(crate) status: String,
    pub(crate) created_at: OffsetDateTime,
    pub(crate) created_position: i64,
    pub(crate) published_position: Option<i64>,
    pub(crate) cover_variant: Option<Uuid>,
    pub(crate) palette: Option<Json<Vec<Swatch>>>,
    pub(crate) placeholder: Option<String>,
    pub(crate) source_width: Option<i64>,
    pub(crate) source_height: Option<i64>,
    pub(crate) renditions: Json<Vec<RenditionRow>>,
}

/// A file of a variant.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RenditionRow {
    pub(crate) kind: String,
    pub(crate) key: String,
    pub(crate) media_type: String,
    pub(crate) length: i64,
    pub(crate) width: i64,
    pub(crate) height: i64,
}

pub(super) async fn find(
    executor: impl PgExecutor<'_>,
    filter: &ArtworkFilter,
    limit: i64,
) -> sqlx::Result<Vec<ArtworkRow>> {
    sqlx::query_as(include_str!("../../sql/find_artworks.sql"))
        .bind(filter.before)
        .bind(filter.id)
        .bind(&filter.status)
        .bind(&filter.tag)
        .bind(&filter.category)
        .bind(filter.featured)
        .bind(&filter.owner)
        .bind(&filter.words)
        .bind(limit)
        .persistent(false)
        .fetch_all(executor)
        .await
}

/// The ids alone, each with its `created_position`.
pub(super) async fn find_ids(
    executor: impl PgExecutor<'_>,
    filter: &ArtworkFilter,
    limit: i64,
) -> sqlx::Result<Vec<(Uuid, i64)>> {
    sqlx::query_as(include_str!("../../sql/find_artwork_ids.sql"))
        .bind(filter.before)
        .bind(filter.id)
        .bind(&filter.status)
        .bind(&filter.tag)
        .bind(&filter.category)
        .bind(filter.featured)
        .bind(&filter.owner)
        .bind(&filter.words)
        .bind(limit)
        .persistent(false)
        .fetch_all(executor)
        .await
}
