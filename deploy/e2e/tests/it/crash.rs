//! Whatever is killed, and whenever: once it runs again, everything is completed by itself, and nothing is there twice.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use atelier_events::export::Selection;
use atelier_events::settings::BusSettings;
use atelier_events::{ArtworkId, Event, ExportEvent, Log, Recorded};
use atelier_standalone::client::Client;
use image::ImageFormat;

use crate::commands::{export, sketches, upload};
use crate::harness::{Processes, with_processes};
use crate::servers::Servers;
use crate::{IMPATIENT, history, invariant, pictures};

/// Artworks come in rounds of this many sketches and uploads.
const ROUNDS: u32 = 10;
const SKETCHES: u32 = 15;
const UPLOADS: u32 = 5;
const ARTWORKS: usize = ((SKETCHES + UPLOADS) * ROUNDS) as usize;

/// Artworks asked for and not rendered yet, at the most, so that whatever is killed has work in its hands.
const AHEAD: i64 = 50;

#[tokio::test(flavor = "multi_thread")]
async fn every_artwork_is_complete_after_each_daemon_the_broker_and_the_database_were_killed() -> anyhow::Result<()> {
    let servers = Servers::start(&["postgres", "rabbitmq"]).await?;
    let database = servers.url("postgres").await?;
    let bus = BusSettings { url: servers.url("rabbitmq").await?, ..BusSettings::default() };
    with_processes(&database, bus, &IMPATIENT, async |processes| {
        let Processes { client, daemons, connections, .. } = processes;
        let log = &connections.log;
        let kills = async {
            for (at, daemon) in [
                (10, "atelier-producer"),
                (25, "atelier-generate"),
                (40, "atelier-thumbnails"),
                (55, "atelier-index"),
                (70, "atelier-site"),
            ] {
                history::rendered(log, at).await?;
                history::busy(log, daemon).await?;
                daemons.kill(daemon).await?;
                daemons.start_one(daemon)?;
            }
            history::rendered(log, 85).await?;
            export(client, "middle").await?;
            daemons.kill("atelier-exports").await?;
            daemons.start_one("atelier-exports")?;
            history::rendered(log, 100).await?;
            servers.kill_rabbitmq().await?;
            servers.up("rabbitmq").await?;
            history::rendered(log, 140).await?;
            servers.kill_postgres().await?;
            servers.up("postgres").await
        };
        let (accepted, ()) = tokio::try_join!(ask(client, log), kills)?;
        ensure!(accepted.len() == ARTWORKS, "{} artworks were accepted", accepted.len());
        invariant::check(processes, &accepted).await?;
        // What is killed between two attempts proves little.
        let log = &processes.connections.log;
        let again = history::jobs(log).await?.iter().filter(|(_, _, _, attempt, _)| *attempt > 1).count();
        ensure!(again > 0, "no attempt was broken off");
        check_export(processes, &history::events(log).await?).await
    })
    .await
}

/// Asks for all artworks, never far ahead of what is done.
async fn ask(client: &Client, log: &Log) -> anyhow::Result<Vec<ArtworkId>> {
    let mut accepted = Vec::with_capacity(ARTWORKS);
    for round in 0..ROUNDS {
        let asked = i64::from(round * (SKETCHES + UPLOADS));
        history::rendered(log, asked - AHEAD).await?;
        accepted.extend(sketches(client, &format!("round-{round}"), SKETCHES, 128 + round * 14).await?);
        for number in round * UPLOADS..(round + 1) * UPLOADS {
            let (format, media_type) =
                if number % 2 == 0 { (ImageFormat::Png, "image/png") } else { (ImageFormat::Jpeg, "image/jpeg") };
            let bytes = pictures::small(number, 96 + number * 4, format)?;
            accepted.push(upload(client, &format!("picture-{number}"), media_type, &bytes).await?);
        }
    }
    Ok(accepted)
}

/// The ZIP that was asked for in the middle has everything that was ready as of the position it was asked for.
async fn check_export(processes: &Processes, events: &[Recorded]) -> anyhow::Result<()> {
    let position = |event_type: &str| events.iter().position(|event| event.event_type == event_type);
    let asked = position("export.requested").context("an export was asked for")?;
    let Event::Export(ExportEvent::Requested(requested)) = events[asked].event()? else {
        anyhow::bail!("export.requested is something else");
    };
    // The producer reads where the log is before it appends: what became ready in between is not asked for.
    let Selection::All(as_of) = requested.selection else { anyhow::bail!("everything was asked for") };
    let rendered = events.iter().filter(|event| event.event_type == "variant.rendered");
    let ready = rendered.filter(|event| event.position <= as_of).count();
    let completed = &events[position("export.completed").context("the export is complete")?];
    let Event::Export(ExportEvent::Completed(completed)) = completed.event()? else {
        anyhow::bail!("export.completed is something else");
    };
    ensure!(completed.missing.is_empty(), "{:?}", completed.missing);
    ensure!(usize::try_from(completed.pictures)? == ready, "{} of {ready} pictures", completed.pictures);
    let export = processes.client.export(completed.export_id, Duration::ZERO).await?;
    ensure!(export.state == "completed" && export.download_url.is_some(), "{export:?}");
    Ok(())
}
