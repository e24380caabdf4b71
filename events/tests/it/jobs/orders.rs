use std::time::Duration;

use atelier_e2e::{Database, until};
use atelier_events::jobs::{self, End, Filter};
use atelier_events::signal::Channel;
use atelier_events::{Consumer, Position};

use super::{LONG, all, claim, claim_one, settlement, with_event, with_jobs};

fn these(jobs: &[i64]) -> Filter {
    Filter { ids: Some(jobs.to_vec()), ..Filter::default() }
}

async fn states(database: &Database) -> anyhow::Result<Vec<String>> {
    Ok(all(database).await?.into_iter().map(|job| job.state).collect())
}

/// Five jobs: available, running, retryable, completed and discarded.
async fn one_of_each() -> anyhow::Result<(Database, Vec<i64>)> {
    let database = with_jobs(5).await?;
    let claimed = claim(&database, 4, LONG).await?;
    let ends = [
        End::Retryable { error: "no answer".to_owned(), delay_ms: LONG },
        End::Completed,
        End::Discarded { error: "Not an Image".to_owned() },
    ];
    let ends: Vec<_> = claimed[1..].iter().zip(ends).map(|(claimed, end)| settlement(claimed, end)).collect();
    jobs::settle(&database.pool, &ends).await?;
    let ids = all(&database).await?.into_iter().map(|job| job.id).collect();
    assert_eq!(states(&database).await?, ["running", "retryable", "completed", "discarded", "available"]);
    Ok((database, ids))
}

#[tokio::test]
async fn what_waits_or_runs_is_cancelled_and_its_owner_is_told_in_the_same_commit() -> anyhow::Result<()> {
    let (database, ids) = one_of_each().await?;
    let log = database.log();
    let head = log.head().await?;
    let ordered = jobs::cancel(&log, &Filter::default(), "ada").await?;
    assert_eq!(ordered.jobs, [ids[0], ids[1], ids[4]]);
    assert_eq!(states(&database).await?, ["cancelled", "cancelled", "completed", "discarded", "cancelled"]);
    assert_eq!(ordered.position, Some(Position(head.0 + 3)));
    for event in log.read(head, 10).await? {
        assert_eq!((event.event_type.as_str(), event.actor.as_str()), ("variant.failed", "ada"));
        assert_eq!(event.data.to_value()["error"], "cancelled by ada");
    }
    assert!(claim(&database, 10, LONG).await?.is_empty());
    let again = jobs::cancel(&log, &Filter::default(), "ada").await?;
    assert_eq!((again.jobs, again.position), (Vec::new(), None), "once is enough");
    Ok(())
}

#[tokio::test]
async fn the_result_of_an_attempt_that_was_cancelled_is_void() -> anyhow::Result<()> {
    let database = with_jobs(1).await?;
    let claimed = claim_one(&database).await?;
    jobs::cancel(&database.log(), &these(&[claimed.job]), "ada").await?;
    let head = database.log().head().await?;
    assert!(jobs::settle(&database.pool, &[with_event(&claimed, End::Completed)]).await?.is_empty());
    assert_eq!(database.log().head().await?, head);
    assert!(jobs::renew(&database.pool, &[(claimed.job, claimed.fence)], LONG).await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_claimed_while_it_is_cancelled_is_cancelled_all_the_same() -> anyhow::Result<()> {
    let database = with_jobs(1).await?;
    let job = all(&database).await?[0].id;
    let mut claiming = database.pool.begin().await?;
    sqlx::query(include_str!("../../../sql/claim_jobs.sql"))
        .bind(Consumer::Thumbnails.name())
        .bind(1_i64)
        .bind("a slow worker")
        .bind(LONG)
        .execute(&mut *claiming)
        .await?;
    let log = database.log();
    let cancelling = tokio::spawn(async move { jobs::cancel(&log, &these(&[job]), "ada").await });
    // It waits for the row that the claim has taken, and then finds it gone.
    let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    until("the order waits", || async { Ok(sqlx::query_scalar::<_, i64>(waits).fetch_one(&database.pool).await? > 0) })
        .await?;
    claiming.commit().await?;
    assert_eq!(cancelling.await??.jobs, [job]);
    assert_eq!(states(&database).await?, ["cancelled"]);
    Ok(())
}

#[tokio::test]
async fn a_requeued_job_has_all_its_attempts_again_and_keeps_its_errors() -> anyhow::Result<()> {
    let (database, ids) = one_of_each().await?;
    let log = database.log();
    let ordered = jobs::requeue(&log, &Filter::default()).await?;
    assert_eq!(ordered.jobs, [ids[3]], "what is completed, runs or waits is not begun anew");
    let job = all(&database).await?.remove(3);
    assert_eq!((job.state.as_str(), job.attempt, job.finished_at), ("available", 0, None));
    assert_eq!(
        (job.failures[0]["attempt"].as_i64(), job.failures[0]["error"].as_str()),
        (Some(1), Some("Not an Image"))
    );
    let claimed = claim(&database, 10, LONG).await?;
    let again = claimed.iter().find(|claimed| claimed.job == ids[3]).map(|claimed| (claimed.attempt, claimed.fence));
    assert_eq!(again, Some((1, 2)), "the first attempt, behind a new fence");

    jobs::cancel(&log, &these(&ids[3..4]), "ada").await?;
    assert_eq!(jobs::requeue(&log, &these(&ids[3..4])).await?.jobs, [ids[3]], "so is what was cancelled");
    assert!(
        jobs::list(&database.pool, &Filter { state: Some("discarded".to_owned()), ..Filter::default() }, 10)
            .await?
            .is_empty()
    );
    Ok(())
}

#[tokio::test]
async fn an_order_reaches_those_that_its_filter_lets_through() -> anyhow::Result<()> {
    let (database, ids) = one_of_each().await?;
    let log = database.log();
    let error = |words: &str| Filter { error: Some(words.to_owned()), ..Filter::default() };
    assert!(jobs::requeue(&log, &error("100%")).await?.jobs.is_empty(), "words are words and no pattern");
    let now = time::OffsetDateTime::now_utc();
    let hour = time::Duration::hours(1);
    assert!(jobs::requeue(&log, &Filter { until: Some(now - hour), ..Filter::default() }).await?.jobs.is_empty());
    assert!(jobs::requeue(&log, &Filter { since: Some(now + hour), ..Filter::default() }).await?.jobs.is_empty());
    let exports = Filter { consumer: Some("exports".to_owned()), ..error("image") };
    assert!(jobs::requeue(&log, &exports).await?.jobs.is_empty());
    let owner = |name: &str| Filter { owner: Some(name.to_owned()), ..Filter::default() };
    assert!(jobs::requeue(&log, &owner("nobody")).await?.jobs.is_empty());
    let dead = Filter { state: Some("discarded".to_owned()), ..owner("ada") };
    assert_eq!(jobs::list(&database.pool, &dead, 10).await?.iter().map(|job| job.id).collect::<Vec<_>>(), [ids[3]]);
    let thumbnails = Filter { consumer: Some("thumbnails".to_owned()), since: Some(now - hour), ..error("an image") };
    assert_eq!(jobs::purge(&log, &thumbnails).await?.jobs, [ids[3]]);
    assert_eq!(all(&database).await?.len(), 4);
    assert_eq!(jobs::cancel(&log, &error("no answer"), "ada").await?.jobs, [ids[1]]);
    Ok(())
}

#[tokio::test]
async fn a_paused_consumer_begins_nothing_and_is_woken_when_it_may_go_on() -> anyhow::Result<()> {
    let database = with_jobs(2).await?;
    let log = database.log();
    let running = claim_one(&database).await?;
    assert!(jobs::pause(&log, Consumer::Thumbnails, "ada").await?);
    assert!(!jobs::pause(&log, Consumer::Thumbnails, "bob").await?, "paused already");
    assert_eq!(jobs::paused(&database.pool, Consumer::Thumbnails).await?.map(|(by, _)| by).as_deref(), Some("ada"));
    assert!(claim(&database, 10, LONG).await?.is_empty());
    assert_eq!(
        jobs::settle(&database.pool, &[settlement(&running, End::Completed)]).await?.len(),
        1,
        "what runs goes on"
    );

    let mut hints = log.signals().subscribe(Channel::Jobs(Consumer::Thumbnails));
    hints.borrow_and_update();
    assert!(jobs::resume(&log, Consumer::Thumbnails).await?);
    tokio::time::timeout(Duration::from_secs(30), hints.changed()).await??;
    assert_eq!(claim(&database, 10, LONG).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn consumers_tell_what_waits_runs_and_has_died() -> anyhow::Result<()> {
    let (database, _) = one_of_each().await?;
    jobs::report_worker(&database.pool, "worker", Consumer::Thumbnails, 4).await?;
    let statuses = jobs::consumers(&database.pool).await?;
    let names: Vec<&str> = statuses.iter().map(|status| status.consumer.as_str()).collect();
    assert_eq!(names, Consumer::ALL.map(Consumer::name));
    let status = &statuses[1];
    assert_eq!((status.available, status.scheduled, status.running, status.discarded), (1, 1, 1, 1));
    assert_eq!((status.workers, status.concurrency, &status.paused_by), (1, 4, &None));
    jobs::forget_worker(&database.pool, "worker").await?;
    assert_eq!(jobs::consumers(&database.pool).await?[1].workers, 0);
    Ok(())
}
