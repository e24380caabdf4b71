//! A connection that a loop has to itself.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::Instant;

/// After how long without use a connection is asked whether it still works: the server may have been restarted.
const TRUSTED: Duration = Duration::from_secs(1);

/// A connection for statement after statement. A pool asks it before and after each whether it still works; that is two
/// round trips, on the way of every job. And what the database has learnt about the statements stays.
#[derive(Debug)]
pub struct Kept {
    pool: PgPool,
    /// With the time up to which it is trusted.
    connection: Option<(PgConnection, Instant)>,
}

impl Kept {
    /// Connects when there is something to do, as the pool would.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool, connection: None }
    }

    /// The connection. Whoever has used it well gives it back; one that is dropped, after an error or in the middle of
    /// something, is closed.
    pub async fn take(&mut self) -> sqlx::Result<PgConnection> {
        if let Some((mut connection, trusted)) = self.connection.take()
            && (Instant::now() < trusted || connection.ping().await.is_ok())
        {
            return Ok(connection);
        }
        // The pool knows how to connect and how long to try; the connection is none of its own from then on.
        Ok(self.pool.acquire().await?.detach())
    }

    /// After this it is trusted for a while.
    pub fn give_back(&mut self, connection: PgConnection) {
        self.connection = Some((connection, Instant::now() + TRUSTED));
    }

    /// After an error that came over it: it is asked before it is used again.
    pub fn give_back_doubted(&mut self, connection: PgConnection) {
        self.connection = Some((connection, Instant::now()));
    }
}
