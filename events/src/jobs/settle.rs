//! Settling: the ends of attempts, together with the events that tell of them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use sqlx::{Connection, PgConnection, PgPool};

use crate::id::Stream;
use crate::log::{Append, Write, append_in};

/// The end of one attempt.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// Which job.
    pub job: i64,
    /// The claim's fence.
    pub fence: i64,
    /// What becomes of the job.
    pub end: End,
    /// What happened: appended together with the end, or not at all.
    pub writes: Vec<Write>,
}

/// What becomes of a job after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Done.
    Completed,
    /// Again later, because of an error.
    Retryable {
        /// Why.
        error: String,
        /// From now, in milliseconds.
        delay_ms: i64,
    },
    /// Again later, without counting as an attempt.
    Snoozed {
        /// From now, in milliseconds.
        delay_ms: i64,
    },
    /// Again later, without counting as an attempt: what it needs cannot be used for now.
    Postponed {
        /// What that is.
        error: String,
        /// From now, in milliseconds.
        delay_ms: i64,
    },
    /// Back to the queue at once, without counting as an attempt: the worker stops.
    Released,
    /// Never again, unless someone asks for it.
    Discarded {
        /// Why.
        error: String,
    },
}

impl End {
    fn state(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Retryable { .. } => "retryable",
            Self::Snoozed { .. } | Self::Postponed { .. } => "scheduled",
            Self::Released => "available",
            Self::Discarded { .. } => "discarded",
        }
    }

    fn error(&self) -> Option<&str> {
        match self {
            Self::Retryable { error, .. } | Self::Postponed { error, .. } | Self::Discarded { error } => Some(error),
            Self::Completed | Self::Snoozed { .. } | Self::Released => None,
        }
    }

    fn refund(&self) -> i32 {
        i32::from(matches!(self, Self::Snoozed { .. } | Self::Postponed { .. } | Self::Released))
    }

    fn delay_ms(&self) -> i64 {
        match self {
            Self::Retryable { delay_ms, .. } | Self::Postponed { delay_ms, .. } | Self::Snoozed { delay_ms } => {
                *delay_ms
            }
            Self::Completed | Self::Released | Self::Discarded { .. } => 0,
        }
    }
}

/// Ends attempts and appends what came of them in one transaction. Answers the jobs whose end was taken: the others'
/// fence was stale, and nothing of theirs is in the log.
pub async fn settle(pool: &PgPool, settlements: &[Settlement]) -> sqlx::Result<Vec<i64>> {
    settle_over(&mut *pool.acquire().await?, settlements).await
}

/// As [`settle`], over a connection that the caller has already and that is to be closed after an error.
pub async fn settle_over(connection: &mut PgConnection, settlements: &[Settlement]) -> sqlx::Result<Vec<i64>> {
    let (completed, others): (Vec<&Settlement>, Vec<&Settlement>) =
        settlements.iter().partition(|settlement| settlement.end == End::Completed);
    if others.is_empty() && completed.iter().all(|settlement| settlement.writes.is_empty()) {
        // A single statement is its own transaction: no round trip for begin and commit.
        let ended = complete_attempts(connection, &completed, &[]).await?;
        return Ok(jobs_of(ended));
    }
    let mut tx = connection.begin().await?;
    let mut ended = complete_attempts(&mut tx, &completed, &others).await?;
    if !others.is_empty() {
        ended.extend(end_attempts(&mut tx, &others).await?);
    }
    let append =
        Append { key: None, writes: merged(counting(settlements, &ended).flat_map(|settlement| &settlement.writes)) };
    if !append.writes.is_empty() {
        for appended in append_in(&mut tx, &[&append]).await? {
            // What a job reports is true whatever version its stream is at, so nothing refuses it; should a job
            // expect a version all the same, the whole settlement is taken back and the attempt repeated.
            appended.map_err(|refused| sqlx::Error::Protocol(refused.to_string()))?;
        }
    }
    tx.commit().await?;
    Ok(jobs_of(ended))
}

fn jobs_of(ended: Vec<(i64, i64)>) -> Vec<i64> {
    ended.into_iter().map(|(job, _)| job).collect()
}

/// The settlements that were taken.
fn counting<'a>(settlements: &'a [Settlement], ended: &[(i64, i64)]) -> impl Iterator<Item = &'a Settlement> {
    let ended: HashSet<(i64, i64)> = ended.iter().copied().collect();
    settlements.iter().filter(move |one| ended.contains(&(one.job, one.fence)))
}

/// One write per stream, as an append wants it: two variants of one artwork may end at the same time.
pub(super) fn merged<'a>(writes: impl Iterator<Item = &'a Write>) -> Vec<Write> {
    let mut merged: Vec<Write> = Vec::new();
    let mut by_stream: HashMap<&Stream, usize> = HashMap::new();
    for write in writes {
        match by_stream.entry(&write.stream) {
            Entry::Occupied(known) => merged[*known.get()].events.extend(write.events.iter().cloned()),
            Entry::Vacant(new) => {
                new.insert(merged.len());
                merged.push(write.clone());
            }
        }
    }
    merged
}

/// Jobs and fences, as the statements want them.
fn columns(settlements: &[&Settlement]) -> (Vec<i64>, Vec<i64>) {
    settlements.iter().map(|settlement| (settlement.job, settlement.fence)).unzip()
}

/// The usual end, which is the same for all of them. Answers `(job, fence)` of those taken: a batch may hold two attempts
/// at one job, of which one at most counts. Locks the leases of `others` as well.
async fn complete_attempts(
    connection: &mut PgConnection,
    completed: &[&Settlement],
    others: &[&Settlement],
) -> sqlx::Result<Vec<(i64, i64)>> {
    let (jobs, fences) = columns(completed);
    sqlx::query_as(include_str!("../../sql/complete_attempts.sql"))
        .bind(jobs)
        .bind(fences)
        .bind(columns(others).0)
        .fetch_all(connection)
        .await
}

/// The ends that differ. Answers as [`complete_attempts`].
async fn end_attempts(connection: &mut PgConnection, others: &[&Settlement]) -> sqlx::Result<Vec<(i64, i64)>> {
    let (jobs, fences) = columns(others);
    let ends = || others.iter().map(|settlement| &settlement.end);
    let errors: Vec<Option<String>> =
        ends().map(|end| end.error().map(|error| error.replace('\0', "\u{fffd}"))).collect();
    sqlx::query_as(include_str!("../../sql/end_attempts.sql"))
        .bind(jobs)
        .bind(fences)
        .bind(ends().map(End::state).collect::<Vec<_>>())
        .bind(errors)
        .bind(ends().map(End::refund).collect::<Vec<_>>())
        .bind(ends().map(End::delay_ms).collect::<Vec<_>>())
        .fetch_all(connection)
        .await
}
