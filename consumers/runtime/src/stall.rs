//! A projection that cannot go on, told where operators look: in the database, for `atelier status` and `GET /v1/consumers`,
//! and in the process, for its `/readyz`.

use std::time::Duration;

use atelier_events::{Consumer, health, stalls};
use sqlx::PgPool;

/// What is told of one projection.
pub(crate) struct Stall {
    pool: PgPool,
    consumer: Consumer,
    /// Something may be noted; also before the first attempt, of a process before this one.
    is_noted: bool,
}

impl Stall {
    pub(crate) fn of(pool: &PgPool, consumer: Consumer) -> Self {
        Self { pool: pool.clone(), consumer, is_noted: true }
    }

    /// An attempt has failed. Where the database is what fails, nobody can be told there, nor look.
    pub(crate) async fn note(&mut self, error: &anyhow::Error, pause: Duration) {
        self.is_noted = true;
        match stalls::note(&self.pool, self.consumer, &format!("{error:#}"), pause).await {
            Ok(stall) => health::stalled(self.consumer.name(), Some(stall.to_string())),
            Err(error) => tracing::debug!(%error, "that it cannot go on could not be noted"),
        }
    }

    /// An attempt has come to its end.
    pub(crate) async fn end(&mut self) {
        if !self.is_noted {
            return;
        }
        health::stalled(self.consumer.name(), None);
        match stalls::end(&self.pool, self.consumer).await {
            Ok(()) => self.is_noted = false,
            Err(error) => tracing::debug!(%error, "that it goes on could not be noted; trying again"),
        }
    }
}
