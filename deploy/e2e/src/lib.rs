//! What tests share: a database, a bus, a bucket, a collector and a hook of their own, each gone when the test is.

pub mod collector;
pub mod hook;

mod bucket;
mod gauges;
mod newer;
mod proxy;
pub mod queues;

use std::time::Duration;

use anyhow::Context;
use atelier_events::Log;
use atelier_events::settings::{BusSettings, DatabaseSettings};
use atelier_events::signal::Signals;
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

pub use bucket::Bucket;
pub use gauges::Gauges;
pub use newer::append_newer;
pub use proxy::{Direction, Proxy};

/// The server on which tests make their databases.
const DATABASE_VARIABLE: &str = "ATELIER_TEST_DATABASE_URL";
const DATABASE_DEFAULT: &str = "postgres://postgres@127.0.0.1:5432/postgres";
/// The broker on which tests make their queues.
const BUS_VARIABLE: &str = "ATELIER_TEST_AMQP_URL";
const BUS_DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

/// How long a test waits for something that must happen.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A migrated database of one test's own. Dropped with the value.
pub struct Database {
    /// Connections to it.
    pub pool: PgPool,
    /// Its address.
    pub url: String,
    name: String,
}

impl Database {
    /// Makes one.
    pub async fn create() -> anyhow::Result<Self> {
        let database = Self::empty().await?;
        atelier_events::connect::migrate(&database.pool).await?;
        Ok(database)
    }

    /// Makes one without a schema.
    pub async fn empty() -> anyhow::Result<Self> {
        let server = server();
        let name = format!("atelier_test_{}", Uuid::now_v7().simple());
        let mut connection = PgConnection::connect(&server)
            .await
            .with_context(|| format!("no Postgres for tests: set {DATABASE_VARIABLE}"))?;
        // A copy of template0 needs no exclusive lock on a template that others copy at the same time.
        sqlx::query(sqlx::AssertSqlSafe(format!("create database {name} template template0")))
            .execute(&mut connection)
            .await?;
        let url = with_database(&server, &name);
        let pool = atelier_events::connect::database(&settings(&url)).await?;
        Ok(Self { pool, url, name })
    }

    /// What a daemon is told of it.
    #[must_use]
    pub fn settings(&self) -> DatabaseSettings {
        settings(&self.url)
    }

    /// Its address for a user of its own who is a member of this role and nothing else. Gone with the database.
    pub async fn login(&self, role: &str) -> anyhow::Result<String> {
        let user = format!("{}_{}", self.name, role.trim_start_matches("atelier_"));
        let statement = format!("create role {user} login password '{user}' in role {role}");
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&self.pool).await?;
        let (scheme, address) = self.url.split_once("://").context("the server's address is none")?;
        let host = address.split_once('@').map_or(address, |(_, host)| host);
        Ok(format!("{scheme}://{user}:{user}@{host}"))
    }

    /// Its log, with hints.
    #[must_use]
    pub fn log(&self) -> Log {
        Log::start(self.pool.clone(), Signals::start(&self.pool))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (server(), self.name.clone());
        // A thread with a runtime of its own: the test's may be shutting down, and dropping cannot wait in it.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&server).await?;
                let statement = format!("drop database if exists {name} with (force)");
                sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await?;
                let logins = "select format('drop role %I', rolname) from pg_roles where starts_with(rolname, $1)";
                let logins: Vec<String> =
                    sqlx::query_scalar(logins).bind(format!("{name}_")).fetch_all(&mut connection).await?;
                for statement in logins {
                    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await?;
                }
                anyhow::Ok(())
            })
        })
        .join();
        drop(dropped);
    }
}

fn settings(url: &str) -> DatabaseSettings {
    DatabaseSettings { url: url.to_owned(), connections: 8, acquire_timeout_ms: 30_000 }
}

fn server() -> String {
    std::env::var(DATABASE_VARIABLE).unwrap_or_else(|_| DATABASE_DEFAULT.to_owned())
}

fn with_database(server: &str, name: &str) -> String {
    let (address, query) = server.split_once('?').map_or((server, None), |(address, query)| (address, Some(query)));
    let scheme_end = address.find("://").map_or(0, |at| at + 3);
    let base = address[scheme_end..].find('/').map_or(address, |at| &address[..scheme_end + at]);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{base}/{name}{query}")
}

/// A broker with a prefix of one test's own. [`Broker::delete`] removes what the test left there.
pub struct Broker {
    /// What a daemon is told of it.
    pub settings: BusSettings,
}

impl Broker {
    /// A prefix that nobody else uses.
    #[must_use]
    pub fn scratch() -> Self {
        let url = std::env::var(BUS_VARIABLE).unwrap_or_else(|_| BUS_DEFAULT.to_owned());
        Self { settings: BusSettings { url, prefix: format!("atelier-test-{}", Uuid::now_v7().simple()) } }
    }

    /// Deletes the exchange and all queues of this prefix.
    pub async fn delete(&self) -> anyhow::Result<()> {
        Ok(atelier_events::bus::RabbitBus::connect(&self.settings).await?.delete_topology().await?)
    }
}

/// Waits until a condition holds, looking every few milliseconds; an error after [`PATIENCE`].
pub async fn until<F>(what: &str, condition: impl FnMut() -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<bool>>,
{
    until_within(PATIENCE, what, condition).await
}

/// The same with a patience of its own.
pub async fn until_within<F>(patience: Duration, what: &str, mut condition: impl FnMut() -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<bool>>,
{
    let waiting = async {
        while !condition().await? {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(patience, waiting).await.with_context(|| format!("waited too long until {what}"))?
}
