//! The log stream by stream: for a fold of everything, in which no stream need be kept until its next event comes.

use sqlx::PgConnection;

use super::READ_LIMIT;
use crate::event::Recorded;
use crate::id::{Position, Stream, Version};

/// Events up to a position, in the order of their streams (as the database sorts them) and versions: after this version
/// of this stream, through the stream `through`, [`READ_LIMIT`] at the most.
pub async fn read_by_stream(
    connection: &mut PgConnection,
    after: (&Stream, Version),
    through: &Stream,
    up_to: Position,
) -> sqlx::Result<Vec<Recorded>> {
    sqlx::query_as(include_str!("../../sql/read_by_stream.sql"))
        .bind(after.0)
        .bind(after.1)
        .bind(through)
        .bind(up_to)
        .bind(READ_LIMIT)
        .fetch_all(connection)
        .await
}
