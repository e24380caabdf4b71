//! While the database, the bucket or a disk cannot be used, jobs wait: none loses an attempt, and no work is done twice.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use atelier_e2e::until;
use atelier_events::blobs::BlobError;
use atelier_events::jobs::{self, Reason};
use atelier_runtime::ConsumerSettings;
use time::OffsetDateTime;

use crate::scripted::{done, scripted};
use crate::stage::{Stage, over_both_buses};

over_both_buses! {
    a_bucket_that_cannot_be_reached_costs_no_attempt_however_long_it_lasts,
    a_job_that_waits_for_the_bucket_says_so,
    what_a_full_disk_keeps_from_being_settled_is_settled_when_there_is_room_and_not_done_again,
    a_daemon_that_stops_does_not_wait_for_a_full_disk_for_ever,
}

fn unreachable() -> anyhow::Error {
    let source = io::Error::from(io::ErrorKind::ConnectionRefused).into();
    anyhow::Error::new(BlobError::Unreachable { key: "originals/1".to_owned(), source }).context("fetching")
}

async fn a_bucket_that_cannot_be_reached_costs_no_attempt_however_long_it_lasts(stage: &Stage) -> anyhow::Result<()> {
    let left = Arc::new(AtomicI32::new(3 * Stage::settings().max_attempts));
    let (job, begun) = scripted(move |attempt| {
        let out = left.fetch_sub(1, Ordering::SeqCst) > 0;
        async move { if out { Err(unreachable()) } else { Ok(done(&attempt)) } }
    });
    let running = stage.start(job, Stage::settings());
    let events = stage.publish(1).await?;
    stage.until_all("completed", &events).await?;
    assert_eq!(begun.of(&events[0]), [1; 10]);
    let job = stage.job(&events[0]).await?;
    assert_eq!((job.attempt, job.failures.as_array().map(Vec::len)), (1, Some(0)));
    running.stop().await
}

async fn a_job_that_waits_for_the_bucket_says_so(stage: &Stage) -> anyhow::Result<()> {
    let (job, _) = scripted(|_| async { Err(unreachable()) });
    let pause = 60_000;
    let settings = ConsumerSettings { backoff_initial_ms: pause, backoff_max_ms: pause, ..Stage::settings() };
    let running = stage.start(job, settings);
    let events = stage.publish(1).await?;
    stage.until_all("scheduled", &events).await?;
    let id = stage.job(&events[0]).await?.id;
    let explained = jobs::explain(stage.database_pool(), id).await?.map(|explained| explained.waiting);
    let waiting = explained.ok_or_else(|| anyhow::anyhow!("there is no job {id}"))?;
    let told = waiting.reasons.iter().find_map(|reason| match reason {
        Reason::Infrastructure { error } => Some(error.clone()),
        _ => None,
    });
    let expected = "fetching: the store could not be reached for \"originals/1\": connection refused";
    assert_eq!(told.as_deref(), Some(expected), "{waiting:?}");
    running.stop().await
}

/// As a disk without room for what completes jobs; other statements go on.
async fn fill_disk(stage: &Stage) -> anyhow::Result<()> {
    let statements = "create function no_room() returns trigger language plpgsql as $$
                      begin
                          raise exception 'could not extend file: No space left on device' using errcode = 'disk_full';
                      end
                      $$;
                      create trigger no_room before update on jobs for each row when (new.state = 'completed')
                          execute function no_room();";
    sqlx::raw_sql(statements).execute(stage.database_pool()).await?;
    Ok(())
}

async fn lease_until(stage: &Stage) -> anyhow::Result<Option<OffsetDateTime>> {
    Ok(sqlx::query_scalar("select lease_until from leases").fetch_optional(stage.database_pool()).await?)
}

async fn what_a_full_disk_keeps_from_being_settled_is_settled_when_there_is_room_and_not_done_again(
    stage: &Stage,
) -> anyhow::Result<()> {
    fill_disk(stage).await?;
    let (job, begun) = scripted(|attempt| async move { Ok(done(&attempt)) });
    let lease_ttl_ms = 600;
    let running = stage.start(job, ConsumerSettings { lease_ttl_ms, ..Stage::settings() });
    let events = stage.publish(1).await?;
    begun.until(1).await?;
    let first = OffsetDateTime::now_utc();
    let three_leases = time::Duration::milliseconds(i64::from(lease_ttl_ms) * 3);
    until("its lease outlives the attempt", || async {
        Ok(lease_until(stage).await?.is_some_and(|until| until > first + three_leases))
    })
    .await?;
    sqlx::query("drop trigger no_room on jobs").execute(stage.database_pool()).await?;
    stage.until_all("completed", &events).await?;
    assert_eq!(begun.of(&events[0]), [1]);
    assert_eq!(stage.outcome(&events[0]).await?.len(), 1);
    running.stop().await
}

async fn a_daemon_that_stops_does_not_wait_for_a_full_disk_for_ever(stage: &Stage) -> anyhow::Result<()> {
    fill_disk(stage).await?;
    let (job, begun) = scripted(|attempt| async move { Ok(done(&attempt)) });
    let running = stage.start(job, Stage::settings());
    let events = stage.publish(1).await?;
    begun.until(1).await?;
    running.stop().await?;
    assert_eq!(stage.job(&events[0]).await?.state, "running", "its lease ends by itself");
    assert!(stage.outcome(&events[0]).await?.is_empty());
    Ok(())
}
