//! Whatever is killed, and whenever: once it runs again, everything is completed by itself, and nothing is there twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use atelier_events::export::Selection;
use atelier_events::settings::BusSettings;
use atelier_events::{Blobs, Event, ExportEvent, Log, Recorded, VariantEvent};
use atelier_standalone::client::Client;
use image::ImageFormat;

use crate::commands::{export, sketches, upload};
use crate::harness::{Processes, with_processes};
use crate::servers::Servers;
use crate::{gallery, history, pictures};

/// Artworks come in rounds of this many sketches and uploads.
const ROUNDS: u32 = 10;
const SKETCHES: u32 = 15;
const UPLOADS: u32 = 5;
const ARTWORKS: usize = ((SKETCHES + UPLOADS) * ROUNDS) as usize;

/// Artworks asked for and not rendered yet, at the most, so that whatever is killed has work in its hands.
const AHEAD: i64 = 50;

/// What dies is noticed soon; all else is as an operator has it.
const IMPATIENT: [(&str, &str); 3] =
    [("CONSUMER__LEASE_TTL_MS", "3000"), ("CONSUMER__BACKOFF_INITIAL_MS", "300"), ("CONSUMER__BACKOFF_MAX_MS", "3000")];

#[tokio::test(flavor = "multi_thread")]
async fn every_artwork_is_complete_after_each_daemon_the_broker_and_the_database_were_killed() -> anyhow::Result<()> {
    let servers = Servers::start().await?;
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
        tokio::try_join!(ask(client, log), kills)?;
        history::at_rest(log, i64::try_from(ARTWORKS)?).await?;
        // What is killed between two attempts proves little.
        let again = history::jobs(log).await?.iter().filter(|(_, _, _, attempt, _)| *attempt > 1).count();
        ensure!(again > 0, "no attempt was broken off");
        check(processes).await
    })
    .await
}

/// Asks for all artworks, never far ahead of what is done.
async fn ask(client: &Client, log: &Log) -> anyhow::Result<()> {
    for round in 0..ROUNDS {
        let asked = i64::from(round * (SKETCHES + UPLOADS));
        history::rendered(log, asked - AHEAD).await?;
        sketches(client, &format!("round-{round}"), SKETCHES, 128 + round * 14).await?;
        for number in round * UPLOADS..(round + 1) * UPLOADS {
            let (format, media_type) =
                if number % 2 == 0 { (ImageFormat::Png, "image/png") } else { (ImageFormat::Jpeg, "image/jpeg") };
            let bytes = pictures::small(number, 96 + number * 4, format)?;
            upload(client, &format!("picture-{number}"), media_type, &bytes).await?;
        }
    }
    Ok(())
}

async fn check(processes: &Processes) -> anyhow::Result<()> {
    let Processes { connections, site, .. } = processes;
    let events = history::events(&connections.log).await?;
    ensure!(events.iter().zip(1..).all(|(event, position)| event.position.0 == position), "positions have gaps");
    check_events(&events)?;
    check_jobs(&connections.log).await?;
    check_export(processes, &events).await?;

    let artworks = gallery::check(site, &connections.log).await?;
    ensure!(artworks.len() == ARTWORKS, "{} artworks are published", artworks.len());
    for artwork in &artworks {
        let answer = processes.client.published(artwork.id, Duration::ZERO).await?;
        ensure!(answer.status == "active", "{} is {}", artwork.id, answer.status);
    }
    let compared = atelier_index::compare(&connections.log, |_| {}).await?;
    ensure!(compared.differing.is_empty(), "the read model is not what follows from the log: {compared:?}");
    let verified = atelier_standalone::verify::verify(connections, |_| {}).await?;
    ensure!(verified.flaws.is_empty(), "{:?}", verified.flaws);
    for (folder, blobs) in [("display", 1), ("thumbnails", 1), ("icons", 1), ("previews", 1), ("originals", 2)] {
        let found = count_blobs(&connections.blobs, &format!("{folder}/")).await?;
        ensure!(found == ARTWORKS * blobs, "{found} blobs in {folder}/ for {ARTWORKS} artworks");
    }
    Ok(())
}

/// Each artwork and each variant has happened once, and none was given up.
fn check_events(events: &[Recorded]) -> anyhow::Result<()> {
    let sketches = usize::try_from(SKETCHES * ROUNDS)?;
    let expected = BTreeMap::from([
        ("artwork.created", ARTWORKS),
        ("variant.requested", sketches),
        ("variant.uploaded", ARTWORKS - sketches),
        ("variant.generated", sketches),
        ("variant.rendered", ARTWORKS),
        ("export.requested", 1),
        ("export.completed", 1),
    ]);
    let mut counts = history::counts(events);
    // A variant is begun as often as its daemon was killed, and bursts of any length become one deploy.
    counts.retain(|event_type, _| !matches!(*event_type, "variant.started" | "site.deployed"));
    ensure!(counts == expected, "{counts:?} instead of {expected:?}");
    let mut ends = BTreeSet::new();
    for event in events {
        if let Event::Variant(ended @ (VariantEvent::Generated(_) | VariantEvent::Rendered(_))) = event.event()? {
            let once = ends.insert((event.event_type.clone(), ended.variant_id().0));
            ensure!(once, "{} happened twice to variant {}", event.event_type, ended.variant_id());
        }
    }
    Ok(())
}

/// Each job is there once, and was completed.
async fn check_jobs(log: &Log) -> anyhow::Result<()> {
    let jobs = history::jobs(log).await?;
    let unfinished: Vec<_> = jobs.iter().filter(|(_, _, state, ..)| state != "completed").collect();
    ensure!(unfinished.is_empty(), "{unfinished:?}");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (consumer, ..) in &jobs {
        *counts.entry(consumer).or_default() += 1;
    }
    let sketches = usize::try_from(SKETCHES * ROUNDS)?;
    let expected = [("exports", 1), ("generate", sketches), ("sidecars", ARTWORKS), ("thumbnails", ARTWORKS)];
    ensure!(counts == BTreeMap::from(expected), "{counts:?}");
    Ok(())
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

async fn count_blobs(blobs: &Blobs, prefix: &str) -> anyhow::Result<usize> {
    let (mut count, mut continuation) = (0, None);
    loop {
        let page = blobs.page(prefix, continuation).await?;
        count += page.entries.len();
        continuation = page.next;
        if continuation.is_none() {
            return Ok(count);
        }
    }
}
