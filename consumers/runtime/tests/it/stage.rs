//! What a test has: a database, a bus, the relay's part played by hand, and consumers that it starts and stops.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use atelier_e2e::{Broker, Database, PATIENCE, until};
use atelier_events::bus::Bus;
use atelier_events::jobs::{self, Filter};
use atelier_events::log::Write;
use atelier_events::settings::{BusSettings, StoreSettings};
use atelier_events::variant::Uploaded;
use atelier_events::{
    Append, ArtworkId, Blobs, Context, Event, ExpectedVersion, NewEvent, Position, Recorded, Stream, VariantEvent,
    VariantId,
};
use atelier_runtime::{Connections, ConsumerSettings, Job, run_job};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Which bus carries the messages.
#[derive(Clone, Copy)]
pub(crate) enum Carrier {
    Postgres,
    RabbitMq,
}

/// Makes of each `async fn name(stage: &Stage)` a test over either bus.
macro_rules! over_both_buses {
    ($($claim:ident,)+) => {
        $(mod $claim {
            use crate::stage::{Carrier, over};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() -> anyhow::Result<()> {
                over(Carrier::Postgres, async |stage| super::$claim(stage).await).await
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_rabbitmq() -> anyhow::Result<()> {
                over(Carrier::RabbitMq, async |stage| super::$claim(stage).await).await
            }
        })+
    };
}
pub(crate) use over_both_buses;

/// Runs a test and takes away what it left on the broker.
pub(crate) async fn over(carrier: Carrier, test: impl AsyncFnOnce(&Stage) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let broker = match carrier {
        Carrier::Postgres => None,
        Carrier::RabbitMq => Some(Broker::scratch()),
    };
    let bus = broker.as_ref().map_or_else(BusSettings::default, |broker| broker.settings.clone());
    let result = async { test(&Stage::new(bus).await?).await }.await;
    if let Some(broker) = broker {
        broker.delete().await?;
    }
    result
}

pub(crate) struct Stage {
    pub(crate) database: Database,
    pub(crate) connections: Connections,
    scheduler: AbortHandle,
}

/// A consumer under way.
pub(crate) struct Running {
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        timeout(PATIENCE, self.task).await.context("it does not stop")??
    }
}

impl Stage {
    async fn new(bus: BusSettings) -> anyhow::Result<Self> {
        let database = Database::create().await?;
        let log = database.log();
        let bus = Arc::from(atelier_events::bus::connect(&bus, log.signals()).await?);
        let connections = Connections { log, bus, blobs: Blobs::connect(&StoreSettings::default()) };
        let scheduler = tokio::spawn(schedule(connections.clone())).abort_handle();
        Ok(Self { database, connections, scheduler })
    }

    /// Short pauses, so that a test need not wait. What a test does not ask for (a lost lease, a timeout, the end of the
    /// grace period) lies beyond its patience, so that it cannot stand in for what the test does ask for.
    pub(crate) fn settings() -> ConsumerSettings {
        ConsumerSettings {
            concurrency: 2,
            max_attempts: 3,
            attempt_timeout_ms: 300_000,
            lease_ttl_ms: 300_000,
            poll_interval_ms: 100,
            backoff_initial_ms: 5,
            backoff_max_ms: 20,
            grace_ms: 300_000,
            ..ConsumerSettings::default()
        }
    }

    pub(crate) fn start<J: Job>(&self, job: J, settings: ConsumerSettings) -> Running {
        let (connections, shutdown) = (self.connections.clone(), CancellationToken::new());
        let stopping = shutdown.clone();
        let task = tokio::spawn(async move { run_job(job, &connections, &settings, stopping).await });
        Running { shutdown, task }
    }

    /// Uploads to the log, each on an artwork of its own.
    pub(crate) async fn upload(&self, count: usize) -> anyhow::Result<Vec<Recorded>> {
        self.upload_as(count, &Context::command("ada")).await
    }

    async fn upload_as(&self, count: usize, context: &Context) -> anyhow::Result<Vec<Recorded>> {
        let before = self.connections.log.head().await?;
        for _ in 0..count {
            let artwork_id = ArtworkId::new();
            let event = Event::Variant(VariantEvent::Uploaded(Uploaded {
                artwork_id,
                variant_id: VariantId::new(),
                upload_key: "uploads/1/sea.png".to_owned(),
                filename: "sea.png".to_owned(),
                length: 70_000,
                recipe: None,
                lineage: Vec::new(),
                requested_at: None,
                priority: atelier_events::Priority::default(),
            }));
            let write = Write {
                stream: Stream::artwork(artwork_id),
                expected: ExpectedVersion::NoStream,
                events: vec![NewEvent::new(event, context)],
            };
            self.connections.log.append(Append { key: None, writes: vec![write] }).await?;
        }
        Ok(self.connections.log.read(before, 1_000).await?)
    }

    /// Uploads that have their jobs and whose messages are lost.
    pub(crate) async fn enlist(&self, count: usize) -> anyhow::Result<Vec<Recorded>> {
        let events = self.upload(count).await?;
        let head = self.connections.log.head().await?;
        jobs::enlist(self.database_pool(), Position(0), head).await?;
        Ok(events)
    }

    /// An upload that goes the whole way and belongs to this trace.
    pub(crate) async fn publish_traced(&self, traceparent: &str) -> anyhow::Result<Vec<Recorded>> {
        let context = Context { traceparent: Some(traceparent.to_owned()), ..Context::command("ada") };
        let events = self.upload_as(1, &context).await?;
        jobs::enlist(self.database_pool(), Position(0), self.connections.log.head().await?).await?;
        self.bus().publish(&events).await?;
        Ok(events)
    }

    /// Uploads that go the whole way: log, jobs, bus.
    pub(crate) async fn publish(&self, count: usize) -> anyhow::Result<Vec<Recorded>> {
        let events = self.enlist(count).await?;
        self.bus().publish(&events).await?;
        Ok(events)
    }

    pub(crate) fn bus(&self) -> &dyn Bus {
        self.connections.bus.as_ref()
    }

    pub(crate) fn database_pool(&self) -> &sqlx::PgPool {
        &self.database.pool
    }

    /// The job of an event.
    pub(crate) async fn job(&self, event: &Recorded) -> anyhow::Result<jobs::Job> {
        let filter = Filter { position: Some(event.position), ..Filter::default() };
        let job = jobs::list(self.database_pool(), &filter, 1).await?.pop();
        job.with_context(|| format!("position {} has no job", event.position))
    }

    /// Waits until the job of each event is in this state.
    pub(crate) async fn until_all(&self, state: &str, events: &[Recorded]) -> anyhow::Result<()> {
        until(&format!("{} jobs are {state}", events.len()), || async {
            for event in events {
                if self.job(event).await?.state != state {
                    return Ok(false);
                }
            }
            Ok(true)
        })
        .await
    }

    /// The types of what happened on an event's stream after it.
    pub(crate) async fn outcome(&self, event: &Recorded) -> anyhow::Result<Vec<String>> {
        let events = self.connections.log.read_stream(&event.stream).await?;
        Ok(events.into_iter().skip(1).map(|event| event.event_type).collect())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.scheduler.abort();
    }
}

/// The part of the relay that sends what comes due and what has to be rescued.
async fn schedule(connections: Connections) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    loop {
        ticks.tick().await;
        let pool = connections.log.pool();
        let (due, rescued) = tokio::join!(jobs::due(pool), jobs::rescue(pool));
        for (consumer, events) in due.into_iter().chain(rescued).flatten() {
            // What does not arrive is found by polling.
            drop(connections.bus.deliver(consumer, &events).await);
        }
    }
}
