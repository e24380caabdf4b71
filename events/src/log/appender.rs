//! The appender: one task per process through which all its appends go. While one transaction is on its way, the next
//! batch gathers; under load that makes one lock and one fsync serve many appends.

use std::collections::{HashSet, VecDeque};

use sqlx::{Acquire, PgPool};
use tokio::sync::{mpsc, oneshot};

use super::append::{Append, AppendError, Appended, append_in};
use crate::signal::{Channel, Signals};

/// Appends that may wait before senders have to.
pub(super) const WAITING_LIMIT: usize = 4_096;
/// Events in one transaction, at the most (one append may exceed it: it is never split).
const BATCH_EVENTS: usize = 512;

type Answer = oneshot::Sender<Result<Appended, AppendError>>;
type Waiting = (Append, Answer);

/// Runs until the last sender is gone and everything received has been answered.
pub(super) async fn run(pool: PgPool, signals: Signals, mut appends: mpsc::Receiver<Waiting>) {
    let mut queue: VecDeque<Waiting> = VecDeque::new();
    loop {
        if queue.is_empty() {
            match appends.recv().await {
                Some(append) => queue.push_back(append),
                None => return,
            }
        }
        while let Ok(append) = appends.try_recv() {
            queue.push_back(append);
        }
        let batch = next_batch(&mut queue);
        metrics::histogram!("atelier_log_batch_appends")
            .record(f64::from(u32::try_from(batch.len()).unwrap_or(u32::MAX)));
        commit(&pool, &signals, batch).await;
    }
}

/// Takes from the front of the queue, leaving for the next batch what would name a stream or key twice.
fn next_batch(queue: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let mut streams: HashSet<String> = HashSet::new();
    let mut keys: HashSet<String> = HashSet::new();
    let mut events = 0;
    let mut batch = Vec::new();
    let mut later = VecDeque::new();
    while let Some((append, answer)) = queue.pop_front() {
        let size: usize = append.writes.iter().map(|write| write.events.len()).sum();
        let taken = append.writes.iter().any(|write| streams.contains(write.stream.as_str()))
            || append.key.as_ref().is_some_and(|keyed| keys.contains(&keyed.key));
        // What waits blocks what comes after it on the same streams: appends to one stream keep their order.
        streams.extend(append.writes.iter().map(|write| write.stream.as_str().to_owned()));
        keys.extend(append.key.iter().map(|keyed| keyed.key.clone()));
        if taken || (!batch.is_empty() && events + size > BATCH_EVENTS) {
            later.push_back((append, answer));
        } else {
            events += size;
            batch.push((append, answer));
        }
        if events >= BATCH_EVENTS {
            break;
        }
    }
    later.append(queue);
    *queue = later;
    batch
}

async fn commit(pool: &PgPool, signals: &Signals, batch: Vec<Waiting>) {
    let (appends, answers): (Vec<Append>, Vec<Answer>) = batch.into_iter().unzip();
    let refs: Vec<&Append> = appends.iter().collect();
    let results = match append_batch(pool, &refs).await {
        Ok(results) => results,
        // One append that the database cannot take (a NUL in a text, an id seen before) fails the statement for all.
        // Alone, each fails or succeeds on its own.
        Err(error) if refs.len() > 1 && error.as_database_error().is_some() => {
            let mut results = Vec::with_capacity(refs.len());
            for append in refs {
                results.push(match append_batch(pool, &[append]).await {
                    Ok(mut one) => one.pop().unwrap_or(Err(AppendError::Stopped)),
                    Err(error) => Err(error.into()),
                });
            }
            results
        }
        Err(error) => {
            let text = error.to_string();
            let mut results = vec![Err(AppendError::Database(error))];
            results.resize_with(answers.len(), || {
                Err(AppendError::Database(sqlx::Error::Io(std::io::Error::other(text.clone()))))
            });
            results
        }
    };
    if results.iter().any(|result| matches!(result, Ok(Appended::Now { .. }))) {
        signals.raise(Channel::Log);
    }
    for (answer, result) in answers.into_iter().zip(results) {
        // A client that has gone away does not want its answer; the events are in the log all the same.
        drop(answer.send(result));
    }
}

/// A single statement is its own transaction: no round trip for begin and commit.
async fn append_batch(pool: &PgPool, batch: &[&Append]) -> Result<Vec<Result<Appended, AppendError>>, sqlx::Error> {
    let mut pooled = pool.acquire().await?;
    let connection = pooled.acquire().await?;
    append_in(connection, batch).await
}
