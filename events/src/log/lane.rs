//! A connection that the appender has to itself, and the transactions on it.

use sqlx::PgPool;

use super::append::{Append, AppendError, Appended, append_in};
use crate::connect::Kept;

/// One transaction at a time.
pub(super) struct Lane {
    kept: Kept,
}

impl Lane {
    /// Connects when there is something to do.
    pub(super) fn new(pool: PgPool) -> Self {
        Self { kept: Kept::new(pool) }
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
        let mut connection = self.kept.take().await?;
        let appended = append_in(&mut connection, batch).await;
        // Given up when not even the error came over it.
        match &appended {
            Ok(_) => self.kept.give_back(connection),
            Err(sqlx::Error::Database(_) | sqlx::Error::Encode(_)) => self.kept.give_back_doubted(connection),
            Err(_) => {}
        }
        appended
    }
}
