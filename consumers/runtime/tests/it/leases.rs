//! A lease is held while its attempt lives; an attempt that has lost it is stopped, and its result is void.

use std::sync::Arc;

use atelier_e2e::until;
use atelier_events::Consumer;
use atelier_events::jobs::{self, End, Filter, Settlement};
use atelier_runtime::ConsumerSettings;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use crate::scripted::{done, scripted, told};
use crate::stage::{Stage, over_both_buses};

over_both_buses! {
    a_worker_that_vanishes_is_replaced_and_its_late_result_is_void,
    a_job_whose_last_worker_vanished_is_given_up_with_its_event,
    a_long_attempt_keeps_its_lease_and_runs_once,
    an_attempt_whose_job_was_cancelled_is_stopped_at_once,
    what_an_attempt_tells_of_its_progress_stands_in_its_lease_until_it_ends,
    a_worker_that_takes_over_from_itself_stops_its_earlier_attempt_and_keeps_the_new_lease,
}

/// Stopped attempts drop what they hold.
struct Dropped(Arc<Semaphore>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

async fn claim_and_vanish(stage: &Stage) -> anyhow::Result<jobs::Claimed> {
    let claimed = jobs::claim(stage.database_pool(), Consumer::Thumbnails, 1, "vanished", 1).await?.pop();
    claimed.ok_or_else(|| anyhow::anyhow!("no job is available"))
}

async fn a_worker_that_vanishes_is_replaced_and_its_late_result_is_void(stage: &Stage) -> anyhow::Result<()> {
    let events = stage.enlist(1).await?;
    let late = claim_and_vanish(stage).await?;
    let (job, begun) = scripted(|attempt| async move { Ok(done(&attempt)) });
    let running = stage.start(job, Stage::settings());
    stage.until_all("completed", &events).await?;
    assert_eq!(begun.of(&events[0]), [2]);

    let writes = vec![told(&late.event, "late")];
    let settlement = Settlement { job: late.job, fence: late.fence, end: End::Completed, writes };
    assert!(jobs::settle(stage.database_pool(), &[settlement]).await?.is_empty());
    assert_eq!(stage.outcome(&events[0]).await?.len(), 1);
    running.stop().await
}

async fn a_job_whose_last_worker_vanished_is_given_up_with_its_event(stage: &Stage) -> anyhow::Result<()> {
    let events = stage.enlist(1).await?;
    for _ in 0..Stage::settings().max_attempts {
        claim_and_vanish(stage).await?;
        stage.until_all("available", &events).await?;
    }
    let (job, begun) = scripted(|attempt| async move { Ok(done(&attempt)) });
    let running = stage.start(job, Stage::settings());
    stage.until_all("discarded", &events).await?;
    assert!(begun.all().is_empty(), "it has killed enough workers");
    assert_eq!(stage.outcome(&events[0]).await?, ["variant.failed"]);
    let error = stage.job(&events[0]).await?.error;
    assert_eq!(error.as_deref(), Some("attempt 3: worker vanished stopped answering"));
    running.stop().await
}

async fn lease_until(stage: &Stage) -> anyhow::Result<OffsetDateTime> {
    let lease = sqlx::query_scalar("select lease_until from leases");
    Ok(lease.fetch_one(stage.database_pool()).await?)
}

async fn a_long_attempt_keeps_its_lease_and_runs_once(stage: &Stage) -> anyhow::Result<()> {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let (job, begun) = scripted(move |attempt| {
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await?.forget();
            Ok(done(&attempt))
        }
    });
    let lease_ttl_ms = 600;
    let running = stage.start(job, ConsumerSettings { lease_ttl_ms, ..Stage::settings() });
    let events = stage.publish(1).await?;
    begun.until(1).await?;
    let first = lease_until(stage).await?;
    let two_leases = time::Duration::milliseconds(i64::from(lease_ttl_ms) * 2);
    until("it has run for two leases", || async { Ok(lease_until(stage).await? > first + two_leases) }).await?;
    opened.add_permits(1);
    stage.until_all("completed", &events).await?;
    assert_eq!(begun.all().len(), 1);
    running.stop().await
}

async fn an_attempt_whose_job_was_cancelled_is_stopped_at_once(stage: &Stage) -> anyhow::Result<()> {
    let stopped = Arc::new(Semaphore::new(0));
    let (seen, dropped) = (Arc::clone(&stopped), Arc::clone(&stopped));
    let (job, begun) = scripted(move |attempt| {
        let held = Dropped(Arc::clone(&dropped));
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok(done(&attempt))
        }
    });
    let running = stage.start(job, ConsumerSettings { lease_ttl_ms: 600_000, ..Stage::settings() });
    let events = stage.publish(1).await?;
    begun.until(1).await?;
    jobs::cancel(&stage.connections.log, &Filter::default(), "ada").await?;
    tokio::time::timeout(atelier_e2e::PATIENCE, seen.acquire()).await??.forget();
    running.stop().await?;
    assert_eq!(stage.job(&events[0]).await?.state, "cancelled");
    assert_eq!(stage.outcome(&events[0]).await?, ["variant.failed"], "the owner is told, once");
    Ok(())
}

async fn a_worker_that_takes_over_from_itself_stops_its_earlier_attempt_and_keeps_the_new_lease(
    stage: &Stage,
) -> anyhow::Result<()> {
    let (gate, stopped) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (opened, seen) = (Arc::clone(&gate), Arc::clone(&stopped));
    let (job, begun) = scripted(move |attempt| {
        let (gate, held) = (Arc::clone(&gate), Dropped(Arc::clone(&stopped)));
        async move {
            gate.acquire().await?.forget();
            drop(held);
            Ok(done(&attempt))
        }
    });
    // Renewals come after 700 ms at the earliest: nothing but the second claim tells of the loss.
    let running = stage.start(job, ConsumerSettings { lease_ttl_ms: 2_100, ..Stage::settings() });
    let events = stage.publish(1).await?;
    begun.until(1).await?;
    sqlx::query("update leases set lease_until = now() - interval '1 second'").execute(stage.database_pool()).await?;
    begun.until(2).await?;
    tokio::time::timeout(atelier_e2e::PATIENCE, seen.acquire()).await??.forget();
    let renewed = lease_until(stage).await?;
    until("the second attempt's lease is renewed", || async { Ok(lease_until(stage).await? > renewed) }).await?;
    opened.add_permits(1);
    stage.until_all("completed", &events).await?;
    assert_eq!(begun.of(&events[0]), [1, 2]);
    running.stop().await
}

async fn what_an_attempt_tells_of_its_progress_stands_in_its_lease_until_it_ends(stage: &Stage) -> anyhow::Result<()> {
    let events = stage.enlist(1).await?;
    let may_end = Arc::new(Semaphore::new(0));
    let (job, _) = scripted({
        let may_end = Arc::clone(&may_end);
        move |attempt| {
            let may_end = Arc::clone(&may_end);
            async move {
                attempt.progress.tell(json!({ "done": 1 }));
                attempt.progress.tell(json!({ "done": 2 }));
                may_end.acquire().await?.forget();
                Ok(done(&attempt))
            }
        }
    });
    let running = stage.start(job, Stage::settings());
    let filter = Filter { position: Some(events[0].position), ..Filter::default() };
    let told = async || -> anyhow::Result<Option<Value>> {
        let jobs = jobs::list(stage.database_pool(), &filter, 1).await?;
        Ok(jobs.into_iter().next().and_then(|job| job.progress))
    };
    until("the last that it told is there", async || Ok(told().await? == Some(json!({ "done": 2 })))).await?;
    may_end.add_permits(1);
    stage.until_all("completed", &events).await?;
    assert_eq!(told().await?, None);
    running.stop().await
}
