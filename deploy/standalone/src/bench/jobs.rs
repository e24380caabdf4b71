//! The queue: enqueueing, draining, the whole life of a job, and how long one waits, on both buses.

mod plain;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use atelier_events::bus::{PostgresBus, RabbitBus};
use atelier_events::log::Write;
use atelier_events::settings::BusSettings;
use atelier_events::signal::Signals;
use atelier_events::variant::Uploaded;
use atelier_events::{
    Append, ArtworkId, Consumer, Context, Event, ExpectedVersion, Log, NewEvent, Position, Priority, Stream,
    VariantEvent, VariantId,
};
use uuid::Uuid;

use super::Measured;
use super::rounds::{alternate, per_second};
use super::scratch::Scratch;
use queue::Queue;

/// Clients that enqueue one job each and wait until it is durable.
const CLIENTS: u32 = 8;
/// Jobs of one bulk command.
const BULK: u32 = 500;
/// Jobs that a drained queue holds at first, for each second of a round.
const DRAINED_A_SECOND: f64 = 33_334.0;
/// Messages that are published one after the other, to compare with.
const HOPS: i64 = 200;
/// How long the broker may take to count what its queue holds.
const COUNTING: Duration = Duration::from_mins(1);

/// Measures all there is to it; the lines of RabbitMQ where the settings name one.
pub(super) async fn measure(
    scratch: &Scratch,
    bus: &BusSettings,
    length: Duration,
    on_measured: &mut impl FnMut(Measured) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    sqlx::raw_sql(include_str!("../../sql/create_plain_jobs.sql")).execute(&scratch.pool).await?;
    let log = Log::start(scratch.pool.clone(), Signals::start(&scratch.pool));
    let plain = scratch.connections(CLIENTS).await?;

    let clients = usize::try_from(CLIENTS)?;
    let measured = alternate(
        length,
        async |length| per_second(clients, length, commands(&log, 1)).await,
        async |length| per_second(clients, length, plain::inserts(&plain)).await,
    );
    let single = "8 connections inserting one row each into a plain table of jobs, autocommit";
    let (value, plain_single) = measured.await?;
    on_measured(jobs_per_second("enqueue_single_8", single, value, plain_single))?;
    let bulk = per_second(2, length, commands(&log, BULK)).await?;
    on_measured(jobs_per_second("enqueue_bulk", single, bulk, plain_single))?;

    let queue = Queue::open(&log, Arc::new(PostgresBus::new(log.signals().clone())));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a length has an upper limit, and no sign"
    )]
    let full = ((length.as_secs_f64() * DRAINED_A_SECOND) as u32).next_multiple_of(BULK);
    let (drained, _) = queue.drain(full, async || Ok(())).await?;
    let deletes = "claiming 500 at a time by deleting them, and no history";
    on_measured(jobs_per_second("drain_postgres", deletes, drained, plain::drain(&plain, full).await?))?;
    on_measured(jobs_per_second("life", single, queue.life(length).await?, plain_single))?;

    let (hint_p50, hint_p99) = plain::hints(&plain).await?;
    let hint = "one commit and one notification to a listener";
    let (p50, p99) = queue.latency(length).await?;
    on_measured(milliseconds("latency_p50_postgres", hint, p50, hint_p50))?;
    on_measured(milliseconds("latency_p99_postgres", hint, p99, hint_p99))?;

    if bus.url.is_empty() {
        tracing::warn!("bus.url names no RabbitMQ: drain_rabbitmq and latency_*_rabbitmq are not measured");
        return Ok(());
    }
    // Queues of its own, so that no consumer of an installation takes its messages.
    let prefix = format!("atelier-bench-{}", Uuid::now_v7().simple());
    let rabbit = Arc::new(RabbitBus::connect(&BusSettings { prefix, ..bus.clone() }).await?);
    let queue = Queue::open(&log, Arc::<RabbitBus>::clone(&rabbit));
    let measured = async {
        let (drained, published) = queue.drain(full, async || emptied(&rabbit).await).await?;
        let alone = "publishing the same messages with confirms, 500 at a time, and nothing else";
        on_measured(jobs_per_second("drain_rabbitmq", alone, drained, published))?;
        let head = log.head().await?;
        let (hop_p50, hop_p99) = plain::messages(&rabbit, &log.read(Position(head.0 - HOPS), HOPS).await?).await?;
        let hop = "one message to the same queue, from its publishing to its arrival, and nothing else";
        let (p50, p99) = queue.latency(length).await?;
        on_measured(milliseconds("latency_p50_rabbitmq", hop, p50, hop_p50))?;
        on_measured(milliseconds("latency_p99_rabbitmq", hop, p99, hop_p99))
    };
    let measured = measured.await;
    rabbit.delete_topology().await.context("deleting the queues that were measured on")?;
    measured
}

/// Waits until the broker has nothing left for the consumer that is measured.
async fn emptied(rabbit: &RabbitBus) -> anyhow::Result<()> {
    let began = std::time::Instant::now();
    while rabbit.waiting(Consumer::Thumbnails).await? > 0 {
        ensure!(began.elapsed() < COUNTING, "the broker's queue does not become empty");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn jobs_per_second(name: &'static str, baseline: &'static str, value: f64, baseline_value: f64) -> Measured {
    Measured { name, value, unit: "jobs/s", baseline, baseline_value, ratio: value / baseline_value }
}

fn milliseconds(name: &'static str, baseline: &'static str, value: f64, baseline_value: f64) -> Measured {
    Measured { name, value, unit: "ms", baseline, baseline_value, ratio: value / baseline_value }
}

/// An upload: the event that a job of thumbnails is for.
fn upload() -> Write {
    let artwork_id = ArtworkId::new();
    let uploaded = Uploaded {
        artwork_id,
        variant_id: VariantId::new(),
        upload_key: format!("uploads/{artwork_id}/harbour-at-dusk.jpg"),
        filename: "harbour-at-dusk.jpg".to_owned(),
        length: 1_234_567,
        recipe: None,
        lineage: Vec::new(),
        requested_at: None,
        priority: Priority::Interactive,
    };
    let event = NewEvent::new(Event::Variant(VariantEvent::Uploaded(uploaded)), &Context::command("bench"));
    Write { stream: Stream::artwork(artwork_id), expected: ExpectedVersion::NoStream, events: vec![event] }
}

type Command = std::pin::Pin<Box<dyn Future<Output = anyhow::Result<u32>> + Send>>;

fn commands(log: &Log, jobs: u32) -> impl Fn() -> Command + Clone + Send + 'static {
    let log = log.clone();
    move || {
        let log = log.clone();
        Box::pin(async move {
            let writes = (0..jobs).map(|_| upload()).collect();
            log.append(Append { key: None, writes }).await.context("enqueueing")?;
            Ok(jobs)
        })
    }
}

fn percentiles(mut waits: Vec<f64>) -> (f64, f64) {
    waits.sort_by(f64::total_cmp);
    let last = waits.len().saturating_sub(1);
    (waits[last / 2], waits[last * 99 / 100])
}
