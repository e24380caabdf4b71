//! How attempts end: with an outcome, an error, a panic or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use atelier_events::{Consumer, ExpectedVersion};
use atelier_runtime::{ConsumerOverrides, ConsumerSettings, Outcome};
use tokio::sync::{Barrier, Semaphore};
use tokio::time::timeout;

use crate::scripted::{done, scripted, told};
use crate::stage::{Stage, over_both_buses};

over_both_buses! {
    a_result_is_in_the_log_once_its_job_is_completed,
    an_error_is_retried_with_growing_pauses_and_given_up_with_its_event,
    a_panic_is_an_error_like_any_other,
    a_discarded_job_is_given_up_at_once_with_its_event,
    a_snoozed_job_runs_again_and_loses_no_attempt,
    an_attempt_that_takes_too_long_is_stopped_and_tried_again,
    no_more_attempts_run_at_a_time_than_allowed_and_as_many_as_allowed_do,
    a_consumer_s_own_rate_is_that_of_all_its_workers_together,
    a_result_that_the_database_or_the_log_refuses_disturbs_no_other_job,
}

async fn a_result_is_in_the_log_once_its_job_is_completed(stage: &Stage) -> anyhow::Result<()> {
    let (job, begun) = scripted(|attempt| async move { Ok(done(&attempt)) });
    let running = stage.start(job, Stage::settings());
    let events = stage.publish(30).await?;
    stage.until_all("completed", &events).await?;
    for event in &events {
        assert_eq!(stage.outcome(event).await?, ["variant.failed"]);
        assert_eq!(begun.of(event), [1]);
    }
    running.stop().await
}

async fn an_error_is_retried_with_growing_pauses_and_given_up_with_its_event(stage: &Stage) -> anyhow::Result<()> {
    let times = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = Arc::clone(&times);
    let (job, begun) = scripted(move |_| {
        noted.lock().expect("no attempt panics").push(Instant::now());
        async { Err(anyhow::anyhow!("cause").context("no answer")) }
    });
    let settings = ConsumerSettings { backoff_initial_ms: 80, backoff_max_ms: 1_000, ..Stage::settings() };
    let running = stage.start(job, settings);
    let events = stage.publish(1).await?;
    stage.until_all("discarded", &events).await?;

    assert_eq!(begun.of(&events[0]), [1, 2, 3]);
    let times = times.lock().expect("no attempt panics").clone();
    let pauses = [times[1] - times[0], times[2] - times[1]];
    // A quarter of jitter: 60 to 100 ms, then 120 to 200 ms; only the lower bounds are certain on a busy machine.
    assert!(pauses[0] >= Duration::from_millis(60) && pauses[1] >= Duration::from_millis(120), "{pauses:?}");

    let failed = stage.connections.log.read_stream(&events[0].stream).await?.pop();
    let failed = failed.map(|event| (event.event_type, event.data.to_value()["error"].clone()));
    assert_eq!(failed, Some(("variant.failed".to_owned(), "no answer: cause".into())));
    assert_eq!(stage.job(&events[0]).await?.error.as_deref(), Some("no answer: cause"));
    running.stop().await
}

async fn a_panic_is_an_error_like_any_other(stage: &Stage) -> anyhow::Result<()> {
    let (job, begun) = scripted(|attempt| async move {
        assert!(attempt.number > 1, "the first attempt panics");
        Ok(done(&attempt))
    });
    let running = stage.start(job, Stage::settings());
    let events = stage.publish(3).await?;
    stage.until_all("completed", &events).await?;
    assert_eq!(begun.of(&events[0]), [1, 2]);
    let error = stage.job(&events[0]).await?.error.unwrap_or_default();
    assert!(error.contains("panicked") && error.contains("the first attempt panics"), "{error}");
    running.stop().await
}

async fn a_discarded_job_is_given_up_at_once_with_its_event(stage: &Stage) -> anyhow::Result<()> {
    // A NUL, which Postgres takes in no text, must not keep the job from ending.
    let (job, begun) = scripted(|_| async { Ok(Outcome::Discarded("not\0an image".to_owned())) });
    let running = stage.start(job, Stage::settings());
    let events = stage.publish(1).await?;
    stage.until_all("discarded", &events).await?;
    assert_eq!(begun.of(&events[0]), [1]);
    let failed = stage.connections.log.read_stream(&events[0].stream).await?.pop();
    let failed = failed.map(|event| event.data.to_value()["error"].clone());
    assert_eq!(failed, Some("not\u{fffd}an image".into()));
    running.stop().await
}

async fn a_snoozed_job_runs_again_and_loses_no_attempt(stage: &Stage) -> anyhow::Result<()> {
    let tries = AtomicUsize::new(0);
    // More often than there are attempts.
    let (job, begun) = scripted(move |attempt| {
        let snooze = tries.fetch_add(1, Ordering::SeqCst) < 5;
        async move { Ok(if snooze { Outcome::Snoozed(Duration::from_millis(1)) } else { done(&attempt) }) }
    });
    let running = stage.start(job, Stage::settings());
    let events = stage.publish(1).await?;
    stage.until_all("completed", &events).await?;
    assert_eq!(begun.of(&events[0]), [1; 6]);
    running.stop().await
}

async fn an_attempt_that_takes_too_long_is_stopped_and_tried_again(stage: &Stage) -> anyhow::Result<()> {
    let (job, begun) = scripted(|attempt| async move {
        if attempt.number == 1 {
            std::future::pending::<()>().await;
        }
        Ok(done(&attempt))
    });
    let running = stage.start(job, ConsumerSettings { attempt_timeout_ms: 100, ..Stage::settings() });
    let events = stage.publish(1).await?;
    stage.until_all("completed", &events).await?;
    assert_eq!(begun.of(&events[0]), [1, 2]);
    let error = stage.job(&events[0]).await?.error;
    assert_eq!(error.as_deref(), Some("the attempt took longer than 100 ms"));
    running.stop().await
}

async fn no_more_attempts_run_at_a_time_than_allowed_and_as_many_as_allowed_do(stage: &Stage) -> anyhow::Result<()> {
    const ALLOWED: usize = 3;
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let (job, begun) = scripted(move |attempt| {
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await?.forget();
            Ok(done(&attempt))
        }
    });
    let settings = ConsumerSettings { concurrency: ALLOWED, ..Stage::settings() };
    let running = stage.start(job, settings);
    let events = stage.publish(ALLOWED * 5).await?;
    for ended in 0..events.len() {
        let expected = (ended + ALLOWED).min(events.len());
        begun.until(expected).await?;
        // Long enough for another message, and now and then for another look at the table.
        let more = timeout(Duration::from_millis(30), begun.until(expected + 1)).await;
        assert!(more.is_err(), "{} attempts have begun and {ended} ended", expected + 1);
        opened.add_permits(1);
    }
    stage.until_all("completed", &events).await?;
    running.stop().await
}

async fn a_consumer_s_own_rate_is_that_of_all_its_workers_together(stage: &Stage) -> anyhow::Result<()> {
    const PER_SECOND: u32 = 10;
    let own = ConsumerOverrides { rate_per_minute: Some(PER_SECOND * 60), ..ConsumerOverrides::default() };
    let settings = ConsumerSettings { thumbnails: own, concurrency: 8, ..Stage::settings() }.of(Consumer::Thumbnails);
    let events = stage.publish(16).await?;
    let before = Instant::now();
    let workers = [(); 2].map(|()| {
        let (job, begun) = scripted(|attempt| async move { Ok(done(&attempt)) });
        (stage.start(job, settings.clone()), begun)
    });
    stage.until_all("completed", &events).await?;
    // One start is there at the beginning, and the others come ten a second.
    let least = Duration::from_secs(u64::try_from(events.len())? - 1) / PER_SECOND;
    assert!(before.elapsed() >= least, "{:?} for {} starts", before.elapsed(), events.len());
    let mut starts = 0;
    for (running, begun) in workers {
        running.stop().await?;
        starts += begun.all().len();
    }
    assert_eq!(starts, events.len());
    Ok(())
}

async fn a_result_that_the_database_or_the_log_refuses_disturbs_no_other_job(stage: &Stage) -> anyhow::Result<()> {
    let together = Arc::new(Barrier::new(2));
    let (job, begun) = scripted(move |attempt| {
        let together = Arc::clone(&together);
        async move {
            together.wait().await;
            // Positions 1 and 2 end at the same moment, as 3 and 4 do.
            let mut write = told(&attempt.event, if attempt.event.position.0 == 1 { "a\0b" } else { "done" });
            if attempt.event.position.0 == 3 {
                // Refused by the log: the stream is there.
                write.expected = ExpectedVersion::NoStream;
            }
            Ok(Outcome::Completed(vec![write]))
        }
    });
    let running = stage.start(job, Stage::settings());
    let events = stage.publish(4).await?;
    stage.until_all("completed", &[events[1].clone(), events[3].clone()]).await?;
    assert_eq!(begun.all().len(), 4);
    for event in [&events[0], &events[2]] {
        assert_eq!(stage.job(event).await?.state, "running");
        assert!(stage.outcome(event).await?.is_empty());
    }
    running.stop().await
}
