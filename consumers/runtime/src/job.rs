//! Jobs: many in parallel, in any order, with effects outside the database.
//!
//! A message, or a look at the table, claims jobs; each runs as an attempt under a lease; its outcome goes to the
//! settler. The message is acknowledged as soon as its job is claimed: the broker never waits for a long job.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use atelier_events::bus::{Inbox, Message, Received};
use atelier_events::connect::Kept;
use atelier_events::health::Pulse;
use atelier_events::jobs::{self, Claimed};
use atelier_events::log::Write;
use atelier_events::{Connections, Consumer, Recorded};
use rand::RngExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::attempt::{Worker, run_attempt};
use crate::lease::{Holder, Leases};
use crate::progress::Progress;
use crate::retry::RetryPolicy;
use crate::settings::ConsumerSettings;
use crate::settle;

/// How long a free slot waits for others.
const COMPANY_WAIT: Duration = Duration::from_millis(1);

/// A consumer that runs jobs.
pub trait Job: Send + Sync + 'static {
    /// Whose jobs.
    const CONSUMER: Consumer;

    /// One attempt. It may be stopped at any await and run again, here or elsewhere: whatever it does outside the log
    /// must be the same the second time. An error is retried by policy until the attempts run out; one that the infrastructure is to
    /// blame for ([`atelier_events::infrastructure`]) costs none of them.
    ///
    /// When the job is given up, after the last attempt or because it was discarded, the log says so by
    /// [`atelier_events::given_up`].
    fn run(&self, attempt: &Attempt) -> impl Future<Output = anyhow::Result<Outcome>> + Send;
}

/// One try at a job.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The event to act on.
    pub event: Recorded,
    /// Which try, from 1. One that is handed back, or that the infrastructure is to blame for, does not count.
    pub number: i32,
    /// Whether nobody has begun this job before, counted or not.
    pub is_first: bool,
    /// Cancelled when the result is not wanted any more; the attempt is dropped soon after.
    pub cancelled: CancellationToken,
    /// To be told how far it has come, by jobs that take long.
    pub progress: Progress,
}

impl Attempt {
    /// The first one at the job of an event, by whoever is no daemon: nothing cancels it, and nobody is told how far it has come.
    #[must_use]
    pub fn first(event: Recorded) -> Self {
        Self { event, number: 1, is_first: true, cancelled: CancellationToken::new(), progress: Progress::default() }
    }
}

/// How an attempt ended, if not with an error.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Done; these are appended together with the job's end.
    Completed(Vec<Write>),
    /// Again later, without counting as an attempt.
    Snoozed(Duration),
    /// It can never succeed; the words are for the owner.
    Discarded(String),
}

/// Runs a consumer's jobs until shutdown, then lets running attempts finish within the grace period and hands back the rest.
pub async fn run_job<J: Job>(
    job: J,
    connections: &Connections,
    settings: &ConsumerSettings,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let prefetch = u16::try_from(settings.concurrency * 2).unwrap_or(u16::MAX);
    let inbox = connections.bus.inbox(J::CONSUMER, prefetch).await.context("opening the inbox")?;
    let leases = Leases::default();
    let (ended, settlements) = mpsc::channel(settle::WAITING_LIMIT);
    let stopping = CancellationToken::new();
    let settler = tokio::spawn(settle::run(connections.log.clone(), settlements, stopping.clone()));
    let name = worker_name();
    let holder = Holder { name: name.clone(), consumer: J::CONSUMER, concurrency: settings.concurrency };
    let renewer = tokio::spawn(leases.clone().renew(connections.log.clone(), holder, settings.lease_ttl_ms));
    let handed_back = CancellationToken::new();
    let worker = Arc::new(Worker {
        job,
        leases,
        ended,
        retry: RetryPolicy::new(settings),
        timeout: Duration::from_millis(settings.attempt_timeout_ms),
        handed_back: handed_back.clone(),
    });
    let mut claims = Claims {
        inbox,
        came: Vec::new(),
        pool: connections.log.loops().clone(),
        kept: connections.log.kept(),
        consumer: J::CONSUMER,
        name: name.clone(),
        lease_ms: i64::from(settings.lease_ttl_ms),
        poll_interval: Duration::from_millis(settings.poll_interval_ms),
        rate_per_minute: settings.rate_per_minute,
        look_at: Instant::now(),
        pulse: Pulse::of(format!("{} claims", J::CONSUMER)),
    };
    let slots = Arc::new(Semaphore::new(settings.concurrency));
    // Half of them at a time: while one half is claimed, the other runs.
    let most = settings.concurrency.div_ceil(2);
    let mut attempts = JoinSet::new();
    crate::attempt::begin_counting::<J>();
    tracing::info!(consumer = %J::CONSUMER, worker = claims.name, "running");
    loop {
        while attempts.try_join_next().is_some() {}
        // An attempt may take its time, which is bounded by its timeout.
        claims.pulse.rest();
        // Holding the slots before claiming means that whatever is claimed starts at once. The attempt that runs when
        // shutdown comes may end, and free its slot, before this is polled: shutdown counts first.
        let free = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            free = free_slots(&slots, most) => free,
        };
        let claimed = claims.next(free.len(), &shutdown).await;
        for (claimed, slot) in claimed.into_iter().zip(free) {
            let worker = Arc::clone(&worker);
            attempts.spawn(async move {
                run_attempt(worker, claimed).await;
                drop(slot);
            });
        }
        claims.acknowledge().await;
    }
    let grace = tokio::time::sleep(Duration::from_millis(settings.grace_ms));
    tokio::pin!(grace);
    loop {
        tokio::select! {
            ended = attempts.join_next() => if ended.is_none() { break },
            () = &mut grace, if !handed_back.is_cancelled() => handed_back.cancel(),
        }
    }
    drop(worker);
    stopping.cancel();
    settler.await.context("the settler")?;
    renewer.abort();
    if let Err(error) = jobs::forget_worker(connections.log.pool(), &name).await {
        tracing::debug!(error = %error, "could not sign off; the worker counts as gone in a minute");
    }
    tracing::info!(consumer = %J::CONSUMER, "stopped");
    Ok(())
}

/// Waits for one slot and takes whatever others are free, at most so many. Where many are wanted and few are free, others
/// become so in a moment: attempts that are over in no time would otherwise be claimed by twos and threes, each time with a
/// statement of its own.
async fn free_slots(slots: &Arc<Semaphore>, most: usize) -> Vec<OwnedSemaphorePermit> {
    let mut free = Vec::with_capacity(most);
    let take_others = |free: &mut Vec<_>| {
        while free.len() < most
            && let Ok(slot) = Arc::clone(slots).try_acquire_owned()
        {
            free.push(slot);
        }
    };
    if let Ok(slot) = Arc::clone(slots).acquire_owned().await {
        free.push(slot);
    }
    take_others(&mut free);
    if free.len() < most / 2 {
        tokio::time::sleep(COMPANY_WAIT).await;
        take_others(&mut free);
    }
    free
}

/// Who holds a lease: host, process and a part that differs between two consumers in one process.
fn worker_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let part: u32 = rand::rng().random();
    format!("{}:{}:{part:08x}", host.trim(), std::process::id())
}

/// Where claims come from: messages, and at intervals the table itself.
///
/// A message says that there is a job more, and not which to do: the claim takes the first of those that wait, so that
/// somebody who waits for one picture comes before a thousand that nobody waits for, whatever order messages come in.
struct Claims {
    inbox: Box<dyn Inbox>,
    /// Messages whose jobs are claimed, to be acknowledged.
    came: Vec<Message>,
    pool: sqlx::PgPool,
    /// What claims go over.
    kept: Kept,
    consumer: Consumer,
    name: String,
    lease_ms: i64,
    poll_interval: Duration,
    /// Starts a minute that all daemons of this consumer share; 0 for as many as there are.
    rate_per_minute: u32,
    /// When to look at the table, however many messages come: at once when the last look took as many as it asked for,
    /// since there may be more.
    look_at: Instant,
    /// Rests while nothing is asked of the database.
    pulse: Pulse,
}

impl Claims {
    /// At most `limit` jobs whose lease is now this worker's; may be none. Shutdown ends the waiting and not the
    /// claiming: what is claimed is run or handed back, and so loses no attempt.
    async fn next(&mut self, limit: usize, shutdown: &CancellationToken) -> Vec<Claimed> {
        if self.look_at > Instant::now() {
            let received = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Vec::new(),
                received = tokio::time::timeout_at(self.look_at, self.inbox.receive(limit)) => received,
            };
            self.pulse.beat();
            if let Ok(Received::Messages(messages)) = received {
                let claimed = self.claim(messages.len().min(limit)).await;
                // Unacknowledged messages come again when the connection does; the table is looked at before that.
                if claimed.is_ok() {
                    self.came = messages;
                }
                return self.or_none(claimed).await;
            }
        }
        self.pulse.beat();
        let claimed = self.claim(limit).await;
        let claimed = self.or_none(claimed).await;
        self.look_at = Instant::now();
        if claimed.len() < limit {
            // Jitter keeps the daemons of one machine from looking all at once.
            self.look_at += self.poll_interval.mul_f64(rand::rng().random_range(0.75..1.25));
        }
        claimed
    }

    /// After the attempts have begun: the broker is in nobody's way then.
    async fn acknowledge(&mut self) {
        Message::ack_all(std::mem::take(&mut self.came)).await;
    }

    async fn claim(&mut self, limit: usize) -> sqlx::Result<Vec<Claimed>> {
        let mut most = i64::try_from(limit).unwrap_or(i64::MAX);
        if self.rate_per_minute > 0 {
            most = jobs::take_starts(&self.pool, self.consumer, f64::from(self.rate_per_minute), most).await?;
        }
        let claimed = if most > 0 {
            let mut connection = self.kept.take().await?;
            let claimed = jobs::claim(&mut connection, self.consumer, most, &self.name, self.lease_ms).await?;
            self.kept.give_back(connection);
            claimed
        } else {
            Vec::new()
        };
        let left = most - i64::try_from(claimed.len()).unwrap_or(i64::MAX);
        if self.rate_per_minute > 0 && left > 0 {
            jobs::return_starts(&self.pool, self.consumer, left).await?;
        }
        Ok(claimed)
    }

    async fn or_none(&mut self, claimed: sqlx::Result<Vec<Claimed>>) -> Vec<Claimed> {
        match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(consumer = %self.consumer, error = %error, "could not claim; trying again");
                self.pulse.rest();
                tokio::time::sleep(self.poll_interval).await;
                Vec::new()
            }
        }
    }
}
