//! One attempt, from claim to settlement.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use atelier_events::given_up::given_up;
use atelier_events::infrastructure;
use atelier_events::jobs::{Claimed, End, Settlement};
use atelier_events::trace;
use futures::FutureExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::job::{Attempt, Job, Outcome};
use crate::lease::{Held, Leases};
use crate::retry::RetryPolicy;
use crate::settle::Ended;

/// How long a job waits that a worker of an older version has claimed: as long as it takes others to claim theirs.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(5);

/// What all attempts of one consumer share.
pub(crate) struct Worker<J> {
    pub(crate) job: J,
    pub(crate) leases: Leases,
    pub(crate) ended: mpsc::Sender<Ended>,
    pub(crate) retry: RetryPolicy,
    pub(crate) timeout: Duration,
    /// The grace period is over: what still runs goes back to the queue.
    pub(crate) handed_back: CancellationToken,
}

/// Begins the counters of attempts at nothing, so that the first of a kind is a change and not the beginning of a series.
pub(crate) fn begin_counting<J: Job>() {
    for end in ["completed", "retryable", "postponed", "snoozed", "released", "discarded"] {
        metrics::counter!("atelier_attempts_total", "consumer" => J::CONSUMER.name(), "end" => end).increment(0);
    }
}

/// Runs one attempt and sends its end to be settled. Panics of the job are errors like any other.
pub(crate) async fn run_attempt<J: Job>(worker: std::sync::Arc<Worker<J>>, claimed: Claimed) {
    let span = tracing::info_span!(
        "attempt",
        job.id = claimed.job,
        job.attempt = claimed.attempt,
        job.consumer = J::CONSUMER.name(),
        event.position = claimed.event.position.0,
        event.type = claimed.event.event_type,
        stream = %claimed.event.stream,
        trace.id = tracing::field::Empty,
        otel.name = tracing::field::Empty,
        otel.kind = tracing::field::Empty,
    );
    trace::follow_attempt(&span, &claimed, J::CONSUMER.name());
    if claimed.fence == 1 {
        metrics::histogram!("atelier_job_wait_seconds", "consumer" => J::CONSUMER.name())
            .record(claimed.event.age().as_secs_f64());
    }
    async {
        let began = Instant::now();
        let held = worker.leases.hold(claimed.job, claimed.fence);
        let Some(settlement) = end_of(&worker, &claimed, &held).await else {
            return;
        };
        metrics::histogram!("atelier_attempt_seconds", "consumer" => J::CONSUMER.name())
            .record(began.elapsed().as_secs_f64());
        metrics::counter!("atelier_attempts_total", "consumer" => J::CONSUMER.name(), "end" => label(&settlement.end))
            .increment(1);
        if let End::Retryable { error, .. } | End::Postponed { error, .. } | End::Discarded { error } = &settlement.end
        {
            trace::failed(&tracing::Span::current(), error);
        }
        // The settler outlives all attempts. The lease is held until the result is settled.
        drop(worker.ended.send(Ended { settlement, held, span: tracing::debug_span!("settle") }).await);
    }
    .instrument(span)
    .await;
}

async fn end_of<J: Job>(worker: &Worker<J>, claimed: &Claimed, held: &Held) -> Option<Settlement> {
    let settled = |end, writes| Some(Settlement { job: claimed.job, fence: claimed.fence, end, writes });
    let give_up = |error: String| {
        // What a job says of its error may hold anything, and Postgres takes no NUL in a text.
        let error = error.replace('\0', "\u{fffd}");
        let writes = given_up(J::CONSUMER, &claimed.event, J::CONSUMER.daemon(), &error);
        settled(End::Discarded { error }, writes)
    };
    if !claimed.event.is_known() {
        // Beside a newer version, this may be taken by who can do nothing with it. Given up, it would be lost.
        tracing::info!("a newer version's event: the job waits for a worker that knows it");
        return settled(End::Snoozed { delay_ms: millis(UNKNOWN_PAUSE) }, Vec::new());
    }
    if !worker.retry.allows(claimed.attempt) {
        // The worker of the last attempt died without a word.
        return give_up(claimed.error.clone().unwrap_or_else(|| "the last attempt did not end".to_owned()));
    }
    let attempt = Attempt {
        event: claimed.event.clone(),
        number: claimed.attempt,
        is_first: claimed.fence == 1,
        cancelled: held.lost.child_token(),
        progress: held.progress.clone(),
    };
    let running = AssertUnwindSafe(worker.job.run(&attempt)).catch_unwind();
    let ended = tokio::select! {
        ended = tokio::time::timeout(worker.timeout, running) => ended,
        () = held.lost.cancelled() => {
            attempt.cancelled.cancel();
            tracing::info!("stopped: the job was cancelled or taken over");
            return None;
        }
        () = worker.handed_back.cancelled() => {
            attempt.cancelled.cancel();
            return settled(End::Released, Vec::new());
        }
    };
    let error = match ended {
        Ok(Ok(Ok(Outcome::Completed(writes)))) => return settled(End::Completed, writes),
        Ok(Ok(Ok(Outcome::Snoozed(delay)))) => {
            return settled(End::Snoozed { delay_ms: millis(delay) }, Vec::new());
        }
        Ok(Ok(Ok(Outcome::Discarded(error)))) => {
            tracing::warn!(error, "discarded");
            return give_up(error);
        }
        Ok(Ok(Err(error))) if infrastructure::is_to_blame(error.as_ref()) => {
            // The fence counts every claim, so the difference counts those that cost no attempt.
            let pause = worker.retry.pause_of_outage(claimed.fence - i64::from(claimed.attempt));
            let error = format!("{error:#}");
            tracing::warn!(error, retry_in_ms = millis(pause), "what the job needs cannot be used; it waits");
            return settled(End::Postponed { error, delay_ms: millis(pause) }, Vec::new());
        }
        Ok(Ok(Err(error))) => format!("{error:#}"),
        Ok(Err(panic)) => format!("the attempt panicked: {}", words_of(panic.as_ref())),
        Err(_) => format!("the attempt took longer than {} ms", worker.timeout.as_millis()),
    };
    let Some(pause) = worker.retry.pause_after(claimed.attempt) else {
        tracing::error!(error, "failed for the last time");
        return give_up(error);
    };
    tracing::warn!(error, retry_in_ms = millis(pause), "failed; will be tried again");
    settled(End::Retryable { error, delay_ms: millis(pause) }, Vec::new())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

fn label(end: &End) -> &'static str {
    match end {
        End::Completed => "completed",
        End::Retryable { .. } => "retryable",
        End::Postponed { .. } => "postponed",
        End::Snoozed { .. } => "snoozed",
        End::Released => "released",
        End::Discarded { .. } => "discarded",
    }
}
