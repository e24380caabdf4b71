//! `verify` finds whatever was done to history behind the log's back.

use atelier_e2e::Database;
use atelier_events::Position;
use atelier_events::log::{Flaw, Verified, verify};
use sqlx::AssertSqlSafe;

use crate::proposals::new_artwork;

/// A log of four commits: positions 1 to 3, 4, 5 to 8, 9 and 10.
async fn log_of_four_commits() -> anyhow::Result<Database> {
    let database = Database::create().await?;
    let log = database.log();
    for events in [3, 1, 4, 2] {
        log.append(new_artwork(events)).await?;
    }
    Ok(database)
}

/// What `verify` finds after someone with all rights has run this with the triggers off. Puts everything back.
async fn flaws_in(database: &Database, tampering: &str) -> anyhow::Result<Vec<Flaw>> {
    let run = async |script: &str| {
        let script = format!("begin; set local session_replication_role = replica; {script}; commit");
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&database.pool).await
    };
    run("create table kept_events as table events; create table kept_links as table log_links").await?;
    run(tampering).await?;
    let flaws = verify(&database.pool, |_| ()).await?.flaws;
    run("delete from events; insert into events table kept_events; drop table kept_events;
         delete from log_links; insert into log_links table kept_links; drop table kept_links")
    .await?;
    Ok(flaws)
}

/// The same in a log of four commits of its own.
async fn flaws_after(tampering: &str) -> anyhow::Result<Vec<Flaw>> {
    flaws_in(&log_of_four_commits().await?, tampering).await
}

#[tokio::test]
async fn an_untouched_log_is_whole() -> anyhow::Result<()> {
    let database = log_of_four_commits().await?;
    let mut reached = Position(0);
    let verified = verify(&database.pool, |position| reached = position).await?;
    assert_eq!(verified, Verified { events: 10, commits: 4, flaws: Vec::new() });
    assert_eq!(reached, Position(10));
    Ok(())
}

#[tokio::test]
async fn an_empty_log_is_whole() -> anyhow::Result<()> {
    let database = Database::create().await?;
    assert_eq!(verify(&database.pool, |_| ()).await?, Verified::default());
    Ok(())
}

#[tokio::test]
async fn an_edited_event_is_found_whatever_was_edited() -> anyhow::Result<()> {
    let database = log_of_four_commits().await?;
    for edit in [
        "data = data || '{\"length\": 1}'",
        "actor = 'eve'",
        "occurred_at = occurred_at - interval '1 microsecond'",
        "type = 'variant.failed'",
        "schema = 2",
        "version = 77",
        "id = '00000000-0000-7000-8000-000000000000'",
        "stream = stream || 'x'",
        "correlation_id = id",
        "causation_id = id",
        "digest = sha256('eve')",
    ] {
        let flaws = flaws_in(&database, &format!("update events set {edit} where position = 6")).await?;
        assert!(flaws.contains(&Flaw::Changed(Position(6))), "{edit}: {flaws:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_event_edited_together_with_its_digest_breaks_the_chain_at_its_commit() -> anyhow::Result<()> {
    let flaws = flaws_after(
        "update events set actor = 'eve', digest = event_digest(stream, version, id, type, schema, 'eve',
             correlation_id, causation_id, occurred_at, data) where position = 6",
    )
    .await?;
    assert_eq!(flaws, [Flaw::Chain(Position(8))]);
    Ok(())
}

#[tokio::test]
async fn a_removed_event_is_found_and_hides_nothing_after_it() -> anyhow::Result<()> {
    let database = log_of_four_commits().await?;
    for (removed, commit) in [(5, 8), (6, 8), (8, 8), (4, 4), (1, 3)] {
        let flaws = flaws_in(&database, &format!("delete from events where position = {removed}")).await?;
        let expected = [Flaw::Missing(Position(removed)), Flaw::Chain(Position(commit))];
        assert_eq!(flaws, expected, "without position {removed}");
    }
    Ok(())
}

#[tokio::test]
async fn a_removed_end_of_the_log_is_found() -> anyhow::Result<()> {
    let flaws = flaws_after("delete from events where position = 10").await?;
    let head = Flaw::Head { head: Position(10), last: Position(9) };
    assert_eq!(flaws, [Flaw::Chain(Position(10)), head]);
    Ok(())
}

#[tokio::test]
async fn a_commit_removed_with_its_link_is_found() -> anyhow::Result<()> {
    let flaws =
        flaws_after("delete from events where position = 4; delete from log_links where last_position = 4").await?;
    assert_eq!(flaws, [Flaw::Missing(Position(4)), Flaw::Chain(Position(8))]);
    Ok(())
}

#[tokio::test]
async fn an_inserted_event_is_found() -> anyhow::Result<()> {
    let flaws = flaws_after(
        "insert into events select 11, stream, version + 1, gen_random_uuid(), type, schema, data, actor,
             correlation_id, causation_id, traceparent, occurred_at, digest from events where position = 10",
    )
    .await?;
    let head = Flaw::Head { head: Position(10), last: Position(11) };
    let expected = [Flaw::Changed(Position(11)), Flaw::Chain(Position(11)), head];
    assert_eq!(flaws, expected);
    Ok(())
}

#[tokio::test]
async fn an_event_put_in_the_place_of_another_is_found() -> anyhow::Result<()> {
    let flaws = flaws_after(
        "delete from events where position = 6;
         insert into events select 6, stream, 99, id, type, schema, data, 'eve', correlation_id, causation_id,
             traceparent, occurred_at, event_digest(stream, 99, id, type, schema, 'eve', correlation_id,
             causation_id, occurred_at, data)
         from (select gen_random_uuid() as id, stream, type, schema, data, correlation_id, causation_id, traceparent,
             occurred_at from events where position = 7) as copied",
    )
    .await?;
    assert_eq!(flaws, [Flaw::Chain(Position(8))]);
    Ok(())
}

#[tokio::test]
async fn an_edited_link_is_found() -> anyhow::Result<()> {
    let flaws = flaws_after("update log_links set link = sha256('eve') where last_position = 4").await?;
    // The link after it covers the one that was there.
    assert_eq!(flaws, [Flaw::Chain(Position(4)), Flaw::Chain(Position(8))]);
    Ok(())
}

#[tokio::test]
async fn a_removed_link_is_found() -> anyhow::Result<()> {
    let flaws = flaws_after("delete from log_links where last_position = 4").await?;
    assert_eq!(flaws, [Flaw::Chain(Position(4)), Flaw::Chain(Position(8))]);
    Ok(())
}
