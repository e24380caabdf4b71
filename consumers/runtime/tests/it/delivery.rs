//! Messages wake; the table is the truth.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use atelier_e2e::Database;
use atelier_events::jobs::{self, Filter};
use atelier_events::signal::Signals;
use atelier_events::{Consumer, Log};
use atelier_runtime::{ConsumerSettings, Outcome};

use crate::scripted::{done, scripted};
use crate::stage::{Stage, over_both_buses};

over_both_buses! {
    a_job_runs_once_though_its_message_comes_five_times,
    two_workers_share_the_jobs_and_run_none_twice,
    a_job_whose_message_was_lost_is_found_by_polling,
    a_job_whose_message_was_lost_is_found_though_messages_keep_coming,
    jobs_from_before_the_first_start_are_run,
    a_job_that_was_cancelled_does_not_run_when_its_message_comes,
}

async fn a_job_runs_once_though_its_message_comes_five_times(stage: &Stage) -> anyhow::Result<()> {
    let (job, begun) = scripted(|attempt| async move { Ok(done(&attempt)) });
    let events = stage.enlist(3).await?;
    for _ in 0..5 {
        stage.bus().publish(&events).await?;
    }
    let running = stage.start(job, Stage::settings());
    stage.until_all("completed", &events).await?;
    for _ in 0..5 {
        stage.bus().deliver(Consumer::Thumbnails, &events).await?;
    }
    // Messages come in order: once this one has had its effect, all before it have had theirs.
    let last = stage.publish(1).await?;
    stage.until_all("completed", &last).await?;
    for event in &events {
        assert_eq!(begun.of(event), [1]);
        assert_eq!(stage.outcome(event).await?.len(), 1);
    }
    running.stop().await
}

async fn two_workers_share_the_jobs_and_run_none_twice(stage: &Stage) -> anyhow::Result<()> {
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let workers = [(), ()].map(|()| {
        let (both, tries) = (Arc::clone(&both), AtomicUsize::new(0));
        scripted(move |attempt| {
            // Neither goes on before the other has begun, so that one does not do it all.
            let both = (tries.fetch_add(1, Ordering::SeqCst) == 0).then(|| Arc::clone(&both));
            async move {
                if let Some(both) = both {
                    both.wait().await;
                }
                Ok(done(&attempt))
            }
        })
    });
    let [(first, by_first), (second, by_second)] = workers;
    let settings = ConsumerSettings { concurrency: 1, ..Stage::settings() };
    let running = [stage.start(first, settings.clone()), stage.start(second, settings)];
    let events = stage.publish(20).await?;
    stage.until_all("completed", &events).await?;
    for event in &events {
        assert_eq!([by_first.of(event), by_second.of(event)].concat(), [1]);
    }
    for running in running {
        running.stop().await?;
    }
    Ok(())
}

async fn a_job_whose_message_was_lost_is_found_by_polling(stage: &Stage) -> anyhow::Result<()> {
    // This worker's hints come from another database: nothing tells it of anything.
    let elsewhere = Database::empty().await?;
    let mut deaf = stage.connections.clone();
    deaf.log = Log::start(stage.database_pool().clone(), Signals::start(&elsewhere.pool));
    deaf.bus = Arc::new(atelier_events::bus::PostgresBus::new(deaf.log.signals().clone()));
    let (job, begun) = scripted(|attempt| async move { Ok(done(&attempt)) });
    let shutdown = tokio_util::sync::CancellationToken::new();
    let stopping = shutdown.clone();
    let task = tokio::spawn(async move { atelier_runtime::run_job(job, &deaf, &Stage::settings(), stopping).await });
    let first = stage.publish(1).await?;
    stage.until_all("completed", &first).await?;
    // A second one, after the look with which every worker starts.
    let second = stage.enlist(1).await?;
    stage.until_all("completed", &second).await?;
    assert_eq!(begun.all().len(), 2);
    crate::stage::Running { shutdown, task }.stop().await
}

async fn a_job_whose_message_was_lost_is_found_though_messages_keep_coming(stage: &Stage) -> anyhow::Result<()> {
    let (job, begun) = scripted(|attempt| async move { Ok(done(&attempt)) });
    let settings = ConsumerSettings {
        concurrency: 1,
        // Longer than any pause between the messages.
        poll_interval_ms: 2_000,
        ..Stage::settings()
    };
    let running = stage.start(job, settings);
    let old = stage.publish(50).await?;
    stage.until_all("completed", &old).await?;
    // A stream of messages that mean nothing any more, always some at hand.
    let (bus, repeated) = (Arc::clone(&stage.connections.bus), old.clone());
    let repeating = tokio::spawn(async move {
        loop {
            drop(bus.deliver(Consumer::Thumbnails, &repeated).await);
            tokio::task::yield_now().await;
        }
    });
    let lost = stage.enlist(1).await?;
    let found = stage.until_all("completed", &lost).await;
    repeating.abort();
    found?;
    assert_eq!(begun.of(&lost[0]), [1]);
    running.stop().await
}

async fn jobs_from_before_the_first_start_are_run(stage: &Stage) -> anyhow::Result<()> {
    let events = stage.publish(5).await?;
    let (job, _) = scripted(|attempt| async move { Ok(done(&attempt)) });
    let running = stage.start(job, Stage::settings());
    stage.until_all("completed", &events).await?;
    running.stop().await
}

async fn a_job_that_was_cancelled_does_not_run_when_its_message_comes(stage: &Stage) -> anyhow::Result<()> {
    let events = stage.enlist(2).await?;
    let filter = Filter { position: Some(events[0].position), ..Filter::default() };
    jobs::cancel(&stage.connections.log, &filter, "ada").await?;
    let (job, begun) = scripted(|_| async { Ok(Outcome::Completed(Vec::new())) });
    let running = stage.start(job, Stage::settings());
    stage.bus().publish(&events).await?;
    stage.until_all("completed", &events[1..]).await?;
    assert!(begun.of(&events[0]).is_empty());
    running.stop().await
}
