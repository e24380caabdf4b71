use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// An export.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct ExportRow {
    pub(crate) id: Uuid,
    pub(crate) state: String,
    pub(crate) files: Value,
    pub(crate) variants: String,
    pub(crate) archive_key: Option<String>,
    pub(crate) archive_sha256: Option<String>,
    pub(crate) archive_length: Option<i64>,
    pub(crate) pictures: Option<i64>,
    pub(crate) missing: Option<Value>,
    pub(crate) error: Option<String>,
    pub(crate) requested_at: OffsetDateTime,
    pub(crate) finished_at: Option<OffsetDateTime>,
    pub(crate) kept_until: Option<OffsetDateTime>,
    pub(crate) position: i64,
}
