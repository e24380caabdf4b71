//! Whether the schema suits this program, and making it so.
//!
//! A schema may be newer than the program: daemons of two versions run side by side during an update, and migrations
//! first only add. One that takes away what older programs use raises `schema_floor` to its own number; from then on
//! those refuse to start.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection as _, PgPool};

use super::{ConnectError, PATIENCE, patiently};
use crate::infrastructure;

/// The schema of the log and the jobs, as far as this program knows it.
pub static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

const UNDEFINED_TABLE: &str = "42P01";
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// Brings the schema up to date. Safe when several start at once: they take turns. Who may not do it waits, as
/// [`migrated`] does, until its owner has. A database that goes away meanwhile is waited for as long as one that was not
/// there yet: each migration is done whole or not at all.
pub async fn migrate(pool: &PgPool) -> Result<(), ConnectError> {
    let migrating = || async {
        migrate_once(pool).await.map_err(|error| {
            if infrastructure::is_to_blame(&error) {
                backoff::Error::transient(error)
            } else {
                backoff::Error::permanent(error)
            }
        })
    };
    patiently(PATIENCE, migrating).await
}

async fn migrate_once(pool: &PgPool) -> Result<(), ConnectError> {
    match check(pool).await {
        Err(ConnectError::SchemaTooOld { .. }) => {}
        checked => return checked,
    }
    // What a newer program has added is none of this one's business.
    let migrator = Migrator { migrations: MIGRATIONS.migrations.clone(), ignore_missing: true, ..Migrator::DEFAULT };
    // On a connection of its own: a migrator that is refused leaves its session's lock behind.
    let mut connection = pool.acquire().await.map_err(ConnectError::Unreachable)?.detach();
    let run = migrator.run(&mut connection).await;
    connection.close().await.map_err(ConnectError::Unreachable)?;
    match run {
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _))
            if is(&error, INSUFFICIENT_PRIVILEGE) =>
        {
            tracing::info!(reason = %error, "this database user may not migrate; waiting for the schema's owner");
            migrated(pool).await
        }
        migrated => Ok(migrated?),
    }
}

/// Waits a minute until someone has brought the schema up to date: consumers start in any order, the producer migrates.
pub async fn migrated(pool: &PgPool) -> Result<(), ConnectError> {
    migrated_within(PATIENCE, pool).await
}

/// The same with a patience of its own. What no waiting can change is refused at once.
pub async fn migrated_within(patience: Duration, pool: &PgPool) -> Result<(), ConnectError> {
    let checked = || async {
        check(pool).await.map_err(|error| match error {
            ConnectError::SchemaTooOld { .. } | ConnectError::Unreachable(_) => backoff::Error::transient(error),
            _ => backoff::Error::permanent(error),
        })
    };
    patiently(patience, checked).await
}

async fn check(pool: &PgPool) -> Result<(), ConnectError> {
    let applied = sqlx::query_as(include_str!("../../sql/read_migrations.sql")).fetch_all(pool).await;
    let applied: Vec<(i64, Vec<u8>)> = or_none(applied, Vec::new()).map_err(|error| refused(pool, error))?;
    let floor = sqlx::query_scalar(include_str!("../../sql/read_schema_floor.sql")).fetch_one(pool).await;
    let floor: i64 = or_none(floor, 0).map_err(|error| refused(pool, error))?;
    let needed = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    if floor > needed {
        return Err(ConnectError::SchemaTooNew { floor, known: needed });
    }
    for migration in MIGRATIONS.iter() {
        match applied.iter().find(|(version, _)| *version == migration.version) {
            None => {
                let found = applied.last().map_or(0, |(version, _)| *version);
                return Err(ConnectError::SchemaTooOld { found, needed });
            }
            Some((version, checksum)) if **checksum != *migration.checksum => {
                return Err(MigrateError::VersionMismatch(*version).into());
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// What a table says that is not there yet.
fn or_none<T>(read: sqlx::Result<T>, none: T) -> sqlx::Result<T> {
    match read {
        Err(error) if is(&error, UNDEFINED_TABLE) => Ok(none),
        read => read,
    }
}

fn refused(pool: &PgPool, source: sqlx::Error) -> ConnectError {
    if is(&source, INSUFFICIENT_PRIVILEGE) {
        ConnectError::Forbidden { user: pool.connect_options().get_username().to_owned(), source }
    } else {
        ConnectError::Unreachable(source)
    }
}

fn is(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|found| found == code)
}
