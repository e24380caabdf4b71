//! `verify` finds whatever was done to history behind the log's back.

use atelier_e2e::Database;
use atelier_events::log::{Anchor, Flaw, holds, verify, verify_from};
use atelier_events::{ArtworkId, ExpectedVersion, Position};
use sqlx::AssertSqlSafe;

use crate::proposals::{append, new_artwork, uploaded};

/// A log of four commits: positions 1 to 3, 4, 5 to 8, 9 and 10.
async fn log_of_four_commits() -> anyhow::Result<Database> {
    let database = Database::create().await?;
    sqlx::raw_sql(include_str!("event_digest.sql")).execute(&database.pool).await?;
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
    run("create table kept_events as table events; create table kept_links as table log_links;
         create table kept_head as table log_head; create table kept_checkpoints as table checkpoints")
    .await?;
    run(tampering).await?;
    let flaws = verify(&database.pool, |_| ()).await?.flaws;
    run("delete from events; insert into events table kept_events; drop table kept_events;
         delete from log_links; insert into log_links table kept_links; drop table kept_links;
         delete from log_head; insert into log_head table kept_head; drop table kept_head;
         delete from checkpoints; insert into checkpoints table kept_checkpoints; drop table kept_checkpoints")
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
    assert_eq!((verified.events, verified.commits, verified.flaws.as_slice()), (10, 4, [].as_slice()));
    assert_eq!(verified.reached.position, Position(10));
    assert_eq!(reached, Position(10));
    Ok(())
}

#[tokio::test]
async fn an_empty_log_is_whole() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let verified = verify(&database.pool, |_| ()).await?;
    assert_eq!((verified.events, verified.commits, verified.flaws.as_slice()), (0, 0, [].as_slice()));
    assert_eq!(verified.reached, Anchor::beginning());
    Ok(())
}

#[tokio::test]
async fn an_edited_event_is_found_whatever_was_edited() -> anyhow::Result<()> {
    let database = log_of_four_commits().await?;
    for edit in [
        "data = (data::jsonb || '{\"length\": 1}')::json",
        // Not what it says, but how it is written.
        "data = (data::text || ' ')::json",
        "actor = 'eve'",
        "occurred_at = occurred_at - interval '1 microsecond'",
        "type = 'variant.failed'",
        "schema = 2",
        "id = '00000000-0000-7000-8000-000000000000'",
        "stream = stream || 'x'",
        "correlation_id = id",
        "causation_id = id",
        "digest = sha256('eve')",
    ] {
        let flaws = flaws_in(&database, &format!("update events set {edit} where position = 6")).await?;
        assert!(flaws.contains(&Flaw::Changed(Position(6))), "{edit}: {flaws:?}");
    }
    // Its place in the stream is told by the events around it.
    let flaws = flaws_in(&database, "update events set version = 77 where position = 6").await?;
    assert_eq!(flaws, [Flaw::Version(Position(6)), Flaw::Version(Position(7))]);
    // All of a commit, with what its link says of its time.
    let flaws = flaws_in(
        &database,
        "update events set occurred_at = occurred_at - interval '1 day' where position between 5 and 8;
         update log_links set committed_at = committed_at - interval '1 day' where last_position = 8",
    )
    .await?;
    assert_eq!(flaws, [Flaw::Chain(Position(8))]);
    Ok(())
}

#[tokio::test]
async fn an_event_edited_together_with_its_digest_breaks_the_chain_at_its_commit() -> anyhow::Result<()> {
    let flaws = flaws_after(
        "update events set actor = 'eve' where position = 6;
         update events e set digest = event_digest(e) where position = 6",
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
    // With another id, the digest does not fit.
    let expected = [Flaw::Changed(Position(11)), Flaw::Chain(Position(11)), head];
    assert_eq!(flaws, expected);
    Ok(())
}

#[tokio::test]
async fn an_event_put_in_the_place_of_another_is_found() -> anyhow::Result<()> {
    let flaws = flaws_after(
        "delete from events where position = 6;
         insert into events select 6, stream, 99, id, type, schema, data, 'eve', correlation_id, causation_id,
             traceparent, occurred_at, sha256('')
         from (select gen_random_uuid() as id, stream, type, schema, data, correlation_id, causation_id, traceparent,
             occurred_at from events where position = 7) as copied;
         update events e set digest = event_digest(e) where position = 6",
    )
    .await?;
    // The events of the commit are checked before its link is.
    let versions = [Flaw::Version(Position(6)), Flaw::Version(Position(7))];
    assert_eq!(flaws, [versions.as_slice(), &[Flaw::Chain(Position(8))]].concat());
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

#[tokio::test]
async fn an_edited_link_of_the_head_is_found() -> anyhow::Result<()> {
    let flaws = flaws_after("update log_head set link = sha256('eve')").await?;
    assert_eq!(flaws, [Flaw::HeadLink(Position(10))]);
    Ok(())
}

#[tokio::test]
async fn a_link_behind_the_head_is_found() -> anyhow::Result<()> {
    let flaws = flaws_after("insert into log_links values (12, 11, now(), sha256('eve'))").await?;
    assert_eq!(flaws, [Flaw::Chain(Position(12))]);
    Ok(())
}

#[tokio::test]
async fn a_checkpoint_behind_the_head_is_found() -> anyhow::Result<()> {
    let flaws =
        flaws_after("insert into checkpoints values ('relay', 11) on conflict (name) do update set position = 11")
            .await?;
    assert_eq!(flaws, [Flaw::Ahead { name: "relay".to_owned(), position: Position(11), head: Position(10) }]);
    Ok(())
}

/// As a careful intruder would: the end, its links, and the head set back to the commit before.
const CUT_OFF: &str = "delete from events where position > 4; delete from log_links where last_position > 4;
    update log_head set (position, link) = (select last_position, link from log_links where last_position = 4)";

#[tokio::test]
async fn an_end_cut_off_with_its_links_and_its_head_is_found_by_a_checkpoint_and_not_without() -> anyhow::Result<()> {
    let database = log_of_four_commits().await?;
    let signed = verify(&database.pool, |_| ()).await?.reached;
    assert_eq!(flaws_in(&database, CUT_OFF).await?, []);

    let script = format!("begin; set local session_replication_role = replica; {CUT_OFF}; commit");
    sqlx::raw_sql(AssertSqlSafe(script)).execute(&database.pool).await?;
    let cut = Flaw::CutOff { signed: Position(10), head: Position(4) };
    assert_eq!(holds(&database.pool, &signed).await?, Some(cut.clone()));
    assert_eq!(verify_from(&database.pool, &signed, |_| ()).await?.flaws, [cut]);

    // Also when it has grown again: the link at the position is another.
    database.log().append(new_artwork(6)).await?;
    assert_eq!(verify(&database.pool, |_| ()).await?.flaws, []);
    assert_eq!(holds(&database.pool, &signed).await?, Some(Flaw::Rewritten(Position(10))));
    assert_eq!(verify_from(&database.pool, &signed, |_| ()).await?.flaws, [Flaw::Rewritten(Position(10))]);
    Ok(())
}

#[tokio::test]
async fn after_a_checkpoint_only_what_came_after_it_is_checked() -> anyhow::Result<()> {
    let database = log_of_four_commits().await?;
    let log = database.log();
    let signed = verify(&database.pool, |_| ()).await?.reached;
    let nothing_new = verify_from(&database.pool, &signed, |_| ()).await?;
    assert_eq!((nothing_new.events, nothing_new.flaws.as_slice(), nothing_new.reached), (0, [].as_slice(), signed));

    // The stream of the events at 9 and 10 goes on; another begins.
    let last = log.read(Position(9), 1).await?.remove(0);
    let id = ArtworkId::new();
    log.append(append(&last.stream, ExpectedVersion::Exactly(last.version), vec![uploaded(id)])).await?;
    log.append(new_artwork(2)).await?;
    let since = verify_from(&database.pool, &signed, |_| ()).await?;
    assert_eq!((since.events, since.commits, since.flaws.as_slice()), (3, 2, [].as_slice()));
    assert_eq!(since.reached, verify(&database.pool, |_| ()).await?.reached);

    for (edit, flaw) in [
        ("update events set actor = 'eve' where position = 12", Flaw::Changed(Position(12))),
        ("update log_links set link = sha256('eve') where last_position = 11", Flaw::Chain(Position(11))),
    ] {
        let script = format!("begin; set local session_replication_role = replica; {edit}; commit");
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&database.pool).await?;
        let flaws = verify_from(&database.pool, &signed, |_| ()).await?.flaws;
        assert!(flaws.contains(&flaw), "{edit}: {flaws:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_stream_that_skips_a_version_is_found_before_and_after_a_checkpoint() -> anyhow::Result<()> {
    let database = log_of_four_commits().await?;
    let signed = verify(&database.pool, |_| ()).await?.reached;
    let last = database.log().read(Position(9), 1).await?.remove(0);
    let id = ArtworkId::new();
    database.log().append(append(&last.stream, ExpectedVersion::Any, vec![uploaded(id)])).await?;
    let script = "begin; set local session_replication_role = replica;
        update events set version = 9 where position = 11; commit";
    sqlx::raw_sql(script).execute(&database.pool).await?;
    assert_eq!(verify(&database.pool, |_| ()).await?.flaws, [Flaw::Version(Position(11))]);
    assert_eq!(verify_from(&database.pool, &signed, |_| ()).await?.flaws, [Flaw::Version(Position(11))]);
    Ok(())
}
