//! Events that a relay went past because it did not know their type.
//!
//! While an installation is being updated, or after it was taken back, a relay may be older than what writes to the log.
//! It cannot know which consumers want such an event, and must not stop at it either, or nothing that it does know would
//! be published any more. So it notes the event and goes on; a relay that knows the type, whenever one leads, enlists and
//! publishes it then.

use sqlx::{PgExecutor, PgPool};

use crate::bus::PUBLISH_LIMIT;
use crate::event::{Event, Recorded};

/// Notes those of a batch whose type this version does not know. Noting one twice changes nothing.
pub async fn note(pool: &PgPool, events: &[Recorded]) -> sqlx::Result<()> {
    let unknown = events.iter().filter(|event| !event.has_known_type());
    let (positions, types): (Vec<i64>, Vec<&str>) =
        unknown.map(|event| (event.position.0, event.event_type.as_str())).unzip();
    if positions.is_empty() {
        return Ok(());
    }
    tracing::warn!(
        event.position = positions[0],
        event.type = types[0],
        events = positions.len(),
        "passed over: a newer version wrote this, and its relay will take it up"
    );
    let note = sqlx::query(include_str!("../sql/note_passed_over.sql")).bind(positions).bind(types);
    note.execute(pool).await.map(drop)
}

/// What was passed over and this version knows, in log order, no more than one publish takes.
pub async fn known(pool: &PgPool) -> sqlx::Result<Vec<Recorded>> {
    let limit = i64::try_from(PUBLISH_LIMIT).unwrap_or(i64::MAX);
    let read = sqlx::query_as(include_str!("../sql/read_passed_over.sql")).bind(Event::TYPES).bind(limit);
    read.fetch_all(pool).await
}

/// Forgets events that have been taken up: over the connection that has enlisted their jobs ([`crate::jobs::enlist`]).
pub async fn forget(executor: impl PgExecutor<'_>, events: &[Recorded]) -> sqlx::Result<()> {
    let positions: Vec<i64> = events.iter().map(|event| event.position.0).collect();
    sqlx::query(include_str!("../sql/forget_passed_over.sql")).bind(positions).execute(executor).await.map(drop)
}
