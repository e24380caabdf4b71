//! A projection sees every event once and in order, whatever stops, fails or runs beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use atelier_e2e::{PATIENCE, until};
use atelier_events::stalls::Stall;
use atelier_events::{Consumer, Position, Recorded, health, jobs};
use atelier_runtime::{ConsumerSettings, Projection, run_projection};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::stage::{Running, Stage, over_both_buses};

over_both_buses! {
    every_event_is_applied_once_and_in_order_by_two_instances_across_restarts,
    a_batch_that_fails_is_tried_again_and_nothing_is_skipped,
    a_projection_that_cannot_go_on_says_so_where_operators_look_until_it_goes_on,
    a_projection_is_told_when_it_has_caught_up,
    a_paused_projection_applies_nothing_until_it_may_go_on,
    what_a_projection_does_at_the_end_of_the_log_is_given_up_when_the_grace_is_over,
}

/// Writes down what it is given, each batch together with its checkpoint.
struct Diary {
    pool: PgPool,
    /// Batches that are still to fail, after half of their work.
    failures: Arc<AtomicUsize>,
    caught_up: Arc<AtomicUsize>,
}

impl Projection for Diary {
    const CONSUMER: Consumer = Consumer::Index;

    async fn checkpoint(&mut self) -> anyhow::Result<Position> {
        let checkpoint = sqlx::query_scalar("select position from diary_checkpoint");
        Ok(checkpoint.fetch_one(&self.pool).await?)
    }

    async fn apply(&mut self, events: &[Recorded]) -> anyhow::Result<()> {
        let mut tx = self.pool.begin().await?;
        let checkpoint: Position =
            sqlx::query_scalar("select position from diary_checkpoint for update").fetch_one(&mut *tx).await?;
        // Another instance may have applied some of them since they were read.
        let news = events.iter().filter(|event| event.position > checkpoint);
        let positions: Vec<i64> = news.map(|event| event.position.0).collect();
        let write = "insert into diary (position) select * from unnest($1::bigint[])";
        sqlx::query(write).bind(positions).execute(&mut *tx).await?;
        let fails = |left: usize| left.checked_sub(1);
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
            anyhow::bail!("no");
        }
        sqlx::query("update diary_checkpoint set position = greatest(position, $1)")
            .bind(events.last().map(|event| event.position))
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    async fn caught_up(&mut self) -> anyhow::Result<()> {
        self.caught_up.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[derive(Clone, Default)]
struct Counts {
    failures: Arc<AtomicUsize>,
    caught_up: Arc<AtomicUsize>,
}

async fn make_diary(stage: &Stage) -> anyhow::Result<()> {
    let tables = "create table diary (entry bigint generated always as identity, position bigint not null);
                  create table diary_checkpoint (position bigint not null);
                  insert into diary_checkpoint values (0)";
    sqlx::raw_sql(tables).execute(stage.database_pool()).await?;
    Ok(())
}

fn start(stage: &Stage, counts: &Counts) -> Running {
    let diary = Diary {
        pool: stage.database_pool().clone(),
        failures: Arc::clone(&counts.failures),
        caught_up: Arc::clone(&counts.caught_up),
    };
    let (connections, shutdown) = (stage.connections.clone(), CancellationToken::new());
    let stopping = shutdown.clone();
    let task = tokio::spawn(async move { run_projection(diary, &connections, &Stage::settings(), stopping).await });
    Running { shutdown, task }
}

/// What is in the diary, in the order it was written.
async fn diary(stage: &Stage) -> anyhow::Result<Vec<i64>> {
    let entries = sqlx::query_scalar("select position from diary order by entry");
    Ok(entries.fetch_all(stage.database_pool()).await?)
}

async fn until_written(stage: &Stage, count: usize) -> anyhow::Result<()> {
    until(&format!("{count} events are applied"), || async { Ok(diary(stage).await?.len() >= count) }).await
}

async fn every_event_is_applied_once_and_in_order_by_two_instances_across_restarts(
    stage: &Stage,
) -> anyhow::Result<()> {
    make_diary(stage).await?;
    let counts = Counts::default();
    for round in 1..=4 {
        let both = [start(stage, &counts), start(stage, &counts)];
        stage.publish(20).await?;
        until_written(stage, round * 20 - 10).await?;
        for running in both {
            running.stop().await?;
        }
    }
    let last = start(stage, &counts);
    until_written(stage, 80).await?;
    last.stop().await?;
    assert_eq!(diary(stage).await?, (1..=80).collect::<Vec<i64>>());
    Ok(())
}

async fn a_batch_that_fails_is_tried_again_and_nothing_is_skipped(stage: &Stage) -> anyhow::Result<()> {
    make_diary(stage).await?;
    let counts = Counts::default();
    counts.failures.store(3, Ordering::SeqCst);
    let running = start(stage, &counts);
    stage.publish(5).await?;
    until_written(stage, 5).await?;
    assert_eq!(counts.failures.load(Ordering::SeqCst), 0);
    assert_eq!(diary(stage).await?, [1, 2, 3, 4, 5]);
    running.stop().await
}

async fn a_projection_that_cannot_go_on_says_so_where_operators_look_until_it_goes_on(
    stage: &Stage,
) -> anyhow::Result<()> {
    make_diary(stage).await?;
    let counts = Counts::default();
    counts.failures.store(usize::MAX, Ordering::SeqCst);
    let stall = async || -> anyhow::Result<Option<Stall>> {
        let consumers = jobs::consumers(stage.database_pool()).await?;
        Ok(consumers.into_iter().find(|status| status.consumer == "index").and_then(|status| status.stall))
    };
    let running = start(stage, &counts);
    stage.publish(5).await?;
    until("it is told", || async { Ok(stall().await?.is_some_and(|stall| stall.attempts >= 2)) }).await?;
    let first = stall().await?.context("it goes on by itself")?;
    assert!(first.error.starts_with("applying events up to position") && first.error.ends_with(": no"), "{first}");
    assert!(first.next_at > first.since, "{first}");
    let lines = health::stalls();
    assert!(lines.len() == 1 && lines[0].starts_with("index: fails since "), "{lines:?}");
    // Another process goes on counting, and one that is paused does not take what it does not try for done.
    running.stop().await?;
    jobs::pause(&stage.connections.log, Consumer::Index, "ada").await?;
    start(stage, &counts).stop().await?;
    jobs::resume(&stage.connections.log, Consumer::Index).await?;
    let running = start(stage, &counts);
    let before = stall().await?.context("nobody has tried")?.attempts;
    until("it is tried on", || async { Ok(stall().await?.is_some_and(|stall| stall.attempts > before)) }).await?;
    assert_eq!(stall().await?.map(|stall| stall.since), Some(first.since));
    counts.failures.store(0, Ordering::SeqCst);
    until("it is told no more", || async { Ok(stall().await?.is_none()) }).await?;
    assert_eq!((health::stalls(), diary(stage).await?), (Vec::new(), vec![1, 2, 3, 4, 5]));
    running.stop().await
}

async fn a_paused_projection_applies_nothing_until_it_may_go_on(stage: &Stage) -> anyhow::Result<()> {
    make_diary(stage).await?;
    let (log, counts) = (&stage.connections.log, Counts::default());
    jobs::pause(log, Consumer::Index, "ada").await?;
    let running = start(stage, &counts);
    stage.publish(5).await?;
    // It looks around all the while: stopped and started, it has looked once at least.
    running.stop().await?;
    assert!(diary(stage).await?.is_empty());
    let running = start(stage, &counts);
    jobs::resume(log, Consumer::Index).await?;
    until_written(stage, 5).await?;
    running.stop().await
}

async fn a_projection_is_told_when_it_has_caught_up(stage: &Stage) -> anyhow::Result<()> {
    make_diary(stage).await?;
    // More than one read of the log: in between it has not caught up.
    stage.upload(3).await?;
    let copies = "insert into events select position + 3 * number, stream, version + number, gen_random_uuid(), type,
                      schema, data, actor, correlation_id, causation_id, traceparent, occurred_at, digest
                  from events, generate_series(1, 700) as number";
    sqlx::query(copies).execute(stage.database_pool()).await?;
    let counts = Counts::default();
    let running = start(stage, &counts);
    let waiting = until("it has caught up", || async { Ok(counts.caught_up.load(Ordering::SeqCst) > 0) });
    tokio::time::timeout(PATIENCE, waiting).await??;
    assert_eq!(diary(stage).await?.len(), 2_103);
    running.stop().await
}

/// One whose work at the end of the log never ends.
struct Endless(Arc<AtomicUsize>);

impl Projection for Endless {
    const CONSUMER: Consumer = Consumer::Index;

    async fn checkpoint(&mut self) -> anyhow::Result<Position> {
        Ok(Position(i64::MAX))
    }

    async fn apply(&mut self, _events: &[Recorded]) -> anyhow::Result<()> {
        Ok(())
    }

    async fn caught_up(&mut self) -> anyhow::Result<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }
}

async fn what_a_projection_does_at_the_end_of_the_log_is_given_up_when_the_grace_is_over(
    stage: &Stage,
) -> anyhow::Result<()> {
    let (begun, shutdown) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let (connections, stopping, endless) = (stage.connections.clone(), shutdown.clone(), Endless(Arc::clone(&begun)));
    let settings = ConsumerSettings { grace_ms: 10, ..Stage::settings() };
    let task = tokio::spawn(async move { run_projection(endless, &connections, &settings, stopping).await });
    until("it works", || async { Ok(begun.load(Ordering::SeqCst) == 1) }).await?;
    shutdown.cancel();
    tokio::time::timeout(PATIENCE, task).await???;
    assert_eq!(begun.load(Ordering::SeqCst), 1, "and it does not begin again");
    Ok(())
}
