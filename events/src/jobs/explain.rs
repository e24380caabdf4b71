//! Why a job waits, and until when.

use serde::Serialize;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};

use super::Job;

/// All that decides when a job runs, read in one statement.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Facts {
    #[sqlx(flatten)]
    job: Job,
    lease_until: Option<OffsetDateTime>,
    paused_by: Option<String>,
    paused_at: Option<OffsetDateTime>,
    ahead: Option<i64>,
    running: i64,
    workers: i64,
    concurrency: i64,
    worker_seen_at: Option<OffsetDateTime>,
    ended_lately: i64,
    relay_leads: bool,
    starts_left: Option<f64>,
    event_type: String,
    now: OffsetDateTime,
}

/// A job, what it waits for, and when it will run.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// The job.
    #[serde(flatten)]
    pub job: Job,
    /// The type of the event it is about.
    pub event_type: String,
    /// What it waits for; none of it when it has ended.
    pub waiting: Waiting,
}

/// What a job waits for.
#[derive(Clone, Debug, Serialize)]
pub struct Waiting {
    /// The reasons, the weightiest first; none when it has ended.
    pub reasons: Vec<Reason>,
    /// When it will run, as far as can be told: exact when it waits for a time, a guess when it waits for its turn, none
    /// when it waits for somebody to do something.
    #[serde(with = "time::serde::rfc3339::option")]
    pub runs_at: Option<OffsetDateTime>,
}

/// One reason why a job does not run, or that it does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// It runs.
    Running {
        /// Who has the lease.
        worker: String,
        /// When it would be rescued, were the lease not renewed.
        #[serde(with = "time::serde::rfc3339")]
        lease_until: OffsetDateTime,
    },
    /// Its worker has not renewed the lease: it is about to be rescued.
    LeaseEnded {
        /// Who had the lease.
        worker: String,
    },
    /// Its consumer is paused.
    Paused {
        /// By whom.
        by: String,
        /// Since when.
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
    },
    /// No daemon of its consumer has been seen for a minute.
    NoWorker {
        /// When one was seen last.
        #[serde(with = "time::serde::rfc3339::option")]
        seen_at: Option<OffsetDateTime>,
    },
    /// An error, and a pause after it.
    Backoff {
        /// The attempt that failed.
        attempt: i32,
        /// How.
        error: String,
    },
    /// What it needs (the database, the bucket, a disk) could not be used.
    Infrastructure {
        /// What was wrong.
        error: String,
    },
    /// It was put off, or asked for at a later time.
    Scheduled,
    /// Nobody moves jobs whose time has come: no producer leads as relay.
    NoRelay,
    /// Others come before it.
    Queued {
        /// Jobs of its consumer that come first.
        ahead: i64,
        /// Attempts that run now.
        running: i64,
        /// Attempts that can run at a time.
        concurrency: i64,
    },
    /// Its consumer's rate is used up for the moment.
    RateLimited,
}

impl Reason {
    /// The reason in a sentence.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Running { worker, .. } => format!("it runs, on {worker}"),
            Self::LeaseEnded { worker } => {
                format!("its worker {worker} stopped answering; it is rescued within seconds while a producer runs")
            }
            Self::Paused { by, .. } => format!("its consumer was paused by {by}: resume it"),
            Self::NoWorker { seen_at: None } => "no daemon of its consumer has ever run: start one".to_owned(),
            Self::NoWorker { seen_at: Some(_) } => "no daemon of its consumer is running: start one".to_owned(),
            Self::Backoff { attempt, error } => {
                format!("attempt {attempt} failed ({error}); it is tried again after a pause")
            }
            Self::Infrastructure { error } => {
                format!("what it needs could not be used ({error}); it is tried again soon and loses no attempt by it")
            }
            Self::Scheduled => "it was put off until its time comes".to_owned(),
            Self::NoRelay => "no producer leads as relay, so nothing becomes available: start one".to_owned(),
            Self::Queued { ahead, running, concurrency } => {
                format!("{ahead} jobs come first; {running} of {concurrency} attempts are running")
            }
            Self::RateLimited => "its consumer's rate limit is used up for the moment".to_owned(),
        }
    }
}

/// Explains a job; none of this id.
pub async fn explain(pool: &PgPool, job: i64) -> sqlx::Result<Option<Explained>> {
    let facts: Option<Facts> =
        sqlx::query_as(include_str!("../../sql/explain_job.sql")).bind(job).fetch_optional(pool).await?;
    Ok(facts.map(|facts| Explained { waiting: facts.waiting(), event_type: facts.event_type, job: facts.job }))
}

impl Facts {
    fn waiting(&self) -> Waiting {
        let reasons = self.reasons();
        let stuck = reasons
            .iter()
            .any(|reason| matches!(reason, Reason::Paused { .. } | Reason::NoWorker { .. } | Reason::NoRelay));
        let runs_at = match self.job.state.as_str() {
            _ if stuck => None,
            "running" => self.job.attempted_at,
            "scheduled" | "retryable" => Some(self.job.run_at.max(self.now)),
            "available" => self.turn(),
            _ => None,
        };
        Waiting { reasons, runs_at }
    }

    fn reasons(&self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let waits = match self.job.state.as_str() {
            "running" => {
                let worker = self.job.worker.clone().unwrap_or_default();
                reasons.push(match self.lease_until {
                    Some(lease_until) if lease_until > self.now => Reason::Running { worker, lease_until },
                    _ => Reason::LeaseEnded { worker },
                });
                false
            }
            "available" | "scheduled" | "retryable" => true,
            _ => false,
        };
        if !waits {
            return reasons;
        }
        if let (Some(by), Some(since)) = (&self.paused_by, self.paused_at) {
            reasons.push(Reason::Paused { by: by.clone(), since });
        }
        if self.workers == 0 {
            reasons.push(Reason::NoWorker { seen_at: self.worker_seen_at });
        }
        match self.job.state.as_str() {
            "retryable" => reasons
                .push(Reason::Backoff { attempt: self.job.attempt, error: self.job.error.clone().unwrap_or_default() }),
            "scheduled" => reasons.push(match &self.job.error {
                Some(error) => Reason::Infrastructure { error: error.clone() },
                None => Reason::Scheduled,
            }),
            _ => reasons.push(Reason::Queued {
                ahead: self.ahead.unwrap_or_default(),
                running: self.running,
                concurrency: self.concurrency,
            }),
        }
        if self.job.state != "available" && !self.relay_leads {
            reasons.push(Reason::NoRelay);
        }
        if self.job.state == "available" && self.starts_left.is_some_and(|starts| starts < 1.0) {
            reasons.push(Reason::RateLimited);
        }
        reasons
    }

    /// A guess by the pace of the last five minutes; now when nothing comes first and somebody is free.
    fn turn(&self) -> Option<OffsetDateTime> {
        let ahead = self.ahead.unwrap_or_default();
        if ahead == 0 && self.running < self.concurrency {
            return Some(self.now);
        }
        let pace = Duration::minutes(5).checked_div(i32::try_from(self.ended_lately).ok()?)?;
        Some(self.now + pace * i32::try_from(ahead + 1).ok()?)
    }
}
