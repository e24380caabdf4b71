//! A database of a benchmark's own, on the server of the settings.

use anyhow::Context;
use atelier_events::connect::ConnectError;
use atelier_events::settings::DatabaseSettings;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, PgPool};
use uuid::Uuid;

/// A migrated database that nobody else uses.
pub(super) struct Scratch {
    server: PgConnectOptions,
    name: String,
    /// For Atelier's own part: as many connections as a daemon has.
    pub(super) pool: PgPool,
}

impl Scratch {
    /// Makes one.
    pub(super) async fn create(settings: &DatabaseSettings) -> anyhow::Result<Self> {
        // As the daemons are connected, for what is measured and for its baseline.
        let server = atelier_events::connect::options(settings)?;
        let name = format!("atelier_bench_{}", Uuid::now_v7().simple());
        let mut connection = connect(&server).await?;
        let create = AssertSqlSafe(format!("create database {name} template template0"));
        sqlx::query(create).execute(&mut connection).await.context("creating a database to measure on")?;
        let options = server.clone().database(&name);
        let pool = PgPoolOptions::new().max_connections(settings.connections).connect_lazy_with(options);
        let scratch = Self { server, name, pool };
        if let Err(error) = atelier_events::connect::migrate(&scratch.pool).await {
            scratch.drop_database().await?;
            return Err(error.into());
        }
        Ok(scratch)
    }

    /// More connections to it.
    pub(super) async fn connections(&self, count: u32) -> anyhow::Result<PgPool> {
        let options = self.server.clone().database(&self.name);
        let pool = PgPoolOptions::new().max_connections(count).min_connections(count).connect_with(options);
        pool.await.with_context(|| format!("opening {count} connections: is max_connections large enough?"))
    }

    /// Its address, for a process of its own.
    pub(super) fn url(&self) -> String {
        self.server.clone().database(&self.name).to_url_lossy().to_string()
    }

    /// What is measured on: version, and the settings on which durable appends depend.
    pub(super) async fn server(&self) -> anyhow::Result<String> {
        Ok(sqlx::query_scalar(include_str!("../../sql/describe_server.sql")).fetch_one(&self.pool).await?)
    }

    /// Drops it, whoever is still connected.
    pub(super) async fn drop_database(self) -> anyhow::Result<()> {
        self.pool.close().await;
        let mut connection = connect(&self.server).await?;
        let drop = AssertSqlSafe(format!("drop database if exists {} with (force)", self.name));
        sqlx::query(drop).execute(&mut connection).await.with_context(|| format!("dropping database {}", self.name))?;
        Ok(())
    }
}

/// The database of the settings may not have been created yet; the server's own is always there.
async fn connect(server: &PgConnectOptions) -> anyhow::Result<PgConnection> {
    match server.connect().await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("3D000") => {
            Ok(server.clone().database("postgres").connect().await?)
        }
        connected => Ok(connected.map_err(|error| ConnectError::of(error, server.get_username()))?),
    }
}
