//! Connections to what everything shares: the database with its log, hints and jobs, the bus and the bucket.

use std::sync::Arc;
use std::time::Duration;

use backoff::backoff::Backoff;
use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;

use crate::blobs::Blobs;
use crate::bus::{self, Bus, BusError};
use crate::log::Log;
use crate::settings::{BusSettings, DatabaseSettings, StoreSettings};
use crate::signal::Signals;

/// The schema of the log and the jobs.
pub static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// How long a daemon that starts before its database waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one.
    #[error("database.url is not a Postgres address (expected postgres://user:password@host:port/database)")]
    Address(#[source] sqlx::Error),
    /// It does not answer.
    #[error("the database does not answer")]
    Unreachable(#[source] sqlx::Error),
    /// It answers and its schema cannot be brought up to date.
    #[error("the database's schema could not be migrated")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

/// Open connections. Cheap to clone.
#[derive(Clone)]
pub struct Connections {
    /// The log, and through it the database.
    pub log: Log,
    /// Where messages go and come from.
    pub bus: Arc<dyn Bus>,
    /// Where blobs lie.
    pub blobs: Blobs,
}

impl Connections {
    /// Starts this process's appender and hints on a database, and connects to the bus. The bucket is not asked: it
    /// may come later.
    pub async fn open(pool: PgPool, bus: &BusSettings, store: &StoreSettings) -> Result<Self, BusError> {
        let signals = Signals::start(&pool);
        let bus = bus::connect(bus, &signals).await?;
        Ok(Self { log: Log::start(pool, signals), bus: Arc::from(bus), blobs: Blobs::connect(store) })
    }
}

/// Connects, waiting a minute for a database that is just starting.
pub async fn database(settings: &DatabaseSettings) -> Result<PgPool, ConnectError> {
    let options = settings.url.parse().map_err(ConnectError::Address)?;
    let pool = PgPoolOptions::new()
        .max_connections(settings.connections)
        .acquire_timeout(Duration::from_millis(settings.acquire_timeout_ms))
        .connect_lazy_with(options);
    patiently(|| async { pool.acquire().await.map(drop) }).await.map_err(ConnectError::Unreachable)?;
    Ok(pool)
}

/// Brings the schema up to date. Safe when several start at once: they take turns.
pub async fn migrate(pool: &PgPool) -> Result<(), ConnectError> {
    Ok(MIGRATIONS.run(pool).await?)
}

/// Waits until someone has brought the schema up to date: consumers start in any order, the producer migrates.
pub async fn migrated(pool: &PgPool) -> Result<(), ConnectError> {
    patiently(|| async { sqlx::query("select from jobs limit 1").execute(pool).await.map(drop) })
        .await
        .map_err(ConnectError::Unreachable)
}

async fn patiently<F, T>(attempt: impl Fn() -> F) -> sqlx::Result<T>
where
    F: Future<Output = sqlx::Result<T>>,
{
    let mut pause = backoff::ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_millis(100))
        .with_max_interval(Duration::from_secs(2))
        .with_max_elapsed_time(Some(PATIENCE))
        .build();
    loop {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => match pause.next_backoff() {
                Some(pause) => {
                    tracing::warn!(error = %error, "the database is not ready; trying again");
                    tokio::time::sleep(pause).await;
                }
                None => return Err(error),
            },
        }
    }
}
