//! `atelier-index`: keeps the read model, the sidecars and `gallery-metadata.json` up to date with the log.

mod arguments;

use std::io::Write;
use std::process::ExitCode;

use atelier_events::{Blobs, Log, connect, lifecycle::shutdown_signal, settings::load, signal::Signals, telemetry};
use atelier_index::{rebuild::rebuild, replay, settings::Settings};
use atelier_runtime::Daemon;
use clap::Parser;

use crate::arguments::{Arguments, Command};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let command = Arguments::parse().command.unwrap_or(Command::Run);
    let settings: Settings = load()?;
    if let Command::Run = command {
        let Some(mut daemon) = Daemon::start().await? else { return Ok(ExitCode::SUCCESS) };
        let stopped = shutdown_signal()?;
        // Before it runs, it may replay for minutes.
        tokio::select! {
            added = atelier_index::run(&mut daemon, settings.index) => added?,
            () = stopped.cancelled() => return Ok(ExitCode::SUCCESS),
        }
        daemon.finish().await?;
        return Ok(ExitCode::SUCCESS);
    }
    let common: atelier_runtime::Settings = load()?;
    telemetry::start(&common.telemetry)?;
    if let Command::Replay(args) = command {
        let pool = connect::database(&common.database).await?;
        let log = Log::start(pool.clone(), Signals::start(&pool));
        return replay::command::run(args, &log, shutdown_signal()?).await;
    }
    let rebuilt = rebuild(&Blobs::connect(&common.store), &settings.index.media_url).await?;
    writeln!(atelier_runtime::output(), "{}", serde_json::to_string(&rebuilt)?)?;
    Ok(ExitCode::SUCCESS)
}
