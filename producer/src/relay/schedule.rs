//! Jobs whose time has come, and jobs whose worker has stopped answering, are sent to their consumers.

use std::time::Duration;

use anyhow::Context as _;
use atelier_events::consumer::Kind;
use atelier_events::health::Pulse;
use atelier_events::{Consumer, Position, Recorded, infrastructure, jobs, lead, passed_over, poison};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{NAME, Relay, jittered};

/// How long leases that have ended are left alone at the beginning and after an outage of the database: nobody could
/// renew them meanwhile, and workers that live do so within a third of a lease. A job that is rescued loses an attempt.
const RENEWAL_CHANCE: Duration = Duration::from_secs(4);

/// How often jobs and poison messages are counted for the metrics.
const COUNTING: Duration = Duration::from_secs(10);

/// Looks at intervals until it is stopped.
pub(super) async fn run(relay: &Relay, stop: &CancellationToken) {
    // There from the start: the first one that is sent is a change then, and not the beginning of a series.
    for consumer in Consumer::ALL.into_iter().filter(|consumer| consumer.kind() == Kind::Job) {
        for why in ["due", "rescued"] {
            metrics::counter!("atelier_relay_jobs_sent_total", "consumer" => consumer.name(), "why" => why)
                .increment(0);
        }
    }
    let pulse = Pulse::of("relay schedule");
    let mut count_at = Instant::now();
    let mut rescue_at = Instant::now() + RENEWAL_CHANCE;
    while !stop.is_cancelled() {
        pulse.beat();
        if count_at <= Instant::now() {
            count_at = Instant::now() + COUNTING;
            count(relay).await;
        }
        match tick(relay, rescue_at).await {
            // There may be more than one look takes.
            Ok(sent) if sent > 0 => continue,
            Ok(_) => {}
            Err(error) => {
                if infrastructure::is_to_blame(error.as_ref()) {
                    rescue_at = Instant::now() + RENEWAL_CHANCE;
                }
                tracing::warn!(error = format!("{error:#}"), "the schedule could not be kept; trying again");
            }
        }
        pulse.rest();
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(jittered(relay.poll)) => {}
        }
    }
}

/// How many jobs there are that are not done, and how many messages that nobody could take. Beside the schedule, which
/// goes on without.
async fn count(relay: &Relay) {
    match jobs::count_open(relay.log.pool()).await {
        Ok(counts) => {
            for jobs::Count { consumer, state, jobs } in counts {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a gauge is a float; beyond 2^53 jobs it is a little off"
                )]
                metrics::gauge!("atelier_jobs", "consumer" => consumer, "state" => state).set(jobs as f64);
            }
        }
        Err(error) => tracing::warn!(error = %error, "the jobs could not be counted"),
    }
    match poison::count(relay.log.pool()).await {
        Ok(counts) => {
            for poison::Count { consumer, messages } in counts {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a gauge is a float; beyond 2^53 messages it is a little off"
                )]
                metrics::gauge!("atelier_poison_messages", "consumer" => consumer).set(messages as f64);
            }
        }
        Err(error) => tracing::warn!(error = %error, "the poison messages could not be counted"),
    }
}

async fn tick(relay: &Relay, rescue_at: Instant) -> anyhow::Result<usize> {
    measure(relay).await?;
    let pool = relay.log.loops();
    let due = jobs::due(pool).await.context("the jobs that are due could not be read")?;
    let mut rescued = Vec::new();
    if rescue_at <= Instant::now() {
        rescued = jobs::rescue(pool).await.context("the jobs without a worker could not be rescued")?;
    }
    let sent = deliver(relay, due, "due").await + deliver(relay, rescued, "rescued").await;
    Ok(sent + take_up(relay).await?)
}

/// What a relay of an older version went past, not knowing its type: it is enlisted and published as it would have been
/// then, and forgotten last, so that whatever fails before is done again.
async fn take_up(relay: &Relay) -> anyhow::Result<usize> {
    let pool = relay.log.loops();
    let events = passed_over::known(pool).await.context("the events that were passed over could not be read")?;
    if events.is_empty() {
        return Ok(0);
    }
    let mut connection = pool.acquire().await.context("the database cannot be reached")?;
    for event in &events {
        let before = Position(event.position.0 - 1);
        jobs::enlist(&mut *connection, before, event.position).await.context("the jobs could not be enlisted")?;
    }
    relay.bus.publish(&events).await.context("the bus did not take the events that were passed over")?;
    passed_over::forget(&mut *connection, &events)
        .await
        .context("the events that were passed over could not be forgotten")?;
    tracing::info!(events = events.len(), "took up what an older version's relay had passed over");
    Ok(events.len())
}

/// A job that could not be sent is available all the same, and its consumer finds it when it looks by itself.
async fn deliver(relay: &Relay, deliveries: Vec<(Consumer, Vec<Recorded>)>, why: &'static str) -> usize {
    let mut sent = 0;
    for (consumer, events) in deliveries {
        metrics::counter!("atelier_relay_jobs_sent_total", "consumer" => consumer.name(), "why" => why)
            .increment(events.len() as u64);
        match relay.bus.deliver(consumer, &events).await {
            Ok(()) => sent += events.len(),
            Err(error) => tracing::warn!(error = %error, job.consumer = consumer.name(), "jobs could not be sent"),
        }
    }
    sent
}

/// How far publishing is behind. Here and not where events are published, so that it is told also when that is stuck.
async fn measure(relay: &Relay) -> anyhow::Result<()> {
    let position = lead::checkpoint(relay.log.loops(), NAME).await.context("the checkpoint could not be read")?;
    let head = relay.log.head().await.context("the log's head could not be read")?;
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; beyond 2^53 events it is a little off")]
    let (at, lag) = (position.0 as f64, (head.0 - position.0) as f64);
    metrics::gauge!("atelier_relay_checkpoint").set(at);
    metrics::gauge!("atelier_relay_lag_events").set(lag);
    let waiting = if head > position {
        relay.log.read_over(relay.log.loops(), position, 1).await.context("the next event could not be read")?
    } else {
        Vec::new()
    };
    metrics::gauge!("atelier_relay_lag_seconds").set(waiting.first().map_or(0.0, |event| event.age().as_secs_f64()));
    Ok(())
}
