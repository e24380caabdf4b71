//! Beside a newer version: what this one does not understand is left for who does.

use atelier_e2e::{append_newer, until};
use atelier_events::{ArtworkId, Position, Stream, jobs};

use crate::scripted::{done, scripted};
use crate::stage::{Stage, over_both_buses};

over_both_buses! {
    a_newer_version_s_job_waits_and_loses_no_attempt_while_the_others_go_on,
}

async fn a_newer_version_s_job_waits_and_loses_no_attempt_while_the_others_go_on(stage: &Stage) -> anyhow::Result<()> {
    let (job, begun) = scripted(|attempt| async move { Ok(done(&attempt)) });
    // With as many jobs of tomorrow as there are slots and attempts, they would be in the way if they could.
    let pool = stage.database_pool();
    let mut newer = Vec::new();
    for _ in 0..6 {
        newer.push(append_newer(pool, &Stream::artwork(ArtworkId::new()), "variant.uploaded", i16::MAX).await?);
    }
    let running = stage.start(job, Stage::settings());
    jobs::enlist(pool, Position(0), stage.connections.log.head().await?).await?;
    stage.bus().publish(&stage.connections.log.read(Position(0), 100).await?).await?;
    let known = stage.publish(10).await?;
    stage.until_all("completed", &known).await?;

    let events = stage.connections.log.read(Position(0), 6).await?;
    assert_eq!(events.iter().map(|event| event.position).collect::<Vec<_>>(), newer);
    until("each of them has been looked at and put back", || async {
        for event in &events {
            if stage.job(event).await?.attempted_at.is_none() || stage.job(event).await?.state == "running" {
                return Ok(false);
            }
        }
        Ok(true)
    })
    .await?;
    for event in &events {
        let job = stage.job(event).await?;
        assert!(matches!(job.state.as_str(), "scheduled" | "available"), "{job:?}");
        assert_eq!((job.attempt, begun.of(event).len()), (0, 0), "{job:?}");
        assert!(stage.outcome(event).await?.is_empty(), "a word was said of position {}", event.position);
    }
    running.stop().await
}
