use atelier_e2e::{Database, until};
use atelier_events::jobs::{self, Claimed, End};
use atelier_events::log::verify;
use atelier_events::{ArtworkId, ExpectedVersion, Position, Stream};

use super::{LONG, all, claim, claim_one, settlement, with_event, with_jobs};
use crate::proposals::{append, created, uploaded, write};

/// A job claimed by a worker that went quiet, and the same job claimed by another.
async fn taken_over(database: &Database) -> anyhow::Result<(Claimed, Claimed)> {
    let late = claim(database, 1, 1).await?.pop();
    until("the lease has ended", || async { Ok(!jobs::rescue(&database.pool).await?.is_empty()) }).await?;
    let late = late.ok_or_else(|| anyhow::anyhow!("no job is available"))?;
    Ok((late, claim_one(database).await?))
}

async fn head(database: &Database) -> anyhow::Result<Position> {
    Ok(database.log().head().await?)
}

#[tokio::test]
async fn the_late_result_of_a_worker_whose_job_was_taken_over_is_void() -> anyhow::Result<()> {
    let database = with_jobs(1).await?;
    let before = head(&database).await?;
    let (late, current) = taken_over(&database).await?;
    for end in [End::Completed, End::Released, End::Discarded { error: "late".to_owned() }] {
        let settled = jobs::settle(&database.pool, &[with_event(&late, end.clone())]).await?;
        assert!(settled.is_empty(), "{end:?}");
    }
    assert_eq!(head(&database).await?, before, "its events are not in the log");
    assert_eq!(all(&database).await?[0].state, "running");

    let settled = jobs::settle(&database.pool, &[with_event(&current, End::Completed)]).await?;
    assert_eq!(settled, [current.job]);
    assert_eq!(head(&database).await?, Position(before.0 + 1));
    let again = jobs::settle(&database.pool, &[with_event(&current, End::Completed)]).await?;
    assert!(again.is_empty(), "an end counts once");
    assert_eq!(head(&database).await?, Position(before.0 + 1));
    Ok(())
}

#[tokio::test]
async fn a_stale_settlement_takes_nothing_from_its_neighbours() -> anyhow::Result<()> {
    let database = with_jobs(1).await?;
    let before = head(&database).await?;
    let (late, current) = taken_over(&database).await?;
    let both = [with_event(&late, End::Completed), with_event(&current, End::Completed)];
    assert_eq!(jobs::settle(&database.pool, &both).await?, [current.job]);
    // Both are of one job; only the event of the one that counts may be there.
    let stored = database.log().read(before, 10).await?;
    let ids: Vec<_> = stored.iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(ids[0], both[1].writes[0].events[0].id);
    Ok(())
}

#[tokio::test]
async fn two_jobs_on_one_stream_settle_in_one_transaction() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let artwork = ArtworkId::new();
    let stream = Stream::artwork(artwork);
    let log = database.log();
    let events = vec![created(artwork, "The sea"), uploaded(artwork), uploaded(artwork)];
    log.append(append(&stream, ExpectedVersion::NoStream, events)).await?;
    jobs::enlist(&database.pool, Position(0), Position(3)).await?;
    let claimed = claim(&database, 2, LONG).await?;
    let ends: Vec<_> = claimed.iter().map(|claimed| with_event(claimed, End::Completed)).collect();
    assert_eq!(jobs::settle(&database.pool, &ends).await?.len(), 2);

    let versions: Vec<i64> = log.read_stream(&stream).await?.iter().map(|event| event.version.0).collect();
    assert_eq!(versions, [1, 2, 3, 4, 5]);
    let commits: i64 = sqlx::query_scalar("select count(*) from log_links").fetch_one(&database.pool).await?;
    assert_eq!(commits, 2);
    assert_eq!(verify(&database.pool, |_| ()).await?.flaws, []);
    Ok(())
}

#[tokio::test]
async fn when_the_log_refuses_its_events_a_job_does_not_end() -> anyhow::Result<()> {
    let database = with_jobs(1).await?;
    let claimed = claim_one(&database).await?;
    let mut refused = settlement(&claimed, End::Completed);
    let artwork = ArtworkId::new();
    refused.writes = vec![write(&claimed.event.stream, ExpectedVersion::NoStream, vec![uploaded(artwork)])];
    assert!(jobs::settle(&database.pool, &[refused]).await.is_err());
    assert_eq!(all(&database).await?[0].state, "running");
    assert_eq!(head(&database).await?, Position(2));
    Ok(())
}

#[tokio::test]
async fn giving_a_job_back_or_putting_it_off_costs_no_attempt_and_an_error_does() -> anyhow::Result<()> {
    let database = with_jobs(1).await?;
    for (end, state, attempt) in [
        (End::Released, "available", 0),
        (End::Snoozed { delay_ms: 0 }, "scheduled", 0),
        (End::Postponed { error: "no bucket\0".to_owned(), delay_ms: 0 }, "scheduled", 0),
        (End::Retryable { error: "no answer\0".to_owned(), delay_ms: 0 }, "retryable", 1),
        (End::Released, "available", 1),
        (End::Discarded { error: "not an image".to_owned() }, "discarded", 2),
    ] {
        let claimed = claim_one(&database).await?;
        assert_eq!(jobs::settle(&database.pool, &[settlement(&claimed, end)]).await?.len(), 1);
        let job = all(&database).await?.remove(0);
        assert_eq!((job.state.as_str(), job.attempt), (state, attempt));
        jobs::due(&database.pool).await?;
        assert_eq!(job.finished_at.is_some(), state == "discarded");
    }
    let job = all(&database).await?.remove(0);
    assert_eq!(job.error.as_deref(), Some("not an image"));
    assert_eq!(job.failures.as_array().map(Vec::len), Some(2), "an outage is no failure: {}", job.failures);
    Ok(())
}

/// Runs a renewal and a settlement of the same two jobs, named in opposite orders, while both wait for the first one's
/// row: were rows locked in the order they are named, each would then hold what the other wants.
#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_and_a_settlement_of_the_same_jobs_do_not_lock_each_other_out() -> anyhow::Result<()> {
    let database = with_jobs(2).await?;
    // As in a large table: rows are looked up one by one in the order in which they are named.
    sqlx::raw_sql(
        "do $$ begin
             execute format('alter database %I set enable_seqscan = off', current_database());
             execute format('alter database %I set enable_hashjoin = off', current_database());
             execute format('alter database %I set enable_mergejoin = off', current_database());
         end $$",
    )
    .execute(&database.pool)
    .await?;
    let pool = atelier_events::connect::database(&database.settings()).await?;
    let mut claimed = claim(&database, 2, LONG).await?;
    claimed.sort_by_key(|claimed| claimed.job);
    for first in [0, 1] {
        let mut row = database.pool.begin().await?;
        let lock = sqlx::query("select from leases where job = $1 for update").bind(claimed[first].job);
        lock.execute(&mut *row).await?;
        let (renewed_first, settled_first) = (&claimed[first], &claimed[1 - first]);
        let leases = [renewed_first, settled_first].map(|claimed| (claimed.job, claimed.fence));
        let (settling, renewing) = (pool.clone(), pool.clone());
        let renewal = tokio::spawn(async move { jobs::renew(&renewing, &leases, LONG).await });
        let error = || End::Retryable { error: String::new(), delay_ms: 0 };
        let ends = [settlement(settled_first, error()), settlement(renewed_first, error())];
        let settlement = tokio::spawn(async move { jobs::settle(&settling, &ends).await });
        until("both wait", || async {
            let waiting = "select count(*) from pg_stat_activity
                           where datname = current_database() and wait_event_type = 'Lock'";
            Ok(sqlx::query_scalar::<_, i64>(waiting).fetch_one(&database.pool).await? == 2)
        })
        .await?;
        row.commit().await?;
        renewal.await??;
        assert_eq!(settlement.await??.len(), 2);
        jobs::due(&database.pool).await?;
        claimed = claim(&database, 2, LONG).await?;
        claimed.sort_by_key(|claimed| claimed.job);
    }
    Ok(())
}
