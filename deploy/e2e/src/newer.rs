//! What a newer version of Atelier leaves in the log.

use atelier_events::{Position, Stream};
use sqlx::PgPool;

/// Appends an event of this type and schema, known or not, in the one way there is into the log.
pub async fn append_newer(pool: &PgPool, stream: &Stream, event_type: &str, schema: i16) -> sqlx::Result<Position> {
    let append = "select position + 1 from append_events(
        '{}', '{}', '{}', '{}', '{0}', array[$1], '{-1}',
        '{1}', '{1}', array[gen_random_uuid()], array[$2], array[$3::smallint], array['{\"of\": \"tomorrow\"}'::jsonb],
        '{newer}', array[gen_random_uuid()], array[null]::uuid[], array[null]::text[])";
    sqlx::query_scalar(append).bind(stream.as_str()).bind(event_type).bind(schema).fetch_one(pool).await
}
