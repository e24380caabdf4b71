use std::collections::BTreeSet;

use atelier_e2e::Database;
use atelier_events::jobs::{self, End, Filter};
use atelier_events::variant::Priority;
use atelier_events::{ArtworkId, Consumer, ExpectedVersion, Position, Stream};
use futures::future::try_join_all;
use time::{Duration, OffsetDateTime};

use super::{LONG, all, claim, claim_one, settlement, with_jobs};
use crate::bus::{positions, uploads};
use crate::proposals::{append, created, rendered, requested, uploaded_with};

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

/// Eight workers take three at a time until nothing is left.
async fn race(database: &Database) -> anyhow::Result<Vec<i64>> {
    let workers = (0..8).map(|worker| async move {
        let mut mine = Vec::new();
        loop {
            let name = format!("worker {worker}");
            let claimed = jobs::claim(&database.pool, Consumer::Thumbnails, 3, &name, LONG).await?;
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
    let claimed = race(&database).await?;
    assert_eq!(claimed.len(), 60);
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 60, "{claimed:?}");
    Ok(())
}

#[tokio::test]
async fn only_what_is_there_to_be_done_is_claimed() -> anyhow::Result<()> {
    let database = with_jobs(5).await?;
    let claimed = claim(&database, 4, LONG).await?;
    let later = End::Retryable { error: "not yet".to_owned(), delay_ms: LONG };
    let ends = [settlement(&claimed[0], End::Completed), settlement(&claimed[1], later)];
    jobs::settle(&database.pool, &ends).await?;
    let third = Filter { ids: Some(vec![claimed[2].job]), ..Filter::default() };
    jobs::cancel(&database.log(), &third, "ada").await?;

    // Completed, not due, cancelled and running: none of them is there to be done.
    let again: Vec<i64> = claim(&database, 10, LONG).await?.iter().map(|claimed| claimed.job).collect();
    let last = all(&database).await?[4].id;
    assert_eq!(again, [last]);
    Ok(())
}

#[tokio::test]
async fn a_job_somebody_waits_for_comes_before_the_bulk_that_came_first() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let log = database.log();
    for (title, priority) in [("first", Priority::Bulk), ("second", Priority::Bulk), ("third", Priority::Interactive)] {
        let artwork = ArtworkId::new();
        let events = vec![created(artwork, title), uploaded_with(artwork, priority)];
        log.append(append(&Stream::artwork(artwork), ExpectedVersion::NoStream, events)).await?;
    }
    jobs::enlist(&database.pool, Position(0), Position(6)).await?;
    let claimed = claim(&database, 2, LONG).await?;
    let order: Vec<Position> = claimed.iter().map(|claimed| claimed.event.position).collect();
    assert_eq!(order, [Position(6), Position(2)]);
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_to_begin_later_waits_for_its_time() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let now = OffsetDateTime::now_utc();
    let requests = [None, Some(now - Duration::hours(1)), Some(now + Duration::hours(1))].map(requested);
    for (artwork, event) in requests {
        let events = vec![created(artwork, "The sea"), event];
        database.log().append(append(&Stream::artwork(artwork), ExpectedVersion::NoStream, events)).await?;
    }
    jobs::enlist(&database.pool, Position(0), Position(6)).await?;
    let states: Vec<_> = all(&database).await?.into_iter().map(|job| (job.position, job.state)).collect();
    let expected = [(Position(2), "available"), (Position(4), "available"), (Position(6), "scheduled")];
    assert_eq!(states, expected.map(|(position, state)| (position, state.to_owned())));
    assert_eq!(jobs::claim(&database.pool, Consumer::Generate, 10, "worker", LONG).await?.len(), 2);
    sqlx::raw_sql(
        "update jobs set run_at = run_at - interval '2 hours'; update scheduled_jobs set run_at = run_at - interval '2 hours'",
    )
    .execute(&database.pool)
    .await?;
    assert_eq!(jobs::due(&database.pool).await?.len(), 1);
    assert_eq!(jobs::claim(&database.pool, Consumer::Generate, 10, "worker", LONG).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_job_that_has_not_begun_stands_for_every_event_of_its_stream_where_the_consumer_coalesces()
-> anyhow::Result<()> {
    let database = Database::create().await?;
    let (artwork, log) = (ArtworkId::new(), database.log());
    let stream = Stream::artwork(artwork);
    let sidecars = || async {
        let filter = Filter { consumer: Some("sidecars".to_owned()), ..Filter::default() };
        let jobs = jobs::list(&database.pool, &filter, 10).await?;
        anyhow::Ok(jobs.into_iter().map(|job| job.position.0).rev().collect::<Vec<_>>())
    };
    let events = vec![created(artwork, "The sea"), rendered(), rendered()];
    log.append(append(&stream, ExpectedVersion::NoStream, events)).await?;
    jobs::enlist(&database.pool, Position(0), Position(3)).await?;
    assert_eq!(sidecars().await?, [3], "one job for a batch");
    log.append(append(&stream, ExpectedVersion::Any, vec![rendered()])).await?;
    jobs::enlist(&database.pool, Position(3), Position(4)).await?;
    assert_eq!(sidecars().await?, [3], "the job that waits sees the new event");
    jobs::claim(&database.pool, Consumer::Sidecars, 1, "worker", LONG).await?;
    log.append(append(&stream, ExpectedVersion::Any, vec![rendered()])).await?;
    jobs::enlist(&database.pool, Position(4), Position(5)).await?;
    assert_eq!(sidecars().await?, [3, 5], "one that runs may have read the stream already");
    Ok(())
}

#[tokio::test]
async fn all_daemons_of_a_consumer_share_its_rate() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let (pool, consumer) = (&database.pool, Consumer::Generate);
    let spent = async |seconds: i64, per_minute: f64, wanted: i64| {
        sqlx::query("update rates set refilled_at = refilled_at - $1 * interval '1 second'")
            .bind(seconds)
            .execute(pool)
            .await?;
        jobs::take_starts(pool, consumer, per_minute, wanted).await
    };
    assert_eq!(spent(0, 6.0, 10).await?, 0, "the first asks for the bucket");
    assert_eq!(spent(0, 6.0, 10).await?, 1, "it begins with one");
    assert_eq!(spent(3, 6.0, 10).await?, 0);
    assert_eq!(spent(8, 6.0, 10).await?, 1, "six a minute are one in ten seconds");
    assert_eq!(spent(3_600, 6.0, 10).await?, 1, "an hour of rest saves nothing up");
    assert_eq!(spent(3_600, 600.0, 100).await?, 10, "a second's worth at a time");
    jobs::return_starts(pool, consumer, 4).await?;
    assert_eq!(spent(0, 600.0, 100).await?, 4, "what found no job is given back");
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
        jobs::due(&database.pool).await?;
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
