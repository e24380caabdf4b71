//! `atelier-index`: keeps the read model, the sidecars and `gallery-metadata.json` up to date with the log.

mod arguments;

use std::io::Write;

use atelier_events::{Blobs, Log, connect, lifecycle::shutdown_signal, settings::load, signal::Signals, telemetry};
use atelier_index::{progress, rebuild::rebuild, replay, settings::Settings};
use atelier_runtime::Daemon;
use clap::Parser;

use crate::arguments::{Arguments, Command};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let command = Arguments::parse().command.unwrap_or(Command::Run);
    let settings: Settings = load()?;
    if let Command::Run = command {
        let (mut daemon, stopped) = (Daemon::start().await?, shutdown_signal()?);
        // Before it runs, it may replay for minutes.
        tokio::select! {
            added = atelier_index::run(&mut daemon, settings.index) => added?,
            () = stopped.cancelled() => return Ok(()),
        }
        return daemon.finish().await;
    }
    let common: atelier_runtime::Settings = load()?;
    telemetry::start(&common.telemetry)?;
    let text = if let Command::Replay { json } = command {
        let pool = connect::database(&common.database).await?;
        let replayed = replay(&Log::start(pool.clone(), Signals::start(&pool)), progress::on_stderr()).await?;
        let text = json.then(|| serde_json::to_string(&replayed)).transpose()?;
        text.unwrap_or_else(|| replayed.to_string())
    } else {
        serde_json::to_string(&rebuild(&Blobs::connect(&common.store), &settings.index.media_url).await?)?
    };
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}
