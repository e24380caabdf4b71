//! Whether the read model fits the log: a cheap question, which is no replay.

use anyhow::Context;
use sqlx::PgPool;

use super::Flaw;

#[derive(sqlx::FromRow)]
struct Counted {
    checkpoint: i64,
    head: i64,
    in_model: i64,
    in_log: i64,
}

/// Compares the checkpoint with the head, and the artworks with those the log created up to there. A read model that
/// has not been built yet is no flaw.
pub(super) async fn verify(pool: &PgPool) -> anyhow::Result<Vec<Flaw>> {
    let built: bool = sqlx::query_scalar(include_str!("../../sql/find_read_model.sql")).fetch_one(pool).await?;
    if !built {
        return Ok(Vec::new());
    }
    let counted: Counted = sqlx::query_as(include_str!("../../sql/count_artworks.sql"))
        .fetch_one(pool)
        .await
        .context("reading the read model")?;
    let mut flaws = Vec::new();
    let Counted { checkpoint, head, in_model, in_log } = counted;
    if checkpoint > head {
        flaws.push(Flaw::new("read model", format!("it says {checkpoint}, where the log ends at {head}: replay it")));
    }
    if in_model != in_log {
        let what = format!("it has {in_model} artworks, the log created {in_log} up to {checkpoint}: replay it");
        flaws.push(Flaw::new("read model", what));
    }
    Ok(flaws)
}
