//! Connections to what everything shares: the database with its log, hints and jobs, the bus and the bucket.

mod kept;
mod migrations;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use backoff::backoff::Backoff;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};

pub use kept::Kept;
pub use migrations::{MIGRATIONS, migrate, migrated, migrated_within};

use crate::blobs::Blobs;
use crate::bus::{self, Bus, BusError};
use crate::infrastructure;
use crate::log::Log;
use crate::settings::{BusSettings, DatabaseSettings, StoreSettings};
use crate::signal::Signals;

/// How long a daemon that starts before its database waits for it.
const PATIENCE: Duration = Duration::from_mins(1);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// What a daemon needs of its pool: one connection listens for hints, and of two transactions that each read outside
/// themselves (the read model's batch and the gallery's list do) one must always be able to go on.
pub const CONNECTIONS_MIN: u32 = 4;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one.
    #[error("database.url is not a Postgres address (expected postgres://user:password@host:port/database)")]
    Address(#[source] sqlx::Error),
    /// So few connections would wait for each other.
    #[error(
        "database.connections is {0}, and a daemon needs {CONNECTIONS_MIN} at the least: raise it (the default is 8), and \
         max_connections of Postgres if that is what is short"
    )]
    TooFewConnections(u32),
    /// It does not answer.
    #[error("the database does not answer")]
    Unreachable(#[source] sqlx::Error),
    /// It answers, and knows no such user or another password.
    #[error(
        "the database lets user {user:?} not log in: correct database.url (ATELIER__DATABASE__URL), as in \
         postgres://user:password@host:port/database"
    )]
    LoginRefused {
        /// Who tried.
        user: String,
        /// What Postgres says.
        source: sqlx::Error,
    },
    /// It answers and its schema cannot be brought up to date.
    #[error("the database's schema could not be migrated")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// It answers, and not to this user.
    #[error(
        "the database user may not use Atelier's tables: let their owner grant it this daemon's role, as in \
         `grant atelier_generate to {user}`"
    )]
    Forbidden {
        /// Who connected.
        user: String,
        /// What Postgres says.
        source: sqlx::Error,
    },
    /// The schema is older than this program.
    #[error(
        "the database's schema is at migration {found} and this program needs {needed}: start the atelier-producer of \
         this version, or run `atelier-producer migrate` as the schema's owner"
    )]
    SchemaTooOld {
        /// The last migration there is; 0 for none.
        found: i64,
        /// The last one that this program knows.
        needed: i64,
    },
    /// The schema is newer than what this program can work with.
    #[error(
        "the database's schema serves programs that know migration {floor}, and this one knows {known}: install the \
         newer version"
    )]
    SchemaTooNew {
        /// What a program must know.
        floor: i64,
        /// The last one that this program knows.
        known: i64,
    },
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

impl ConnectError {
    /// Why this user could not connect.
    #[must_use]
    pub fn of(error: sqlx::Error, user: &str) -> Self {
        // Class 28: invalid authorisation.
        let refused = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .is_some_and(|code| code.starts_with("28"));
        if refused { Self::LoginRefused { user: user.to_owned(), source: error } } else { Self::Unreachable(error) }
    }
}

/// Connects, waiting a minute for a database that is just starting.
pub async fn database(settings: &DatabaseSettings) -> Result<PgPool, ConnectError> {
    if settings.connections < CONNECTIONS_MIN {
        return Err(ConnectError::TooFewConnections(settings.connections));
    }
    let options = options(settings)?;
    let user = options.get_username().to_owned();
    let pool = PgPoolOptions::new()
        .max_connections(settings.connections)
        .acquire_timeout(Duration::from_millis(settings.acquire_timeout_ms))
        .connect_lazy_with(options);
    let reached = || async { pool.acquire().await.map(drop).map_err(backoff::Error::transient) };
    patiently(PATIENCE, reached).await.map_err(|error| ConnectError::of(error, &user))?;
    Ok(pool)
}

/// Does what a daemon needs before its loops run (those wait by themselves), again and again for as long as the
/// infrastructure is to blame for its failing. Can be dropped wherever the attempt can.
pub async fn insist<T, F>(attempt: impl Fn() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let mut pause = pauses(None);
    loop {
        match attempt().await {
            Err(error) if infrastructure::is_to_blame(error.as_ref()) => {
                tracing::warn!(error = format!("{error:#}"), "could not start yet; trying again");
                tokio::time::sleep(pause.next_backoff().unwrap_or(LONGEST_PAUSE)).await;
            }
            ended => return ended,
        }
    }
}

/// How the database is reached.
///
/// On this machine without TLS, unless the address or `PGSSLMODE` says otherwise. Debian's Postgres offers TLS on the
/// loopback device too, where nobody can listen who could not read the server's memory as well. A statement of more than
/// one TLS record (16 KiB: a batch of some thirty events) is sent there as several small packets, of which the second
/// waits for the receiver's delayed acknowledgement: 40 ms an append, since sqlx has no way to ask for `TCP_NODELAY`.
pub fn options(settings: &DatabaseSettings) -> Result<PgConnectOptions, ConnectError> {
    let options: PgConnectOptions = settings.url.parse().map_err(ConnectError::Address)?;
    let said = ["sslmode=", "ssl-mode="].iter().any(|parameter| settings.url.contains(parameter))
        || std::env::var_os("PGSSLMODE").is_some();
    let host = options.get_host();
    let here = host == "localhost"
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    Ok(if here && !said { options.ssl_mode(PgSslMode::Disable) } else { options })
}

fn pauses(patience: Option<Duration>) -> backoff::ExponentialBackoff {
    backoff::ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_millis(100))
        .with_max_interval(LONGEST_PAUSE)
        .with_max_elapsed_time(patience)
        .build()
}

/// Tries until it works, fails for good, or has been tried for so long.
async fn patiently<T, E, F>(patience: Duration, attempt: impl Fn() -> F) -> Result<T, E>
where
    E: std::error::Error + 'static,
    F: Future<Output = Result<T, backoff::Error<E>>>,
{
    let mut pause = pauses(Some(patience));
    loop {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(backoff::Error::Permanent(error)) => return Err(error),
            Err(backoff::Error::Transient { err: error, .. }) => match pause.next_backoff() {
                Some(pause) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the database is not ready; trying again");
                    tokio::time::sleep(pause).await;
                }
                None => return Err(error),
            },
        }
    }
}
