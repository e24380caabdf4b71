//! Proof that nobody edited, removed or inserted history: every event's digest and every link of the chain, recomputed.

use std::iter::Peekable;

use sha2::{Digest, Sha256};
use sqlx::PgPool;
use uuid::Uuid;

use crate::id::{Position, Stream, Version};

/// Events read at a time.
const BATCH: i64 = 5_000;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Events checked.
    pub events: u64,
    /// Commits checked.
    pub commits: u64,
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
}

#[derive(sqlx::FromRow)]
struct Row {
    position: Position,
    stream: Stream,
    version: Version,
    id: Uuid,
    #[sqlx(rename = "type")]
    event_type: String,
    schema: i16,
    data: String,
    actor: String,
    correlation_id: Uuid,
    causation_id: Option<Uuid>,
    occurred_micros: i64,
    digest: Vec<u8>,
}

impl Row {
    /// The same text as `event_digest` in `migrations/0001_event_log.sql`.
    fn computed(&self) -> [u8; 32] {
        let causation = self.causation_id.map(|id| id.to_string()).unwrap_or_default();
        Sha256::new()
            .chain_update(format!(
                "{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n",
                self.stream,
                self.version,
                self.id,
                self.event_type,
                self.schema,
                self.actor,
                self.correlation_id,
                causation,
                self.occurred_micros
            ))
            .chain_update(&self.data)
            .finalize()
            .into()
    }
}

type Link = (Position, Position, Vec<u8>);

/// The chain so far, and the commit that is being walked through.
struct Chain {
    links: Peekable<std::vec::IntoIter<Link>>,
    /// The link of the commit before.
    link: [u8; 32],
    /// What the current commit's link covers, as far as it has been read; none before its first event.
    covered: Option<Sha256>,
    next: Position,
    verified: Verified,
}

/// Checks the whole log. `progress` is told the position reached.
///
/// What it cannot see is a log whose end was cut off together with its links and its head: whoever must exclude that
/// writes down a position and its link elsewhere.
pub async fn verify(pool: &PgPool, mut progress: impl FnMut(Position)) -> sqlx::Result<Verified> {
    // One snapshot for events, links and head: appends go on meanwhile.
    let mut tx = pool.begin().await?;
    sqlx::query("set transaction isolation level repeatable read, read only").execute(&mut *tx).await?;
    let head: Position = sqlx::query_scalar(include_str!("../../sql/read_head.sql")).fetch_one(&mut *tx).await?;
    let links: Vec<Link> =
        sqlx::query_as(include_str!("../../sql/read_links.sql")).bind(0_i64).bind(i64::MAX).fetch_all(&mut *tx).await?;
    let mut chain = Chain {
        links: links.into_iter().peekable(),
        link: Sha256::digest("atelier").into(),
        covered: None,
        next: Position(1),
        verified: Verified::default(),
    };
    let mut after = Position(0);
    loop {
        let rows: Vec<Row> = sqlx::query_as(include_str!("../../sql/read_digests.sql"))
            .bind(after)
            .bind(BATCH)
            .fetch_all(&mut *tx)
            .await?;
        let Some(last) = rows.last() else { break };
        after = last.position;
        for row in &rows {
            chain.walk(row);
        }
        progress(after);
    }
    tx.rollback().await?;
    while let Some(link) = chain.links.next() {
        chain.close(link);
    }
    if head != after {
        chain.verified.flaws.push(Flaw::Head { head, last: after });
    }
    Ok(chain.verified)
}

impl Chain {
    fn walk(&mut self, row: &Row) {
        self.verified.events += 1;
        let missing = self.next.0..row.position.0;
        self.verified.flaws.extend(missing.map(|position| Flaw::Missing(Position(position))));
        self.next = Position(row.position.0 + 1);
        if row.computed().as_slice() != row.digest {
            self.verified.flaws.push(Flaw::Changed(row.position));
        }
        // Commits whose last event is gone end here all the same.
        while let Some(link) = self.links.next_if(|(last, _, _)| *last < row.position) {
            self.close(link);
        }
        let Some((last, first, _)) = self.links.peek().filter(|(_, first, _)| *first <= row.position) else {
            // No commit tells of this event.
            self.verified.flaws.push(Flaw::Chain(row.position));
            return;
        };
        let covered = self.covered.get_or_insert_with(|| {
            Sha256::new().chain_update(self.link).chain_update(first.0.to_be_bytes()).chain_update(last.0.to_be_bytes())
        });
        covered.update(&row.digest);
        if let Some(link) = self.links.next_if(|(last, _, _)| *last == row.position) {
            self.close(link);
        }
    }

    fn close(&mut self, (last, _, link): Link) {
        self.verified.commits += 1;
        let computed: Option<[u8; 32]> = self.covered.take().map(|covered| covered.finalize().into());
        if computed.is_none_or(|computed| computed != link.as_slice()) {
            self.verified.flaws.push(Flaw::Chain(last));
        }
        // Each break is told once: the rest of the chain is checked from what is stored.
        self.link = link.try_into().unwrap_or_default();
    }
}
