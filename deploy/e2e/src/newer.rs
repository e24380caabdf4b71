//! What a newer version of Atelier leaves in the log.

use atelier_events::log::Content;
use atelier_events::{Position, Stream};
use sqlx::PgPool;
use uuid::Uuid;

/// Appends an event of this type and schema, known or not, in the one way there is into the log.
pub async fn append_newer(pool: &PgPool, stream: &Stream, event_type: &str, schema: i16) -> sqlx::Result<Position> {
    let (id, correlation_id, data) = (Uuid::now_v7(), Uuid::now_v7(), "{\"of\": \"tomorrow\"}");
    let content = Content {
        stream: stream.as_str().as_bytes(),
        id,
        event_type: event_type.as_bytes(),
        schema,
        actor: b"newer",
        correlation_id,
        causation_id: None,
        data: data.as_bytes(),
    };
    let append = "select position + 1 from append_events(
        '{}', '{}', '{}', '{}', '{0}', array[$1], '{-1}', '{1}', '{1}', array[$2], array[$3], array[$4::smallint],
        array[$5], '{newer}', array[$6], array[null]::uuid[], array[null]::text[], $7)";
    sqlx::query_scalar(append)
        .bind(stream.as_str())
        .bind(id)
        .bind(event_type)
        .bind(schema)
        .bind(data)
        .bind(correlation_id)
        .bind(content.digest().as_slice())
        .fetch_one(pool)
        .await
}
