use atelier_e2e::Database;
use atelier_events::jobs::{self, End, Explained, Reason};
use atelier_events::{Consumer, lead};
use time::{Duration, OffsetDateTime};

use super::{LONG, all, claim_one, settlement, with_jobs};

async fn explain(database: &Database, job: i64) -> anyhow::Result<Explained> {
    jobs::explain(&database.pool, job).await?.ok_or_else(|| anyhow::anyhow!("there is no job {job}"))
}

/// A worker with so many slots, and a relay.
async fn alive(database: &Database, slots: usize) -> anyhow::Result<()> {
    jobs::report_worker(&database.pool, "worker", Consumer::Thumbnails, slots).await?;
    lead::take(&database.pool, "relay", "holder", LONG).await?;
    Ok(())
}

#[tokio::test]
async fn a_job_says_who_comes_first_and_a_free_worker_takes_it_at_once() -> anyhow::Result<()> {
    let database = with_jobs(3).await?;
    alive(&database, 2).await?;
    let ids: Vec<i64> = all(&database).await?.into_iter().map(|job| job.id).collect();
    let first = explain(&database, ids[0]).await?.waiting;
    assert_eq!(first.reasons, [Reason::Queued { ahead: 0, running: 0, concurrency: 2 }]);
    assert!(first.runs_at.is_some_and(|time| time <= OffsetDateTime::now_utc() + Duration::seconds(5)));
    claim_one(&database).await?;
    let last = explain(&database, ids[2]).await?.waiting;
    assert_eq!(last.reasons, [Reason::Queued { ahead: 1, running: 1, concurrency: 2 }]);
    Ok(())
}

#[tokio::test]
async fn a_job_says_that_its_consumer_is_paused_or_has_no_daemon() -> anyhow::Result<()> {
    let database = with_jobs(1).await?;
    let job = all(&database).await?[0].id;
    let nobody = explain(&database, job).await?.waiting;
    assert_eq!(nobody.reasons[0], Reason::NoWorker { seen_at: None });
    assert_eq!(nobody.runs_at, None, "nobody can tell");

    alive(&database, 1).await?;
    jobs::pause(&database.log(), Consumer::Thumbnails, "ada").await?;
    let paused = explain(&database, job).await?.waiting;
    assert!(matches!(&paused.reasons[0], Reason::Paused { by, .. } if by == "ada"), "{:?}", paused.reasons);
    assert_eq!(paused.runs_at, None);

    sqlx::query("update workers set seen_at = now() - interval '2 minutes'").execute(&database.pool).await?;
    let gone = explain(&database, job).await?.waiting;
    assert!(matches!(gone.reasons[1], Reason::NoWorker { seen_at: Some(_) }), "{:?}", gone.reasons);
    Ok(())
}

#[tokio::test]
async fn a_job_that_failed_says_how_and_when_it_is_tried_again() -> anyhow::Result<()> {
    let database = with_jobs(1).await?;
    alive(&database, 1).await?;
    let claimed = claim_one(&database).await?;
    let running = explain(&database, claimed.job).await?;
    assert!(matches!(&running.waiting.reasons[..], [Reason::Running { worker, .. }] if worker == "worker"));
    let error = "no answer".to_owned();
    jobs::settle(&database.pool, &[settlement(&claimed, End::Retryable { error: error.clone(), delay_ms: LONG })])
        .await?;
    let later = explain(&database, claimed.job).await?;
    assert_eq!(later.waiting.reasons, [Reason::Backoff { attempt: 1, error }]);
    assert_eq!(later.waiting.runs_at, Some(later.job.run_at));

    sqlx::query("update leaders set lease_until = now() - interval '1 second'").execute(&database.pool).await?;
    let stuck = explain(&database, claimed.job).await?.waiting;
    assert_eq!((stuck.reasons.last(), stuck.runs_at), (Some(&Reason::NoRelay), None));
    Ok(())
}

#[tokio::test]
async fn a_job_that_waits_for_the_infrastructure_says_what_is_wrong_and_one_that_was_put_off_does_not()
-> anyhow::Result<()> {
    let database = with_jobs(1).await?;
    alive(&database, 1).await?;
    let claimed = claim_one(&database).await?;
    let error = "no bucket".to_owned();
    let postponed = End::Postponed { error: error.clone(), delay_ms: 0 };
    jobs::settle(&database.pool, &[settlement(&claimed, postponed)]).await?;
    let waits = explain(&database, claimed.job).await?;
    assert_eq!(waits.waiting.reasons, [Reason::Infrastructure { error }]);
    assert!(waits.waiting.runs_at.is_some());

    jobs::due(&database.pool).await?;
    let claimed = claim_one(&database).await?;
    jobs::settle(&database.pool, &[settlement(&claimed, End::Snoozed { delay_ms: LONG })]).await?;
    assert_eq!(explain(&database, claimed.job).await?.waiting.reasons, [Reason::Scheduled]);
    Ok(())
}

#[tokio::test]
async fn a_job_that_has_ended_waits_for_nothing_and_one_that_is_not_there_is_none() -> anyhow::Result<()> {
    let database = with_jobs(1).await?;
    let claimed = claim_one(&database).await?;
    jobs::settle(&database.pool, &[settlement(&claimed, End::Completed)]).await?;
    let ended = explain(&database, claimed.job).await?.waiting;
    assert_eq!((ended.reasons, ended.runs_at), (Vec::new(), None));
    assert!(jobs::explain(&database.pool, claimed.job + 1).await?.is_none());
    Ok(())
}
