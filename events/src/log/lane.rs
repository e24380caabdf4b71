//! A connection that the appender has to itself: no pool asks before every batch whether it still works, and what the
//! database has learnt about the statement stays.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::Instant;

use super::append::{Append, AppendError, Appended, append_in};

/// After how long without a batch the connection is asked whether it still works: the server may have been restarted.
const TRUSTED: Duration = Duration::from_secs(1);

/// One transaction at a time.
pub(super) struct Lane {
    pool: PgPool,
    /// With the time up to which it is trusted.
    connection: Option<(PgConnection, Instant)>,
}

impl Lane {
    /// Connects when there is something to do.
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool, connection: None }
    }

    /// Appends a batch in one transaction. One result per append, in order.
    pub(super) async fn commit(&mut self, batch: &[Append]) -> Vec<Result<Appended, AppendError>> {
        let batch: Vec<&Append> = batch.iter().collect();
        match self.append(&batch).await {
            Ok(results) => results,
            // One append that the database cannot take (a NUL in a text, an id seen before) fails the statement for all.
            // Alone, each fails or succeeds on its own.
            Err(error) if batch.len() > 1 && matches!(error, sqlx::Error::Database(_) | sqlx::Error::Encode(_)) => {
                let mut results = Vec::with_capacity(batch.len());
                for append in batch {
                    results.push(match self.append(&[append]).await {
                        Ok(mut one) => one.pop().unwrap_or(Err(AppendError::Stopped)),
                        Err(error) => Err(error.into()),
                    });
                }
                results
            }
            Err(error) => {
                let text = error.to_string();
                let mut results = vec![Err(AppendError::Database(error))];
                results.resize_with(batch.len(), || {
                    Err(AppendError::Database(sqlx::Error::Io(std::io::Error::other(text.clone()))))
                });
                results
            }
        }
    }

    /// A single statement is its own transaction: no round trip for begin and commit.
    async fn append(&mut self, batch: &[&Append]) -> sqlx::Result<Vec<Result<Appended, AppendError>>> {
        let mut connection = self.connected().await?;
        let appended = append_in(&mut connection, batch).await;
        // After any error it is asked before it is used again, or given up when not even the error came over it.
        self.connection = match &appended {
            Ok(_) => Some((connection, Instant::now() + TRUSTED)),
            Err(sqlx::Error::Database(_) | sqlx::Error::Encode(_)) => Some((connection, Instant::now())),
            Err(_) => None,
        };
        appended
    }

    async fn connected(&mut self) -> sqlx::Result<PgConnection> {
        if let Some((mut connection, trusted)) = self.connection.take()
            && (Instant::now() < trusted || connection.ping().await.is_ok())
        {
            return Ok(connection);
        }
        // The pool knows how to connect and how long to try; the connection is none of its own from then on.
        Ok(self.pool.acquire().await?.detach())
    }
}
