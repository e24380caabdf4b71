//! The queue as it is: log, relay, bus and worker, in this process.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use atelier_events::bus::{Bus, PUBLISH_LIMIT};
use atelier_events::log::Write;
use atelier_events::settings::StoreSettings;
use atelier_events::variant::Started;
use atelier_events::{
    Append, Blobs, Connections, Consumer, Event, Log, Position, Recorded, VariantEvent, VariantId, jobs,
};
use atelier_producer::relay;
use atelier_producer::settings::RelaySettings;
use atelier_runtime::{Attempt, ConsumerSettings, Job, Outcome, run_job};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{BULK, commands, percentiles, upload};

/// Attempts at a time, as many as the peers' harness gives its workers.
const CONCURRENCY: usize = 500;
/// Jobs of a command where many are commanded at once.
const SOME: u32 = 20;
/// Between two requests of the latency measurement: 100 a second.
const PACE: Duration = Duration::from_millis(10);
/// How often the database is asked whether the last jobs are settled.
const LOOK: Duration = Duration::from_millis(5);

/// A job that does nothing, and says when it began.
struct Nothing {
    begun: mpsc::UnboundedSender<(Position, Instant)>,
    /// Whether there is something to tell of it.
    tells: bool,
}

impl Job for Nothing {
    const CONSUMER: Consumer = Consumer::Thumbnails;

    async fn run(&self, attempt: &Attempt) -> anyhow::Result<Outcome> {
        // Who has stopped listening does not want to know.
        let _nobody = self.begun.send((attempt.event.position, Instant::now()));
        if !self.tells {
            return Ok(Outcome::Completed(Vec::new()));
        }
        // No consumer acts on it: what is measured is one job, and not the job after it.
        let started = Started { variant_id: VariantId::new(), attempt: attempt.number };
        let event = Event::Variant(VariantEvent::Started(started));
        Ok(Outcome::Completed(vec![Write::answer(&attempt.event, "bench", event)]))
    }
}

/// A log with a bus.
pub(super) struct Queue {
    connections: Connections,
}

/// A worker and, where jobs are to be enlisted, a relay.
struct Running {
    begun: mpsc::UnboundedReceiver<(Position, Instant)>,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Running {
    /// Waits until so many attempts have begun. Counted here: asking the database would be a good part of its work.
    async fn attempts(&mut self, jobs: u32) -> anyhow::Result<()> {
        for _ in 0..jobs {
            self.begun.recv().await.context("the worker has ended")?;
        }
        Ok(())
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        for task in self.tasks {
            task.await??;
        }
        Ok(())
    }
}

impl Queue {
    pub(super) fn open(log: &Log, bus: Arc<dyn Bus>) -> Self {
        // No job here has blobs.
        let nowhere = StoreSettings { endpoint: "http://127.0.0.1:1".to_owned(), ..StoreSettings::default() };
        Self { connections: Connections { log: log.clone(), bus, blobs: Blobs::connect(&nowhere) } }
    }

    fn start(&self, tells: bool, relays: bool) -> Running {
        let (tell, begun) = mpsc::unbounded_channel();
        let shutdown = CancellationToken::new();
        let job = Nothing { begun: tell, tells };
        let settings = ConsumerSettings { concurrency: CONCURRENCY, ..ConsumerSettings::default() };
        let (connections, stop) = (self.connections.clone(), shutdown.clone());
        let mut tasks = vec![tokio::spawn(async move { run_job(job, &connections, &settings, stop).await })];
        if relays {
            let (log, bus, stop) = (self.connections.log.clone(), Arc::clone(&self.connections.bus), shutdown.clone());
            tasks.push(tokio::spawn(relay::run(log, bus, RelaySettings::default(), stop)));
        }
        Running { begun, shutdown, tasks }
    }

    /// Fills the queue with so many jobs, and forgets all others. Answers what it holds.
    async fn fill(&self, jobs: u32) -> anyhow::Result<Vec<Recorded>> {
        let log = &self.connections.log;
        let command = commands(log, BULK);
        for _ in 0..jobs / BULK {
            command().await?;
        }
        let head = log.head().await?;
        sqlx::query(include_str!("../../../sql/forget_jobs.sql")).execute(log.pool()).await?;
        let before = Position(head.0 - i64::from(jobs));
        jobs::enlist(log.pool(), before, head).await?;
        self.come_to_rest().await?;
        let mut events: Vec<Recorded> = Vec::new();
        while let Some(after) = Some(events.last().map_or(before, |last| last.position)).filter(|after| *after < head) {
            events.extend(log.read(after, i64::from(jobs)).await?);
        }
        Ok(events)
    }

    /// Jobs per second from the worker's start until the last of a full queue is settled, its row kept, and the bus is
    /// empty; and messages per second that the bus took before, each confirmed, from a publisher that does nothing else.
    pub(super) async fn drain(
        &self,
        jobs: u32,
        emptied: impl AsyncFn() -> anyhow::Result<()>,
    ) -> anyhow::Result<(f64, f64)> {
        let events = self.fill(jobs).await?;
        let began = Instant::now();
        for window in events.chunks(PUBLISH_LIMIT) {
            self.connections.bus.publish(window).await?;
        }
        let published = f64::from(jobs) / began.elapsed().as_secs_f64();
        drop(events);
        let began = Instant::now();
        let mut running = self.start(false, false);
        running.attempts(jobs).await?;
        self.settled().await?;
        emptied().await?;
        let drained = f64::from(jobs) / began.elapsed().as_secs_f64();
        running.stop().await?;
        Ok((drained, published))
    }

    /// Jobs per second that are commanded, enlisted, run and settled with a result event, as fast as 8 clients command them.
    pub(super) async fn life(&self, length: Duration) -> anyhow::Result<f64> {
        self.begin_anew().await?;
        let mut running = self.start(true, true);
        let (began, done) = (Instant::now(), AtomicU32::new(0));
        let command = commands(&self.connections.log, SOME);
        let client = async || {
            while began.elapsed() < length {
                done.fetch_add(command().await?, Ordering::Relaxed);
            }
            anyhow::Ok(())
        };
        tokio::try_join!(client(), client(), client(), client(), client(), client(), client(), client())?;
        let jobs = done.load(Ordering::Relaxed);
        running.attempts(jobs).await?;
        self.settled().await?;
        let elapsed = began.elapsed().as_secs_f64();
        running.stop().await?;
        Ok(f64::from(jobs) / elapsed)
    }

    /// Milliseconds from before the append to the start of the attempt, at 100 jobs a second: the median, and all but one
    /// in a hundred.
    pub(super) async fn latency(&self, length: Duration) -> anyhow::Result<(f64, f64)> {
        let log = &self.connections.log;
        self.begin_anew().await?;
        let mut running = self.start(false, true);
        // The first finds a relay that is about to lead and statements that are to be prepared.
        log.append(Append { key: None, writes: vec![upload()] }).await?;
        running.attempts(1).await?;
        let mut open = HashMap::new();
        let mut ticks = tokio::time::interval(PACE);
        let began = Instant::now();
        while began.elapsed() < length.max(Duration::from_secs(1)) {
            ticks.tick().await;
            let asked = Instant::now();
            let appended = log.append(Append { key: None, writes: vec![upload()] }).await?;
            open.insert(appended.position(), asked);
        }
        let mut waits = Vec::new();
        while !open.is_empty() {
            let (position, at) = running.begun.recv().await.context("the worker has ended")?;
            if let Some(asked) = open.remove(&position) {
                waits.push(at.duration_since(asked).as_secs_f64() * 1_000.0);
            }
        }
        running.stop().await?;
        Ok(percentiles(waits))
    }

    /// Leaves the database as it would have been, had it grown in days and not in seconds.
    async fn come_to_rest(&self) -> anyhow::Result<()> {
        let pool = self.connections.log.pool();
        sqlx::query("vacuum analyze").execute(pool).await?;
        if let Err(error) = sqlx::query("checkpoint").execute(pool).await {
            tracing::warn!(%error, "what was written before is brought to the disk while the next line is measured");
        }
        Ok(())
    }

    /// No jobs, and a relay that starts at the end of the log.
    async fn begin_anew(&self) -> anyhow::Result<()> {
        let log = &self.connections.log;
        sqlx::query(include_str!("../../../sql/forget_jobs.sql")).execute(log.pool()).await?;
        let head = log.head().await?;
        sqlx::query("update checkpoints set position = $1 where name = 'relay'").bind(head).execute(log.pool()).await?;
        self.come_to_rest().await
    }

    /// Waits until nothing waits or runs.
    async fn settled(&self) -> anyhow::Result<()> {
        let count = include_str!("../../../sql/count_open_jobs.sql");
        let mut ticks = tokio::time::interval(LOOK);
        loop {
            ticks.tick().await;
            let open: i64 = sqlx::query_scalar(count).fetch_one(self.connections.log.pool()).await?;
            if open == 0 {
                return Ok(());
            }
        }
    }
}
