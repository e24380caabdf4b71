//! Projections that cannot go on. A job that fails has a row that says so; a projection has none, and tries again.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::consumer::Consumer;

/// Why a projection does not go on, and when it tries again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Stall {
    /// When it failed for the first time.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// Attempts since then, each of which failed.
    pub attempts: i64,
    /// What the last one failed of.
    pub error: String,
    /// When it is tried again.
    #[serde(with = "time::serde::rfc3339")]
    pub next_at: OffsetDateTime,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time: OffsetDateTime| {
            let time = time.to_offset(time::UtcOffset::UTC).truncate_to_second();
            time.format(&Rfc3339).map_err(|_| fmt::Error)
        };
        let (since, next) = (time(self.since)?, time(self.next_at)?);
        let error = self.error.lines().collect::<Vec<_>>().join(" / ");
        write!(f, "fails since {since}, {} times so far, and is tried again at {next}: {error}", self.attempts)
    }
}

/// An attempt has failed, and the next comes after this pause.
pub async fn note(pool: &PgPool, consumer: Consumer, error: &str, pause: Duration) -> sqlx::Result<Stall> {
    let note = sqlx::query_as(include_str!("../sql/note_stall.sql"));
    note.bind(consumer.name()).bind(error).bind(pause.as_secs_f64()).fetch_one(pool).await
}

/// It goes on.
pub async fn end(pool: &PgPool, consumer: Consumer) -> sqlx::Result<()> {
    sqlx::query(include_str!("../sql/end_stall.sql")).bind(consumer.name()).execute(pool).await.map(drop)
}
