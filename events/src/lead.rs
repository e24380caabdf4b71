//! Leadership and checkpoints: who may do what only one may do, and how far it has got.

use sqlx::{PgExecutor, PgPool};

use crate::id::Position;

/// The right to be the only one doing something, until its lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term(i64);

/// Takes or renews a leadership; none while another holder's lease lasts.
pub async fn take(pool: &PgPool, name: &str, holder: &str, lease_ms: i64) -> sqlx::Result<Option<Term>> {
    let term: Option<i64> = sqlx::query_scalar(include_str!("../sql/take_leadership.sql"))
        .bind(name)
        .bind(holder)
        .bind(lease_ms)
        .fetch_optional(pool)
        .await?;
    Ok(term.map(Term))
}

/// Gives a leadership up, so that another can take it at once.
pub async fn resign(pool: &PgPool, name: &str, holder: &str) -> sqlx::Result<()> {
    sqlx::query(include_str!("../sql/resign_leadership.sql")).bind(name).bind(holder).execute(pool).await.map(drop)
}

/// Moves the relay's checkpoint. False: another leads by now, and this one must stop.
pub async fn advance_relay(executor: impl PgExecutor<'_>, position: Position, term: Term) -> sqlx::Result<bool> {
    let moved: Option<i64> = sqlx::query_scalar(include_str!("../sql/advance_relay.sql"))
        .bind(position)
        .bind(term.0)
        .fetch_optional(executor)
        .await?;
    Ok(moved.is_some())
}

/// How far something has got; 0 when it has never said.
pub async fn checkpoint(pool: &PgPool, name: &str) -> sqlx::Result<Position> {
    let position: Option<Position> =
        sqlx::query_scalar(include_str!("../sql/read_checkpoint.sql")).bind(name).fetch_optional(pool).await?;
    Ok(position.unwrap_or_default())
}

/// Moves a checkpoint forward, never back.
pub async fn advance(pool: &PgPool, name: &str, position: Position) -> sqlx::Result<()> {
    sqlx::query(include_str!("../sql/advance_checkpoint.sql")).bind(name).bind(position).execute(pool).await.map(drop)
}
