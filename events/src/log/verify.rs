//! Proof that nobody edited, removed or inserted history: every event's digest and every link of the chain, recomputed.
//!
//! One connection sends the events in the order of the log, several threads recompute their digests, and one walks the
//! chain behind them. What stays in memory is 32 bytes and some for each stream.

use std::sync::Arc;

use bytes::Buf;
use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::{PgPool, Postgres, Transaction};

use super::chain::{Chain, Links};
use super::copied::{self, HEADER_BYTES, Names};
use crate::id::Position;

/// Rows that a thread checks at a time.
const ROWS: usize = 512;
/// Such pieces that are read ahead.
const PIECES: usize = 4;

/// A place in the log with the link that covers everything up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The last position of a commit, or 0.
    pub position: Position,
    /// The commit's link.
    pub link: [u8; 32],
}

impl Anchor {
    /// Before the first event.
    #[must_use]
    pub fn beginning() -> Self {
        Self { position: Position(0), link: Sha256::digest("atelier").into() }
    }
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Events checked.
    pub events: u64,
    /// Commits checked.
    pub commits: u64,
    /// The last commit there is. What a checkpoint is to be signed for, when there are no flaws.
    pub reached: Anchor,
    /// Every place where the log is not what was written; empty when it is whole.
    pub flaws: Vec<Flaw>,
}

/// A place where the log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// A position has no event.
    #[error("position {0} is missing")]
    Missing(Position),
    /// An event's content is not what its digest covers.
    #[error("the event at position {0} was changed: its digest does not fit its content")]
    Changed(Position),
    /// A stream's versions have a gap, or go back.
    #[error("the event at position {0} does not have the version that follows in its stream")]
    Version(Position),
    /// The chain breaks: an event was exchanged with its digest, or a commit removed.
    #[error("the hash chain breaks at the commit that ends at position {0}")]
    Chain(Position),
    /// The head does not stand at the last event.
    #[error("the head says {head}, the last event is at {last}")]
    Head {
        /// Where the head stands.
        head: Position,
        /// Where the last event stands.
        last: Position,
    },
    /// The head stands where it should, with another link: the next append would continue another chain.
    #[error("the head at position {0} does not have the last commit's link")]
    HeadLink(Position),
    /// A checkpoint of a projection or the relay lies behind the end: the log was cut off, or set back.
    #[error("the checkpoint {name:?} is at position {position}, where the log ends at {head}")]
    Ahead {
        /// Whose.
        name: String,
        /// Where it is.
        position: Position,
        /// Where the log ends.
        head: Position,
    },
    /// The log is shorter than it has been.
    #[error("a checkpoint was signed at position {signed}, where the log ends at {head}: its end was cut off")]
    CutOff {
        /// Where it was signed.
        signed: Position,
        /// Where the log ends.
        head: Position,
    },
    /// The log is another one up to there than it has been.
    #[error("the link at position {0} is not the one that was signed: what lies before it was rewritten")]
    Rewritten(Position),
}

/// Checks the whole log. `progress` is told the position reached.
///
/// What it cannot see is an end that was cut off together with its links and its head, and a history that was written anew
/// with all its links: that takes an anchor that was kept elsewhere (see [`super::signed`]).
pub async fn verify(pool: &PgPool, progress: impl FnMut(Position)) -> sqlx::Result<Verified> {
    verify_from(pool, &Anchor::beginning(), progress).await
}

/// Checks what came after an anchor, and that the log still holds the anchor itself.
pub async fn verify_from(pool: &PgPool, from: &Anchor, mut progress: impl FnMut(Position)) -> sqlx::Result<Verified> {
    // One snapshot for events, head and checkpoints: appends go on meanwhile.
    let mut tx = pool.begin().await?;
    sqlx::query("set transaction isolation level repeatable read, read only").execute(&mut *tx).await?;
    let (head, head_link): (Position, Vec<u8>) =
        sqlx::query_as(include_str!("../../sql/read_head_link.sql")).fetch_one(&mut *tx).await?;
    let mut flaws: Vec<Flaw> = unkept(&mut tx, from, head).await?.into_iter().collect();
    if head < from.position {
        return Ok(Verified { events: 0, commits: 0, reached: *from, flaws });
    }

    let mut chain = Chain::new(from);
    let mut links = Links::new(pool.clone(), from.position, head);
    // In the order of the index, which is that of the table: no sorting of the whole log beforehand.
    sqlx::query("set local enable_sort = off").execute(&mut *tx).await?;
    sqlx::query("select set_config('atelier.verify_after', $1, true)")
        .bind(from.position.to_string())
        .execute(&mut *tx)
        .await?;
    let names = Arc::new(Names::default());
    let mut header = HEADER_BYTES;
    let rows = tx.copy_out_raw(include_str!("../../sql/copy_digests.sql")).await?;
    let mut checked = rows
        .map_ok(|mut piece| {
            piece.advance(header.min(piece.len()));
            header = 0;
            piece
        })
        .try_chunks(ROWS)
        .map_err(|error| error.1)
        .map_ok(|pieces| {
            let names = Arc::clone(&names);
            async move {
                let checking = tokio::task::spawn_blocking(move || copied::check(&pieces, &names));
                let checked = checking.await.map_err(|error| sqlx::Error::Io(error.into()))?;
                checked.map_err(|what| sqlx::Error::Protocol(format!("reading the log: {what}")))
            }
        })
        .try_buffered(PIECES);
    while let Some(rows) = checked.try_next().await? {
        let Some(last) = rows.last().map(|row| row.position) else { continue };
        links.read_up_to(last).await?;
        for row in &rows {
            chain.walk(row, &mut links);
        }
        progress(last);
    }
    drop(checked);
    links.read_up_to(head).await?;
    links.read_beyond(&mut tx).await?;
    let (mut verified, first_of_streams) = chain.end(links, head, &head_link);
    // With nothing after the anchor, the head's link is compared with the anchor's, of which all has been said.
    let rewritten = flaws.contains(&Flaw::Rewritten(from.position));
    verified.flaws.retain(|flaw| !(rewritten && *flaw == Flaw::HeadLink(from.position)));
    verified.flaws.extend(skipped(&mut tx, from, &first_of_streams).await?);
    verified.flaws.extend(ahead(&mut tx, head).await?);
    tx.rollback().await?;
    flaws.append(&mut verified.flaws);
    verified.flaws = flaws;
    Ok(verified)
}

/// Whether the log still holds what was signed.
pub async fn holds(pool: &PgPool, anchor: &Anchor) -> sqlx::Result<Option<Flaw>> {
    let mut tx = pool.begin().await?;
    let head: Position = sqlx::query_scalar(include_str!("../../sql/read_head.sql")).fetch_one(&mut *tx).await?;
    unkept(&mut tx, anchor, head).await
}

async fn unkept(tx: &mut Transaction<'_, Postgres>, anchor: &Anchor, head: Position) -> sqlx::Result<Option<Flaw>> {
    if *anchor == Anchor::beginning() {
        return Ok(None);
    }
    if head < anchor.position {
        return Ok(Some(Flaw::CutOff { signed: anchor.position, head }));
    }
    let link: Option<Vec<u8>> = sqlx::query_scalar(include_str!("../../sql/find_link.sql"))
        .bind(anchor.position)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(link.is_none_or(|link| link != anchor.link).then_some(Flaw::Rewritten(anchor.position)))
}

/// Of the streams that go on after the anchor, those that do not go on where they were.
async fn skipped(
    tx: &mut Transaction<'_, Postgres>,
    from: &Anchor,
    first_of_streams: &[i64],
) -> sqlx::Result<Vec<Flaw>> {
    let mut flaws = Vec::new();
    for positions in first_of_streams.chunks(10_000) {
        let skipped: Vec<Position> = sqlx::query_scalar(include_str!("../../sql/find_skipped_versions.sql"))
            .bind(positions)
            .bind(from.position)
            .fetch_all(&mut **tx)
            .await?;
        flaws.extend(skipped.into_iter().map(Flaw::Version));
    }
    Ok(flaws)
}

async fn ahead(tx: &mut Transaction<'_, Postgres>, head: Position) -> sqlx::Result<Vec<Flaw>> {
    let ahead: Vec<(String, Position)> =
        sqlx::query_as(include_str!("../../sql/find_checkpoints_ahead.sql")).bind(head).fetch_all(&mut **tx).await?;
    Ok(ahead.into_iter().map(|(name, position)| Flaw::Ahead { name, position, head }).collect())
}
