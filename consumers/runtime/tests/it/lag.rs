//! A projection says how far it is behind the log, above all when it cannot go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use atelier_e2e::{Gauges, until};
use atelier_events::{Consumer, Position, Recorded};
use atelier_runtime::{Projection, run_projection};
use tokio_util::sync::CancellationToken;

use crate::stage::{Carrier, Running, Stage, over};

/// Applies nothing until it is let.
struct Held {
    checkpoint: Position,
    let_go: Arc<AtomicBool>,
}

impl Projection for Held {
    const CONSUMER: Consumer = Consumer::Index;

    async fn checkpoint(&mut self) -> anyhow::Result<Position> {
        Ok(self.checkpoint)
    }

    async fn apply(&mut self, events: &[Recorded]) -> anyhow::Result<()> {
        anyhow::ensure!(self.let_go.load(Ordering::SeqCst), "held");
        self.checkpoint = events.last().map_or(self.checkpoint, |last| last.position);
        Ok(())
    }
}

// One thread: the recorder is that thread's, so that tests beside this one do not write to it.
#[tokio::test]
async fn a_projection_that_cannot_go_on_tells_how_far_it_is_behind_until_it_has_caught_up() -> anyhow::Result<()> {
    let gauges = Gauges::default();
    let _guard = metrics::set_default_local_recorder(&gauges);
    over(Carrier::Postgres, async |stage| {
        stage.upload(4).await?;
        let behind = stage.connections.log.head().await?.0;
        let let_go = Arc::new(AtomicBool::new(false));
        let held = Held { checkpoint: Position(0), let_go: Arc::clone(&let_go) };
        let (connections, shutdown) = (stage.connections.clone(), CancellationToken::new());
        let stopping = shutdown.clone();
        let task = tokio::spawn(async move { run_projection(held, &connections, &Stage::settings(), stopping).await });
        let running = Running { shutdown, task };
        let lag = || (gauges.value("atelier_projection_lag_events"), gauges.value("atelier_projection_lag_seconds"));
        let behind = f64::from(i32::try_from(behind)?);
        until("it says how far it is behind", || async {
            let (events, seconds) = lag();
            Ok((events - behind).abs() < f64::EPSILON && seconds > 0.0)
        })
        .await?;
        let_go.store(true, Ordering::SeqCst);
        until("it says that it has caught up", || async { Ok(lag() == (0.0, 0.0)) }).await?;
        running.stop().await
    })
    .await
}
