//! The consumers of one process live and stop together.

use atelier_e2e::PATIENCE;
use atelier_runtime::Daemon;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::scripted::{done, scripted};
use crate::stage::{Carrier, Stage, over};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_consumer_that_ends_with_an_error_stops_the_others_and_its_error_is_the_daemons() -> anyhow::Result<()>
{
    over(Carrier::Postgres, async |stage| {
        let (job, begun) = scripted(|attempt| async move { Ok(done(&attempt)) });
        let mut daemon = Daemon::new(stage.connections.clone(), Stage::settings(), CancellationToken::new());
        daemon.run_job(job);
        let broken = CancellationToken::new();
        let breaks = broken.clone();
        daemon.run(|_| async move {
            breaks.cancelled().await;
            anyhow::bail!("broken")
        });
        let finished = tokio::spawn(daemon.finish());
        let events = stage.publish(1).await?;
        stage.until_all("completed", &events).await?;
        assert_eq!(begun.all().len(), 1);
        broken.cancel();
        let ended = timeout(PATIENCE, finished).await??;
        assert_eq!(ended.err().map(|error| error.to_string()).as_deref(), Some("broken"));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_asked_to_stop_ends_well() -> anyhow::Result<()> {
    over(Carrier::Postgres, async |stage| {
        let shutdown = CancellationToken::new();
        let (job, _) = scripted(|attempt| async move { Ok(done(&attempt)) });
        let mut daemon = Daemon::new(stage.connections.clone(), Stage::settings(), shutdown.clone());
        daemon.run_job(job);
        shutdown.cancel();
        timeout(PATIENCE, daemon.finish()).await?
    })
    .await
}
