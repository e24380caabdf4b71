use std::collections::BTreeSet;

use atelier_e2e::Database;
use atelier_events::jobs::{self, End, Filter};
use atelier_events::{Consumer, Position};
use futures::future::try_join_all;

use super::{LONG, all, claim, claim_one, settlement, with_jobs};
use crate::bus::{positions, uploads};

#[tokio::test]
async fn enlisting_twice_makes_one_row_and_leaves_a_job_that_has_moved_on() -> anyhow::Result<()> {
    let database = Database::create().await?;
    uploads(&database, 3).await?;
    assert_eq!(jobs::enlist(&database.pool, Position(0), Position(4)).await?, 2);
    let claimed = claim(&database, 1, LONG).await?;
    assert_eq!(jobs::enlist(&database.pool, Position(0), Position(6)).await?, 1);
    let rows = all(&database).await?;
    let rows: Vec<_> = rows.iter().map(|job| (job.position, job.state.as_str())).collect();
    assert_eq!(claimed[0].event.position, Position(2));
    let expected = [(Position(2), "running"), (Position(4), "available"), (Position(6), "available")];
    assert_eq!(rows, expected);
    Ok(())
}

#[tokio::test]
async fn only_the_consumers_of_its_type_get_a_job_for_an_event() -> anyhow::Result<()> {
    let database = with_jobs(1).await?;
    let rows = all(&database).await?;
    let rows: Vec<_> = rows.iter().map(|job| (job.consumer.as_str(), job.position)).collect();
    assert_eq!(rows, [("thumbnails", Position(2))]);
    Ok(())
}

/// Eight workers take three at a time, polling or as if told by messages, until nothing is left.
async fn race(database: &Database, delivered: &[Position]) -> anyhow::Result<Vec<i64>> {
    let workers = (0..8).map(|worker| async move {
        let mut mine = Vec::new();
        loop {
            let name = format!("worker {worker}");
            let pool = &database.pool;
            let claimed = match worker % 2 {
                0 => jobs::claim_available(pool, Consumer::Thumbnails, 3, &name, LONG).await?,
                _ if delivered.is_empty() => jobs::claim_available(pool, Consumer::Thumbnails, 3, &name, LONG).await?,
                _ => jobs::claim_delivered(pool, Consumer::Thumbnails, delivered, &name, LONG).await?,
            };
            if claimed.is_empty() {
                return anyhow::Ok(mine);
            }
            mine.extend(claimed.into_iter().map(|claimed| claimed.job));
        }
    });
    let mut claimed = try_join_all(workers).await?.concat();
    claimed.sort_unstable();
    Ok(claimed)
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_claim_at_once_get_each_job_once() -> anyhow::Result<()> {
    let database = with_jobs(60).await?;
    let claimed = race(&database, &[]).await?;
    assert_eq!(claimed.len(), 60);
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 60, "{claimed:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_delivered_and_polled_at_once_is_claimed_once() -> anyhow::Result<()> {
    let database = with_jobs(60).await?;
    let jobs = all(&database).await?;
    let delivered: Vec<Position> = jobs.iter().map(|job| job.position).collect();
    let claimed = race(&database, &delivered).await?;
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), claimed.len(), "{claimed:?}");
    assert_eq!(claimed.len(), 60);
    Ok(())
}

#[tokio::test]
async fn a_claim_by_message_takes_only_what_is_there_to_be_done() -> anyhow::Result<()> {
    let database = with_jobs(5).await?;
    let told: Vec<Position> = all(&database).await?.iter().map(|job| job.position).collect();
    let claimed = claim(&database, 4, LONG).await?;
    let later = End::Retryable { error: "not yet".to_owned(), delay_ms: LONG };
    let ends = [settlement(&claimed[0], End::Completed), settlement(&claimed[1], later)];
    jobs::settle(&database.pool, &ends).await?;
    sqlx::query("update jobs set state = 'cancelled', lease_until = null, finished_at = now() where id = $1")
        .bind(claimed[2].job)
        .execute(&database.pool)
        .await?;

    // Completed, not due, cancelled and running: none of them is there to be done.
    let again = jobs::claim_delivered(&database.pool, Consumer::Thumbnails, &told, "other", LONG).await?;
    let again: Vec<Position> = again.iter().map(|claimed| claimed.event.position).collect();
    assert_eq!(again, told[4..]);
    Ok(())
}

#[tokio::test]
async fn the_oldest_jobs_are_claimed_first_and_a_claim_carries_the_event_whole() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let events = uploads(&database, 4).await?;
    jobs::enlist(&database.pool, Position(0), Position(8)).await?;
    let mut claimed = claim(&database, 2, LONG).await?;
    claimed.sort_by_key(|claimed| claimed.job);
    let claimed: Vec<_> = claimed.into_iter().map(|claimed| claimed.event).collect();
    assert_eq!(claimed, events[..2]);
    Ok(())
}

#[tokio::test]
async fn every_claim_raises_attempt_and_fence() -> anyhow::Result<()> {
    let database = with_jobs(1).await?;
    for number in 1..=3 {
        let claimed = claim_one(&database).await?;
        assert_eq!((claimed.attempt, claimed.fence), (number, i64::from(number)));
        let again = End::Retryable { error: format!("error {number}"), delay_ms: 0 };
        jobs::settle(&database.pool, &[settlement(&claimed, again)]).await?;
        let told = (number > 1).then(|| format!("error {}", number - 1));
        assert_eq!(claimed.error, told, "what went wrong last time");
    }
    Ok(())
}

#[tokio::test]
async fn jobs_are_listed_newest_first_by_page_and_filter_and_counted_by_state() -> anyhow::Result<()> {
    let database = with_jobs(5).await?;
    let claimed = claim_one(&database).await?;
    let pool = &database.pool;
    let newest = jobs::list(pool, &Filter::default(), 2).await?;
    let older = Filter { before: newest.last().map(|job| job.id), ..Filter::default() };
    let older = jobs::list(pool, &older, 10).await?;
    let listed: Vec<i64> = newest.iter().chain(&older).map(|job| job.position.0).collect();
    assert_eq!(listed, [10, 8, 6, 4, 2]);

    let only = |filter: Filter| async move {
        let jobs = jobs::list(pool, &filter, 10).await?;
        anyhow::Ok(jobs.iter().map(|job| job.position.0).collect::<Vec<_>>())
    };
    let state = |state: &str| Some(state.to_owned());
    assert_eq!(only(Filter { state: state("running"), ..Filter::default() }).await?, [2]);
    assert_eq!(only(Filter { stream: Some(claimed.event.stream), ..Filter::default() }).await?, [2]);
    assert_eq!(only(Filter { position: Some(Position(4)), ..Filter::default() }).await?, [4]);
    assert!(only(Filter { consumer: state("exports"), ..Filter::default() }).await?.is_empty());

    let counts = jobs::count(pool).await?;
    let counts: Vec<_> = counts.iter().map(|count| (count.state.as_str(), count.jobs)).collect();
    assert_eq!(counts, [("available", 4), ("running", 1)]);
    Ok(())
}

#[tokio::test]
async fn what_is_to_be_delivered_are_the_events_of_the_jobs() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let events = uploads(&database, 3).await?;
    jobs::enlist(&database.pool, Position(0), Position(6)).await?;
    let claimed = claim(&database, 3, LONG).await?;
    let now = |claimed| settlement(claimed, End::Snoozed { delay_ms: 0 });
    jobs::settle(&database.pool, &claimed.iter().map(now).collect::<Vec<_>>()).await?;
    let due = jobs::due(&database.pool).await?;
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].0, positions(&due[0].1)), (Consumer::Thumbnails, positions(&events)));
    assert!(jobs::due(&database.pool).await?.is_empty(), "delivered once");
    Ok(())
}
