//! The queue on Postgres: enqueueing, draining, the whole life of a job, and how long one waits. The baselines are what
//! plain SQL on the same server does: a table of jobs without history, filled by single inserts and emptied by deletes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use atelier_events::bus::PostgresBus;
use atelier_events::log::Write;
use atelier_events::settings::StoreSettings;
use atelier_events::signal::Signals;
use atelier_events::variant::{Failed, Uploaded};
use atelier_events::{
    Append, ArtworkId, Blobs, Connections, Consumer, Context, Event, ExpectedVersion, Log, NewEvent, Position,
    Priority, Stage, Stream, VariantEvent, VariantId, jobs,
};
use atelier_producer::relay;
use atelier_producer::settings::RelaySettings;
use atelier_runtime::{Attempt, ConsumerSettings, Job, Outcome, run_job};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Measured;
use super::rounds::{alternate, per_second};
use super::scratch::Scratch;

/// Clients that enqueue one job each and wait until it is durable.
const CLIENTS: u32 = 8;
/// Jobs of one bulk command.
const BULK: u32 = 500;
/// Jobs that a drained queue holds at first, for each second of a round.
const DRAINED_A_SECOND: f64 = 33_334.0;
/// Attempts at a time, as many as the peers' harness gives its workers.
const CONCURRENCY: usize = 500;
/// Jobs that plain SQL takes at a time.
const PLAIN_BATCH: i64 = 500;
/// Between two requests of the latency measurement: 100 a second.
const PACE: Duration = Duration::from_millis(10);

/// Measures all there is to it.
pub(super) async fn measure(
    scratch: &Scratch,
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
        async |length| per_second(clients, length, plain_inserts(&plain)).await,
    );
    let single = "8 connections inserting one row each into a plain table of jobs, autocommit";
    let (value, plain_single) = measured.await?;
    on_measured(jobs_per_second("enqueue_single_8", single, value, plain_single))?;
    let bulk = per_second(2, length, commands(&log, BULK)).await?;
    on_measured(jobs_per_second("enqueue_bulk", single, bulk, plain_single))?;

    let queue = Queue::open(&log);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a length has an upper limit, and no sign"
    )]
    let full = ((length.as_secs_f64() * DRAINED_A_SECOND) as u32).next_multiple_of(BULK);
    let drained = queue.drain(full).await?;
    sqlx::query(include_str!("../../sql/fill_plain_jobs.sql")).bind(i64::from(full)).execute(&plain).await?;
    let emptied = empty_plain(&plain).await?;
    on_measured(jobs_per_second(
        "drain_postgres",
        "claiming 500 at a time by deleting them, and no history",
        drained,
        emptied,
    ))?;

    let life = queue.life(length).await?;
    on_measured(jobs_per_second("life", single, life, plain_single))?;

    let (p50, p99) = queue.latency(length).await?;
    let (hint_p50, hint_p99) = hints(&plain).await?;
    let baseline = "one commit and one notification to a listener";
    on_measured(milliseconds("latency_p50_postgres", baseline, p50, hint_p50))?;
    on_measured(milliseconds("latency_p99_postgres", baseline, p99, hint_p99))
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

fn plain_inserts(plain: &PgPool) -> impl Fn() -> Command + Clone + Send + 'static {
    let plain = plain.clone();
    move || {
        let plain = plain.clone();
        Box::pin(async move {
            let write = upload();
            let insert = sqlx::query(include_str!("../../sql/insert_plain_job.sql"));
            insert.bind(write.events[0].event.data()).execute(&plain).await.context("inserting a plain job")?;
            Ok(1)
        })
    }
}

/// Jobs per second that plain SQL takes from its table until it is empty.
async fn empty_plain(plain: &PgPool) -> anyhow::Result<f64> {
    let (began, mut jobs) = (Instant::now(), 0_u32);
    loop {
        let taken: Vec<sqlx::postgres::PgRow> =
            sqlx::query(include_str!("../../sql/take_plain_jobs.sql")).bind(PLAIN_BATCH).fetch_all(plain).await?;
        if taken.is_empty() {
            return Ok(f64::from(jobs) / began.elapsed().as_secs_f64());
        }
        jobs += u32::try_from(taken.len())?;
    }
}

/// Milliseconds from before a commit to the notification that follows it: half of the requests, and all but one in a hundred.
async fn hints(plain: &PgPool) -> anyhow::Result<(f64, f64)> {
    let mut listener = PgListener::connect_with(plain).await?;
    listener.listen("bench").await?;
    let mut waits = Vec::new();
    for _ in 0..200 {
        let began = Instant::now();
        sqlx::query(include_str!("../../sql/insert_plain_job.sql"))
            .bind(upload().events[0].event.data())
            .execute(plain)
            .await?;
        sqlx::query("select pg_notify('bench', '')").execute(plain).await?;
        listener.recv().await?;
        waits.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(percentiles(waits))
}

fn percentiles(mut waits: Vec<f64>) -> (f64, f64) {
    waits.sort_by(f64::total_cmp);
    let last = waits.len().saturating_sub(1);
    (waits[last / 2], waits[last * 99 / 100])
}

/// A job that does nothing, and says when it began.
struct Nothing {
    begun: mpsc::UnboundedSender<(Position, Instant)>,
    /// Whether there is something to tell of it.
    tells: bool,
}

impl Job for Nothing {
    const CONSUMER: Consumer = Consumer::Thumbnails;

    async fn run(&self, attempt: &Attempt) -> anyhow::Result<Outcome> {
        // Nobody listens while a queue is drained.
        let _nobody = self.begun.send((attempt.event.position, Instant::now()));
        if !self.tells {
            return Ok(Outcome::Completed(Vec::new()));
        }
        let failed = Failed { variant_id: VariantId::new(), stage: Stage::Renditions, error: "measured".to_owned() };
        let event = Event::Variant(VariantEvent::Failed(failed));
        Ok(Outcome::Completed(vec![Write::answer(&attempt.event, "bench", event)]))
    }
}

/// The real parts: log, relay and worker, with the bus on Postgres.
struct Queue {
    connections: Connections,
}

/// A worker and, where jobs are to be enlisted, a relay.
struct Running {
    begun: mpsc::UnboundedReceiver<(Position, Instant)>,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Running {
    async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        for task in self.tasks {
            task.await??;
        }
        Ok(())
    }
}

impl Queue {
    fn open(log: &Log) -> Self {
        let bus = Arc::new(PostgresBus::new(log.signals().clone()));
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

    /// Jobs per second from the worker's start until the last of a full queue is settled, its row kept.
    async fn drain(&self, jobs: u32) -> anyhow::Result<f64> {
        let log = &self.connections.log;
        let fill = commands(log, BULK);
        for _ in 0..jobs / BULK {
            fill().await?;
        }
        let head = log.head().await?;
        sqlx::query(include_str!("../../sql/forget_jobs.sql")).execute(log.pool()).await?;
        jobs::enlist(log.pool(), Position(head.0 - i64::from(jobs)), head).await?;
        sqlx::query("vacuum analyze").execute(log.pool()).await?;
        let began = Instant::now();
        let running = self.start(false, false);
        self.settled().await?;
        let elapsed = began.elapsed().as_secs_f64();
        running.stop().await?;
        Ok(f64::from(jobs) / elapsed)
    }

    /// Jobs per second that are commanded, enlisted, run and settled with a result event, as fast as 8 clients command them.
    async fn life(&self, length: Duration) -> anyhow::Result<f64> {
        let log = &self.connections.log;
        sqlx::query(include_str!("../../sql/forget_jobs.sql")).execute(log.pool()).await?;
        let head = log.head().await?;
        sqlx::query("update checkpoints set position = $1 where name = 'relay'").bind(head).execute(log.pool()).await?;
        let running = self.start(true, true);
        let (began, done) = (Instant::now(), AtomicUsize::new(0));
        let command = commands(log, 20);
        let client = async || {
            while began.elapsed() < length {
                done.fetch_add(usize::try_from(command().await?)?, Ordering::Relaxed);
            }
            anyhow::Ok(())
        };
        tokio::try_join!(client(), client(), client(), client(), client(), client(), client(), client())?;
        let jobs = u32::try_from(done.load(Ordering::Relaxed))?;
        self.completed(jobs).await?;
        let elapsed = began.elapsed().as_secs_f64();
        running.stop().await?;
        Ok(f64::from(jobs) / elapsed)
    }

    /// Milliseconds from before the append to the start of the attempt, at 100 jobs a second: the median, and all but one
    /// in a hundred.
    async fn latency(&self, length: Duration) -> anyhow::Result<(f64, f64)> {
        let log = &self.connections.log;
        let mut running = self.start(false, true);
        let mut requests = Vec::new();
        let mut ticks = tokio::time::interval(PACE);
        let began = Instant::now();
        while began.elapsed() < length.max(Duration::from_secs(1)) {
            ticks.tick().await;
            let asked = Instant::now();
            let appended = log.append(Append { key: None, writes: vec![upload()] }).await?;
            requests.push((appended.position(), asked));
        }
        let mut waits = Vec::new();
        let mut open: std::collections::HashMap<Position, Instant> = requests.into_iter().collect();
        while !open.is_empty() {
            let (position, at) = running.begun.recv().await.context("the worker has ended")?;
            if let Some(asked) = open.remove(&position) {
                waits.push(at.duration_since(asked).as_secs_f64() * 1_000.0);
            }
        }
        running.stop().await?;
        Ok(percentiles(waits))
    }

    /// Waits until nothing waits or runs.
    async fn settled(&self) -> anyhow::Result<()> {
        self.until(include_str!("../../sql/count_open_jobs.sql"), 0).await
    }

    /// Waits until so many jobs are completed.
    async fn completed(&self, jobs: u32) -> anyhow::Result<()> {
        self.until(include_str!("../../sql/count_missing_jobs.sql"), i64::from(jobs)).await
    }

    async fn until(&self, statement: &'static str, wanted: i64) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            let left: i64 = sqlx::query_scalar(statement).bind(wanted).fetch_one(self.connections.log.pool()).await?;
            if left <= 0 {
                return Ok(());
            }
        }
    }
}
