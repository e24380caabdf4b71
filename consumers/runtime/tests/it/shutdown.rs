//! A consumer that is asked to stop takes no more work, finishes what it can and hands back the rest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use atelier_runtime::ConsumerSettings;
use tokio::sync::Semaphore;

use crate::scripted::{Begun, Scripted, done, scripted};
use crate::stage::{Stage, over_both_buses};

over_both_buses! {
    an_attempt_that_runs_is_finished_and_no_other_is_begun,
    what_is_not_finished_in_time_is_handed_back_and_loses_no_attempt,
    what_was_handed_back_runs_elsewhere,
    an_idle_consumer_stops_at_once,
}

/// Attempts wait for the gate.
fn gated() -> (Scripted, Begun, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let (job, begun) = scripted(move |attempt| {
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await?.forget();
            Ok(done(&attempt))
        }
    });
    (job, begun, opened)
}

async fn an_attempt_that_runs_is_finished_and_no_other_is_begun(stage: &Stage) -> anyhow::Result<()> {
    let (job, begun, gate) = gated();
    let running = stage.start(job, ConsumerSettings { concurrency: 1, ..Stage::settings() });
    let events = stage.publish(3).await?;
    begun.until(1).await?;
    running.shutdown.cancel();
    // Room for all of them; the others must stay where they are all the same.
    gate.add_permits(3);
    running.stop().await?;
    assert_eq!(begun.all().len(), 1);
    let mut states = Vec::new();
    for event in &events {
        let job = stage.job(event).await?;
        states.push((job.state, job.attempt));
    }
    states.sort();
    let untouched = ("available".to_owned(), 0);
    assert_eq!(states, [untouched.clone(), untouched, ("completed".to_owned(), 1)]);
    Ok(())
}

async fn what_is_not_finished_in_time_is_handed_back_and_loses_no_attempt(stage: &Stage) -> anyhow::Result<()> {
    let (job, begun, _gate) = gated();
    let running = stage.start(job, ConsumerSettings { grace_ms: 50, ..Stage::settings() });
    let events = stage.publish(2).await?;
    begun.until(2).await?;
    running.stop().await?;
    for event in &events {
        let job = stage.job(event).await?;
        assert_eq!((job.state.as_str(), job.attempt), ("available", 0));
        assert!(stage.outcome(event).await?.is_empty());
    }
    Ok(())
}

async fn what_was_handed_back_runs_elsewhere(stage: &Stage) -> anyhow::Result<()> {
    let (job, begun, _gate) = gated();
    let stopping = stage.start(job, ConsumerSettings { grace_ms: 50, ..Stage::settings() });
    let events = stage.publish(1).await?;
    begun.until(1).await?;
    let (job, begun_elsewhere, gate) = gated();
    gate.add_permits(1);
    let running = stage.start(job, Stage::settings());
    stopping.stop().await?;
    stage.until_all("completed", &events).await?;
    assert_eq!(begun_elsewhere.of(&events[0]), [1]);
    running.stop().await
}

async fn an_idle_consumer_stops_at_once(stage: &Stage) -> anyhow::Result<()> {
    let (job, _begun, gate) = gated();
    gate.add_permits(1);
    let running = stage.start(job, ConsumerSettings { poll_interval_ms: 60_000, ..Stage::settings() });
    let events = stage.publish(1).await?;
    stage.until_all("completed", &events).await?;
    let asked = Instant::now();
    running.stop().await?;
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    Ok(())
}
