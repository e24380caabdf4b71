//! The log: events in one order, appended in batches, never changed.
//!
//! Positions have no gaps and follow commit order, so a reader at position `p` has seen everything up to `p` and can
//! never miss an event that commits later with a smaller number. See `migrations/0001_event_log.sql` for how.

mod append;
mod appender;
mod by_stream;
mod chain;
mod copied;
mod digest;
mod lane;
mod loops;
pub mod signed;
mod verify;

use std::collections::BTreeMap;
use std::time::Instant;

use sqlx::{PgExecutor, PgPool};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::Instrument;

pub use append::{Append, AppendError, Appended, ExpectedVersion, Keyed, Write, append_in};
pub use by_stream::read_by_stream;
pub use digest::Content;
pub use verify::{Anchor, Flaw, Verified, holds, verify, verify_from};

use crate::connect::Kept;
use crate::event::Recorded;
use crate::id::{Position, Stream};
use crate::signal::{Channel, Signals};

/// The most events one read answers.
pub const READ_LIMIT: i64 = 1_000;

/// Which events: of one stream, of some types, or both. Types are looked for along the positions, so a rare one takes as
/// long to find as the log is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this one; none: of all.
    pub stream: Option<Stream>,
    /// Of any of these; none: of all.
    pub types: Vec<String>,
}

impl Filter {
    /// Whether it lets an event through.
    #[must_use]
    pub fn takes(&self, event: &Recorded) -> bool {
        self.stream.as_ref().is_none_or(|stream| event.stream == *stream)
            && (self.types.is_empty() || self.types.contains(&event.event_type))
    }
}

/// The log of one database. Cheap to clone; all clones of a process share one appender, so that concurrent appends
/// travel in one transaction.
#[derive(Clone, Debug)]
pub struct Log {
    pool: PgPool,
    loops: PgPool,
    signals: Signals,
    appends: mpsc::Sender<appender::Waiting>,
}

impl Log {
    /// Starts the appender of this process. It ends when the last clone is dropped.
    #[must_use]
    pub fn start(pool: PgPool, signals: Signals) -> Self {
        let (appends, waiting) = mpsc::channel(appender::WAITING_LIMIT);
        let loops = loops::pool(&pool);
        tokio::spawn(appender::run(loops.clone(), signals.clone(), waiting));
        Self { pool, loops, signals, appends }
    }

    /// Appends, together with whatever else is waiting. When this answers `Ok`, the events are durable.
    ///
    /// A future that is dropped while waiting does not take the append back: it may still happen.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let (answer, answered) = oneshot::channel();
        let (began, span) = (Instant::now(), tracing::debug_span!("append"));
        let appended = async {
            self.appends.send((append, answer)).await.map_err(|_| AppendError::Stopped)?;
            answered.await.map_err(|_| AppendError::Stopped)?
        };
        let appended = appended.instrument(span).await;
        metrics::histogram!("atelier_log_append_seconds").record(began.elapsed().as_secs_f64());
        appended
    }

    /// What a command with this key answered, if it has been seen. The append itself checks again: this spares the
    /// work before it.
    pub async fn answered(&self, key: &str, fingerprint: &[u8; 32]) -> Result<Option<Appended>, AppendError> {
        let row: Option<(Vec<u8>, serde_json::Value, Position)> =
            sqlx::query_as(include_str!("../sql/find_idempotency_key.sql"))
                .bind(key)
                .fetch_optional(&self.pool)
                .await?;
        row.map(|(seen, answer, position)| append::duplicate(key, fingerprint, &seen, answer, position)).transpose()
    }

    /// Forgets the oldest keys of commands that are older than this, at most so many, and answers how many. Refused for less
    /// than an hour: a client may still be sending such a command again.
    pub async fn forget_keys(&self, keep_s: i64, limit: i64) -> sqlx::Result<i64> {
        sqlx::query_scalar(include_str!("../sql/forget_idempotency_keys.sql"))
            .bind(keep_s)
            .bind(limit)
            .fetch_one(&self.pool)
            .await
    }

    /// Events after a position in log order, at most `limit` ([`READ_LIMIT`] at the most).
    pub async fn read(&self, after: Position, limit: i64) -> sqlx::Result<Vec<Recorded>> {
        self.read_over(&self.pool, after, limit).await
    }

    /// As [`Log::read`], over a connection that the caller has already.
    pub async fn read_over(
        &self,
        executor: impl PgExecutor<'_>,
        after: Position,
        limit: i64,
    ) -> sqlx::Result<Vec<Recorded>> {
        sqlx::query_as(include_str!("../sql/read_events.sql"))
            .bind(after)
            .bind(limit.min(READ_LIMIT))
            .fetch_all(executor)
            .await
    }

    /// Events after a position that a filter lets through, in log order.
    pub async fn find(&self, filter: &Filter, after: Position, limit: i64) -> sqlx::Result<Vec<Recorded>> {
        let statements = [include_str!("../sql/find_events.sql"), include_str!("../sql/find_in_stream.sql")];
        self.found(statements, filter, after, limit).await
    }

    /// Events before a position that a filter lets through, the last one first.
    pub async fn find_back(&self, filter: &Filter, before: Position, limit: i64) -> sqlx::Result<Vec<Recorded>> {
        let statements = [include_str!("../sql/find_events_back.sql"), include_str!("../sql/find_in_stream_back.sql")];
        self.found(statements, filter, before, limit).await
    }

    async fn found(
        &self,
        [anywhere, in_stream]: [&'static str; 2],
        Filter { stream, types }: &Filter,
        position: Position,
        limit: i64,
    ) -> sqlx::Result<Vec<Recorded>> {
        // A stream is found by its index, whatever else is asked of it: a statement of its own.
        let statement = if stream.is_some() { in_stream } else { anywhere };
        let query = sqlx::query_as(statement).bind(position).bind(types).bind(limit.min(READ_LIMIT));
        match stream {
            Some(stream) => query.bind(stream).fetch_all(&self.pool).await,
            None => query.fetch_all(&self.pool).await,
        }
    }

    /// All events of a stream, in order.
    pub async fn read_stream(&self, stream: &Stream) -> sqlx::Result<Vec<Recorded>> {
        sqlx::query_as(include_str!("../sql/read_stream.sql")).bind(stream).fetch_all(&self.pool).await
    }

    /// All events of some streams up to a position, by stream, each in order.
    pub async fn read_streams(
        &self,
        streams: &[Stream],
        up_to: Position,
    ) -> sqlx::Result<BTreeMap<Stream, Vec<Recorded>>> {
        let names: Vec<&str> = streams.iter().map(Stream::as_str).collect();
        let events: Vec<Recorded> = sqlx::query_as(include_str!("../sql/read_streams.sql"))
            .bind(names)
            .bind(up_to)
            .fetch_all(&self.pool)
            .await?;
        let mut by_stream: BTreeMap<Stream, Vec<Recorded>> = BTreeMap::new();
        for event in events {
            by_stream.entry(event.stream.clone()).or_default().push(event);
        }
        Ok(by_stream)
    }

    /// The last position there is; 0 for an empty log.
    pub async fn head(&self) -> sqlx::Result<Position> {
        sqlx::query_scalar(include_str!("../sql/read_head.sql")).fetch_one(&self.pool).await
    }

    /// Changes whenever the log may have grown: a hint, so register for it before reading.
    #[must_use]
    pub fn grown(&self) -> watch::Receiver<u64> {
        self.signals.subscribe(Channel::Log)
    }

    /// The database it lies in.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The same database for the statements of the loops, which are always the same: relay, claims, leases, settlements.
    #[must_use]
    pub fn loops(&self) -> &PgPool {
        &self.loops
    }

    /// A connection of these for one loop alone.
    #[must_use]
    pub fn kept(&self) -> Kept {
        Kept::new(self.loops.clone())
    }

    /// The hints of this database.
    #[must_use]
    pub fn signals(&self) -> &Signals {
        &self.signals
    }
}
