//! What `main` of every daemon does around its consumers.

use atelier_events::telemetry::{self, Telemetry};
use atelier_events::{Connections, lifecycle, operations};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::connect::connect;
use crate::job::{Job, run_job};
use crate::projection::{Projection, run_projection};
use crate::settings::{ConsumerSettings, Settings};

/// The consumers of one process. The first that ends with an error stops the others.
pub struct Daemon {
    /// What they work with.
    pub connections: Connections,
    settings: ConsumerSettings,
    shutdown: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    /// None where another part of the process has started it and ends it.
    telemetry: Option<Telemetry>,
}

impl Daemon {
    /// Reads the settings, starts telemetry and connects; stops on SIGTERM and SIGINT. None: it was told to while it waited for
    /// its database.
    pub async fn start() -> anyhow::Result<Option<Self>> {
        let settings: Settings = atelier_events::settings::load()?;
        let telemetry = telemetry::start(&settings.telemetry)?;
        let shutdown = lifecycle::shutdown_signal()?;
        let connections = tokio::select! {
            connections = connect(&settings.database, &settings.bus, &settings.store) => connections?,
            () = shutdown.cancelled() => return Ok(None),
        };
        let missing = operations::missing_of(&connections);
        operations::serve(&settings.telemetry.listen, telemetry.metrics.clone(), missing, shutdown.clone()).await?;
        Ok(Some(Self { telemetry: Some(telemetry), ..Self::new(connections, settings.consumer, shutdown) }))
    }

    /// Consumers that stop when this token is cancelled.
    #[must_use]
    pub fn new(connections: Connections, settings: ConsumerSettings, shutdown: CancellationToken) -> Self {
        Self { connections, settings, shutdown, tasks: JoinSet::new(), telemetry: None }
    }

    /// Adds a consumer that runs jobs.
    pub fn run_job<J: Job>(&mut self, job: J) {
        let (connections, settings, shutdown) = self.shared();
        let settings = settings.of(J::CONSUMER);
        self.tasks.spawn(async move { run_job(job, &connections, &settings, shutdown).await });
    }

    /// Adds a consumer that reads the log in order.
    pub fn run_projection<P: Projection>(&mut self, projection: P) {
        let (connections, settings, shutdown) = self.shared();
        self.tasks.spawn(async move { run_projection(projection, &connections, &settings, shutdown).await });
    }

    fn shared(&self) -> (Connections, ConsumerSettings, CancellationToken) {
        (self.connections.clone(), self.settings.clone(), self.shutdown.clone())
    }

    /// Adds a task that is neither; it is given the token and ends soon after it is cancelled.
    pub fn run<F>(&mut self, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.tasks.spawn(task(self.shutdown.clone()));
    }

    /// Says to systemd that all is running, and waits for the end of it.
    pub async fn finish(mut self) -> anyhow::Result<()> {
        let notified = tokio::spawn(lifecycle::notify(self.shutdown.clone()));
        let mut result = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            // A task that ends by itself takes the daemon with it: half a daemon would look alive.
            self.shutdown.cancel();
            let ended = ended.unwrap_or_else(|error| Err(error.into()));
            result = result.and(ended);
        }
        notified.await?;
        if let Some(telemetry) = self.telemetry {
            telemetry.finish().await;
        }
        result
    }
}
