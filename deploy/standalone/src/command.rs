//! What every command of `atelier` begins with: the installation, reached or started.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use atelier_events::lifecycle::shutdown_signal;
use atelier_events::{Connections, Position};
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::daemons::Daemons;
use crate::demo;
use crate::gallery_server;
use crate::home::{Home, Running};
use crate::installation::Installation;
use crate::restore;
use crate::up::{self, Listen};

/// A command on one installation.
pub struct Command {
    /// The installation.
    pub installation: Installation,
}

impl Command {
    /// A command on the installation whose data directory this is.
    pub fn open(data_dir: &Path) -> anyhow::Result<Self> {
        Ok(Self { installation: Installation::load(data_dir)? })
    }

    /// Runs everything in this process until SIGINT or SIGTERM.
    pub async fn up(self, listen: &Listen) -> anyhow::Result<ExitCode> {
        let telemetry = atelier_events::telemetry::start(&self.installation.producer.telemetry)?;
        let shutdown = shutdown_signal()?;
        let up = tokio::select! {
            up = up::start(self.installation, listen, telemetry.metrics.clone(), shutdown.clone()) => up?,
            // It may have waited for its database.
            () = shutdown.cancelled() => return Ok(ExitCode::SUCCESS),
        };
        tracing::info!(gallery = up.running.site_url, api = up.running.api_url, "running");
        let finished = up.finish().await;
        telemetry.finish().await;
        finished.map(|()| ExitCode::SUCCESS)
    }

    /// Shows everything.
    pub async fn demo(mut self, args: demo::Args) -> anyhow::Result<ExitCode> {
        // The demonstration has its own way of telling what goes on; what goes wrong is still said.
        let telemetry = &mut self.installation.producer.telemetry;
        if telemetry.filter == atelier_events::settings::TelemetrySettings::default().filter {
            "error".clone_into(&mut telemetry.filter);
        }
        let telemetry = atelier_events::telemetry::start(telemetry)?;
        let shutdown = shutdown_signal()?;
        if args.daemons {
            return self.demo_with_daemons(args, shutdown).await;
        }
        let home = self.installation.home.clone();
        let up = up::start(self.installation, &args.listen, telemetry.metrics.clone(), shutdown.clone()).await?;
        let client = Client::new(&up.running.api_url, &up.api_key)?;
        let after = up.connections.log.head().await?;
        let code = show(&client, &up.running, &home, after, args, shutdown).await;
        let stopped = up.stop().await;
        telemetry.finish().await;
        stopped?;
        code
    }

    async fn demo_with_daemons(mut self, args: demo::Args, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
        let programs = std::env::current_exe()?;
        let programs = programs.parent().context("this program lies nowhere")?;
        let bucket_shutdown = CancellationToken::new();
        let bucket = self.installation.start_bucket(args.listen.bucket_listen, bucket_shutdown.clone()).await?;
        let (gallery, site_url) = self.installation.listen_for_gallery(args.listen.site_listen).await?;
        let folder = self.installation.site.dir.clone();
        let serving = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { gallery_server::serve(gallery, &folder, shutdown).await }
        });
        let api_url = format!("http://{}", self.installation.producer.api.listen);
        let running = self.installation.running(api_url, site_url);
        let mark = self.installation.home.mark_running(&running)?;
        let client = Client::new(&running.api_url, &self.installation.client_key()?)?;
        let logs = self.installation.home.logs();
        let daemons = Daemons::start(programs, &logs, self.installation.environment())?;
        let code = async {
            let pool = atelier_events::connect::database(&self.installation.producer.database).await?;
            atelier_events::connect::migrated(&pool).await?;
            let after: Position = atelier_events::lead::checkpoint(&pool, "relay").await?;
            show(&client, &running, &self.installation.home, after, args, shutdown.clone()).await
        }
        .await
        .with_context(|| format!("the daemons' logs are in {}", logs.display()));
        shutdown.cancel();
        let stopped = daemons.stop().await;
        serving.await??;
        bucket_shutdown.cancel();
        if let Some(bucket) = bucket {
            bucket.await?;
        }
        drop(mark);
        stopped?;
        code
    }

    /// Restores the gallery from its bucket, into a database that may be empty: nothing need have run on it yet.
    pub async fn restore(self, args: restore::Args) -> anyhow::Result<ExitCode> {
        let mut database = self.installation.producer.database.clone();
        if let Some(running) = self.installation.home.running()? {
            database.url = running.database_url;
        }
        let pool = atelier_events::connect::database(&database).await?;
        atelier_events::connect::migrate(&pool).await?;
        pool.close().await;
        self.connected(async |connections| restore::run(args, connections).await).await
    }

    /// A client of the installation that runs.
    pub fn client(&self) -> anyhow::Result<Client> {
        let running = self.installation.home.running()?;
        let running = running.context("nothing runs with this data directory: start it with `atelier up`")?;
        Client::new(&running.api_url, &self.installation.client_key()?)
    }

    /// Connects for as long as a command runs.
    pub async fn connected(
        self,
        command: impl AsyncFnOnce(&Connections) -> anyhow::Result<ExitCode>,
    ) -> anyhow::Result<ExitCode> {
        self.connected_installation(async |_, connections| command(connections).await).await
    }

    /// The same for a command that also looks at the settings, as they are once everything is reached.
    pub async fn connected_installation(
        mut self,
        command: impl AsyncFnOnce(&Installation, &Connections) -> anyhow::Result<ExitCode>,
    ) -> anyhow::Result<ExitCode> {
        atelier_events::telemetry::start(&self.installation.producer.telemetry)?;
        let shutdown = CancellationToken::new();
        let connections = self.installation.connect(shutdown.clone()).await?;
        let code = command(&self.installation, &connections).await;
        shutdown.cancel();
        code
    }
}

async fn show(
    client: &Client,
    running: &Running,
    home: &Home,
    after: Position,
    args: demo::Args,
    shutdown: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let shown = tokio::select! {
        shown = demo::show(client, after, args.pictures) => shown?,
        () = shutdown.cancelled() => return Ok(ExitCode::FAILURE),
    };
    demo::present(shown, running, home, args.once, shutdown).await
}
