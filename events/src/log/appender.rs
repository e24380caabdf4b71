//! The appender: one task per process through which all its appends go. While one transaction is on its way, the next
//! batch gathers; under load that makes one lock and one fsync serve many appends.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::append::{Append, AppendError, Appended, Write};
use super::lane::Lane;
use crate::id::Stream;
use crate::signal::{Channel, Signals};

/// Appends that may wait before senders have to: so many in the channel and so many in the queue.
pub(super) const WAITING_LIMIT: usize = 4_096;
/// Events in one transaction, at the most (one append may exceed it: it is never split).
const BATCH_EVENTS: usize = 512;
/// Transactions under way at the same time. The log takes one after the other, so that a second could only be encoded and
/// sent meanwhile; as each would hold half of the appends, that costs more than it saves (65 to 86 µs of the database's
/// time an event instead of 56 to 59, 32 clients).
const LANES: usize = 1;
/// How long a batch waits, at the most, for the appends that came along the last time.
const COMPANY_WAIT: Duration = Duration::from_millis(1);

pub(super) type Waiting = (Append, oneshot::Sender<Result<Appended, AppendError>>);

/// Runs until the last sender is gone and everything received has been answered.
pub(super) async fn run(pool: PgPool, signals: Signals, mut appends: mpsc::Receiver<Waiting>) {
    let mut queue = Queue::default();
    let mut idle: Vec<Lane> = (0..LANES).map(|_| Lane::new(pool.clone())).collect();
    let mut under_way = JoinSet::new();
    let mut open = true;
    loop {
        while queue.has_room()
            && let Ok(append) = appends.try_recv()
        {
            queue.waiting.push_back(append);
        }
        if queue.is_ready()
            && let Some(lane) = idle.pop()
        {
            let batch = queue.next_batch();
            if !batch.is_empty() {
                metrics::histogram!("atelier_log_batch_appends")
                    .record(f64::from(u32::try_from(batch.len()).unwrap_or(u32::MAX)));
                under_way.spawn(commit(lane, signals.clone(), batch));
                continue;
            }
            // Everything that waits is for streams that are under way.
            idle.push(lane);
        }
        let company = queue.company_until.filter(|_| !idle.is_empty() && !queue.waiting.is_empty());
        tokio::select! {
            append = appends.recv(), if open && queue.has_room() => match append {
                Some(append) => queue.waiting.push_back(append),
                None => open = false,
            },
            Some(committed) = under_way.join_next() => {
                let (lane, appends) = committed.expect("a commit does not panic");
                queue.free(&appends);
                idle.push(lane);
            }
            () = sleep_until(company.unwrap_or_else(Instant::now)), if company.is_some() => queue.expected = 0,
            else => return,
        }
    }
}

/// Commits, tells the readers, and answers. Gives the lane back, and what it was about.
async fn commit(mut lane: Lane, signals: Signals, batch: Vec<Waiting>) -> (Lane, Vec<Append>) {
    let (appends, answers): (Vec<Append>, Vec<_>) = batch.into_iter().unzip();
    let results = lane.commit(&appends).await;
    if results.iter().any(|result| matches!(result, Ok(Appended::Now { .. }))) {
        signals.raise(Channel::Log);
    }
    for (answer, result) in answers.into_iter().zip(results) {
        // A client that has gone away does not want its answer; the events are in the log all the same.
        drop(answer.send(result));
    }
    (lane, appends)
}

/// What waits, and what it must not overtake.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// Streams and keys of the batches that are under way. No other batch may name them: appends to one stream keep
    /// their order, and of two with one key the second finds the first's answer.
    streams: HashSet<Stream>,
    keys: HashSet<String>,
    /// Appends under way.
    under_way: usize,
    /// Appends for which the next batch waits: as many as it would be if all came again that were there last time.
    expected: usize,
    /// Until when.
    company_until: Option<Instant>,
}

impl Queue {
    fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_LIMIT
    }

    /// Whether a batch has come together: without waiting, clients that append again and again would find themselves in
    /// batches of all but one and of one, in turns.
    fn is_ready(&mut self) -> bool {
        if self.waiting.is_empty() {
            self.company_until = None;
            return false;
        }
        let until = *self.company_until.get_or_insert_with(|| Instant::now() + COMPANY_WAIT);
        self.waiting.len() >= self.expected || until <= Instant::now()
    }

    /// Takes from the front, leaving for later what would name a stream or key twice.
    fn next_batch(&mut self) -> Vec<Waiting> {
        // What waits blocks what comes after it on the same streams.
        let (mut streams, mut keys) = (HashSet::new(), HashSet::new());
        let (mut batch, mut later) = (Vec::new(), VecDeque::new());
        let mut events = 0;
        while events < BATCH_EVENTS
            && let Some((append, answer)) = self.waiting.pop_front()
        {
            let size: usize = append.writes.iter().map(|write| write.events.len()).sum();
            let blocked = append
                .writes
                .iter()
                .any(|Write { stream, .. }| self.streams.contains(stream) || streams.contains(stream))
                || append.key.as_ref().is_some_and(|keyed| self.keys.contains(&keyed.key) || keys.contains(&keyed.key));
            streams.extend(append.writes.iter().map(|write| write.stream.clone()));
            keys.extend(append.key.iter().map(|keyed| keyed.key.clone()));
            if blocked || (!batch.is_empty() && events + size > BATCH_EVENTS) {
                later.push_back((append, answer));
            } else {
                events += size;
                batch.push((append, answer));
            }
        }
        later.append(&mut self.waiting);
        self.waiting = later;
        for (append, _) in &batch {
            self.streams.extend(append.writes.iter().map(|write| write.stream.clone()));
            self.keys.extend(append.key.iter().map(|keyed| keyed.key.clone()));
        }
        self.under_way += batch.len();
        self.expected = (self.under_way + self.waiting.len()).div_ceil(LANES);
        self.company_until = None;
        batch
    }

    /// These are no longer under way.
    fn free(&mut self, appends: &[Append]) {
        self.under_way -= appends.len();
        for append in appends {
            for write in &append.writes {
                self.streams.remove(&write.stream);
            }
            if let Some(keyed) = &append.key {
                self.keys.remove(&keyed.key);
            }
        }
    }
}
