//! The broker may deliver a message as often as it likes.

use std::collections::BTreeSet;

use anyhow::ensure;
use atelier_e2e::{Broker, Database};
use atelier_events::bus::{Bus as _, PUBLISH_LIMIT, RabbitBus};
use atelier_events::{Log, Position, Stream};
use image::ImageFormat;

use crate::commands::{export, sketches, upload};
use crate::harness::{Processes, with_processes};
use crate::{BY_MESSAGE, gallery, history, pictures};

/// Deliveries of each event, the first included.
const DELIVERIES: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn the_same_message_delivered_five_times_makes_one_of_everything() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let outcome = with_processes(&database.url, broker.settings.clone(), &[BY_MESSAGE], async |processes| {
        let Processes { client, connections, site, .. } = processes;
        let log = &connections.log;
        sketches(client, "first", 4, 192).await?;
        for number in 0..3 {
            let bytes = pictures::small(number, 160, ImageFormat::Png)?;
            upload(client, &format!("picture-{number}"), "image/png", &bytes).await?;
        }
        export(client, "first").await?;
        history::at_rest(log, 7).await?;
        let head = log.head().await?;
        let jobs = history::jobs(log).await?;

        let events = history::events(log).await?;
        let bus = RabbitBus::connect(&broker.settings).await?;
        for _ in 1..DELIVERIES {
            for window in events.chunks(PUBLISH_LIMIT) {
                bus.publish(window).await?;
            }
        }
        // Queues are in order: once this has come through all of them, so has everything before.
        let marker = sketches(client, "marker", 1, 192).await?[0];
        let archive = export(client, "marker").await?;
        history::at_rest(log, 8).await?;

        let expected = BTreeSet::from([Stream::artwork(marker), Stream::export(archive), Stream::site("main")]);
        check_history(log, head, &expected).await?;
        let now = history::jobs(log).await?;
        let before: Vec<_> = now.into_iter().filter(|(_, position, ..)| *position <= head.0).collect();
        ensure!(before == jobs, "a job was touched: {before:?} instead of {jobs:?}");
        let compared = atelier_index::compare(log, |_| {}).await?;
        ensure!(compared.differing.is_empty(), "{compared:?}");
        let artworks = gallery::check(site, log).await?;
        ensure!(artworks.len() == 8, "{} artworks", artworks.len());
        Ok(())
    })
    .await;
    broker.delete().await?;
    outcome
}

/// Nothing but the marker has happened since, and no state of the gallery was deployed twice.
async fn check_history(log: &Log, head: Position, streams: &BTreeSet<Stream>) -> anyhow::Result<()> {
    let since = history::events_after(log, head).await?;
    let strange: Vec<_> = since.iter().filter(|event| !streams.contains(&event.stream)).collect();
    ensure!(strange.is_empty(), "{strange:?}");
    let expected = [
        ("artwork.created", 1),
        ("artwork.published", 1),
        ("export.completed", 1),
        ("export.requested", 1),
        ("site.deployed", 1),
        ("variant.generated", 1),
        ("variant.rendered", 1),
        ("variant.requested", 1),
        ("variant.started", 1),
    ];
    let counts = history::counts(&since);
    ensure!(counts == expected.into(), "{counts:?}");
    let deployed = "select count(*) - count(distinct data->>'position') from events where type = 'site.deployed'";
    let twice: i64 = sqlx::query_scalar(deployed).fetch_one(log.pool()).await?;
    ensure!(twice == 0, "{twice} states of the gallery were deployed twice");
    Ok(())
}
