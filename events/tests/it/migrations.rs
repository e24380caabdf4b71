//! Daemons of two versions on one schema: newer is fine until somebody says it is not, older never is.

use std::time::Duration;

use atelier_e2e::{Database, append_newer};
use atelier_events::connect::{ConnectError, MIGRATIONS, database, migrate, migrated, migrated_within};
use atelier_events::settings::DatabaseSettings;
use atelier_events::{Artwork, Position};
use sqlx::PgPool;
use sqlx::migrate::Migrator;

const SHORT: Duration = Duration::from_millis(300);

fn newest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// A schema as the version before this one has it.
async fn one_less() -> anyhow::Result<Database> {
    let database = Database::empty().await?;
    let known = MIGRATIONS.iter().filter(|migration| migration.version < newest()).cloned();
    Migrator::with_migrations(known.collect()).run(&database.pool).await?;
    Ok(database)
}

/// What the version after this one does first: it adds.
async fn expand(pool: &PgPool) -> anyhow::Result<()> {
    sqlx::raw_sql("alter table jobs add column of_tomorrow text; create table of_tomorrow (id int)")
        .execute(pool)
        .await?;
    let applied = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values ($1, 'of tomorrow', true, 'x', 0)";
    sqlx::query(applied).bind(newest() + 1).execute(pool).await?;
    Ok(())
}

#[tokio::test]
async fn a_schema_with_one_migration_more_is_worked_on() -> anyhow::Result<()> {
    let database = Database::create().await?;
    expand(&database.pool).await?;
    migrated(&database.pool).await?;
    // A producer of this version that starts again has nothing to migrate, and nothing to complain of.
    migrate(&database.pool).await?;
    database.log().append(crate::proposals::new_artwork(2)).await?;
    Ok(())
}

#[tokio::test]
async fn a_schema_that_has_taken_away_what_this_version_uses_refuses_it() -> anyhow::Result<()> {
    let database = Database::create().await?;
    expand(&database.pool).await?;
    sqlx::query("update schema_floor set migration = $1").bind(newest() + 1).execute(&database.pool).await?;
    for refused in [migrated(&database.pool).await, migrate(&database.pool).await] {
        let Err(ConnectError::SchemaTooNew { floor, known }) = refused else { anyhow::bail!("{refused:?}") };
        assert_eq!((floor, known), (newest() + 1, newest()));
    }
    Ok(())
}

#[tokio::test]
async fn a_schema_with_one_migration_less_is_waited_for_and_then_refused() -> anyhow::Result<()> {
    let database = one_less().await?;
    let refused = migrated_within(SHORT, &database.pool).await;
    let Err(ConnectError::SchemaTooOld { found, needed }) = refused else { anyhow::bail!("{refused:?}") };
    assert_eq!((found, needed), (newest() - 1, newest()));
    // Whoever waits goes on as soon as somebody has migrated.
    let (waited, done) = tokio::join!(migrated(&database.pool), migrate(&database.pool));
    done?;
    Ok(waited?)
}

#[tokio::test]
async fn a_schema_that_is_not_there_is_told_as_such() -> anyhow::Result<()> {
    let database = Database::empty().await?;
    let refused = migrated_within(SHORT, &database.pool).await;
    assert!(matches!(refused, Err(ConnectError::SchemaTooOld { found: 0, .. })), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn who_may_not_migrate_waits_for_the_owner_and_needs_no_more_than_that() -> anyhow::Result<()> {
    let database = one_less().await?;
    let producer = connected(&database.login("atelier_producer").await?).await?;
    let (waited, done) = tokio::join!(migrate(&producer), migrate(&database.pool));
    done?;
    waited?;
    // From now on there is nothing to migrate, and the producer starts by itself.
    Ok(migrate(&producer).await?)
}

#[tokio::test]
async fn a_migration_that_was_edited_after_it_was_applied_is_found() -> anyhow::Result<()> {
    let database = Database::create().await?;
    sqlx::query("update _sqlx_migrations set checksum = 'x' where version = 1").execute(&database.pool).await?;
    let refused = migrated(&database.pool).await;
    assert!(matches!(refused, Err(ConnectError::Migration(_))), "{refused:?}");
    Ok(())
}

async fn connected(url: &str) -> anyhow::Result<PgPool> {
    Ok(database(&DatabaseSettings { url: url.to_owned(), ..DatabaseSettings::default() }).await?)
}

#[tokio::test]
async fn what_a_newer_version_wrote_on_an_artwork_s_stream_changes_nothing_of_what_is_known() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let log = database.log();
    log.append(crate::proposals::new_artwork(3)).await?;
    let stream = log.read(Position(0), 1).await?.pop().map(|event| event.stream);
    let stream = stream.ok_or_else(|| anyhow::anyhow!("the log is empty"))?;
    let before = Artwork::of(&log.read_stream(&stream).await?)?;
    assert!(before.is_some());
    append_newer(&database.pool, &stream, "artwork.framed", 1).await?;
    append_newer(&database.pool, &stream, "variant.uploaded", i16::MAX).await?;
    let events = log.read_stream(&stream).await?;
    assert_eq!(Artwork::of(&events)?, before);
    assert_eq!(events.iter().filter(|event| !event.is_known()).count(), 2);
    Ok(())
}
