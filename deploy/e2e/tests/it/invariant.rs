//! What must be true after every fault, whatever it was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use atelier_e2e::{queues, until};
use atelier_events::consumer::Kind;
use atelier_events::{ArtworkId, Blobs, Consumer, Log, Recorded, Stream};
use serde_json::Value;

use crate::harness::Processes;
use crate::{gallery, history, private};

/// What an artwork of one variant has in the bucket: folders, and how many blobs in each. Beside an original lies its
/// sidecar.
const BLOBS: [(&str, usize); 5] = [("display", 1), ("thumbnails", 1), ("icons", 1), ("previews", 1), ("originals", 2)];

/// Waits until nothing is left to do, and checks that these artworks, of one variant each, are all that ever was asked
/// for: every accepted command is in the log and nothing else, with no position missing and the hash chain whole; every
/// job was done once in effect; the read model and the gallery are what follows from the log; nobody is shown where an
/// original lies; nothing is left in a queue.
pub(crate) async fn check(processes: &Processes, accepted: &[ArtworkId]) -> anyhow::Result<()> {
    let log = &processes.connections.log;
    history::at_rest(log, i64::try_from(accepted.len())?).await?;
    let accepted: BTreeSet<ArtworkId> = accepted.iter().copied().collect();
    let events = history::events(log).await?;
    check_history(&events, &accepted)?;
    check_jobs(log, &events).await?;
    check_chain(processes, events.len()).await?;
    check_blobs(&processes.connections.blobs, accepted.len()).await?;
    let compared = atelier_index::compare(log, |_| {}).await?;
    ensure!(compared.differing.is_empty(), "the read model is not what follows from the log: {compared:?}");
    let shown: BTreeSet<ArtworkId> = gallery::check(&processes.site, log).await?.iter().map(|shown| shown.id).collect();
    ensure!(shown == accepted, "{} artworks of {} are published", shown.len(), accepted.len());
    for id in accepted {
        let artwork = processes.client.published(id, Duration::ZERO).await?;
        ensure!(artwork.status == "active", "{id} is {}", artwork.status);
    }
    private::check(processes).await?;
    check_queues(processes).await
}

/// Each accepted artwork has come to its end, once, of which the last is that it was told as published; there is no other.
fn check_history(events: &[Recorded], accepted: &BTreeSet<ArtworkId>) -> anyhow::Result<()> {
    ensure!(events.iter().zip(1..).all(|(event, position)| event.position.0 == position), "positions have gaps");
    let mut streams: BTreeMap<&Stream, BTreeMap<&str, usize>> = BTreeMap::new();
    for event in events {
        *streams.entry(&event.stream).or_default().entry(event.event_type.as_str()).or_default() += 1;
    }
    let requested =
        ["artwork.created", "variant.requested", "variant.generated", "variant.rendered", "artwork.published"];
    let uploaded = ["artwork.created", "variant.uploaded", "variant.rendered", "artwork.published"];
    let once = |types: &[&'static str]| types.iter().map(|name| (*name, 1)).collect::<BTreeMap<_, usize>>();
    for id in accepted {
        let happened = streams.get_mut(&Stream::artwork(*id));
        let happened = happened.with_context(|| format!("{id} was accepted and is not in the log"))?;
        // A variant is begun as often as its worker was lost.
        happened.remove("variant.started");
        ensure!(*happened == once(&requested) || *happened == once(&uploaded), "{id} has {happened:?}");
    }
    let created = events.iter().filter(|event| event.event_type == "artwork.created").count();
    ensure!(created == accepted.len(), "{created} artworks for {} that were accepted", accepted.len());
    Ok(())
}

/// Each event has the jobs that it is for, each of them once, and all were completed.
async fn check_jobs(log: &Log, events: &[Recorded]) -> anyhow::Result<()> {
    let jobs = history::jobs(log).await?;
    let unfinished: Vec<_> = jobs.iter().filter(|(_, _, state, ..)| state != "completed").collect();
    ensure!(unfinished.is_empty(), "{unfinished:?}");
    let found: Vec<(&str, i64)> = jobs.iter().map(|(consumer, position, ..)| (consumer.as_str(), *position)).collect();
    let consumers = Consumer::ALL.into_iter().filter(|consumer| consumer.kind() == Kind::Job);
    let mut expected: Vec<(&str, i64)> = consumers
        .flat_map(|consumer| {
            let concerns = move |event: &&Recorded| consumer.event_types().contains(&event.event_type.as_str());
            events.iter().filter(concerns).map(move |event| (consumer.name(), event.position.0))
        })
        .collect();
    expected.sort_unstable();
    ensure!(found == expected, "jobs are missing or too many: {found:?} instead of {expected:?}");
    Ok(())
}

/// As an operator asks: the log is what was written, and every blob is what the log says.
async fn check_chain(processes: &Processes, events: usize) -> anyhow::Result<()> {
    let [option, folder] = processes.data_dir();
    let output = processes.run("atelier", &[&option, &folder, "verify", "--json"]).await?;
    let said = String::from_utf8(output.stdout)?;
    let summary: Value = serde_json::from_str(said.lines().last().context("verify says nothing")?)?;
    ensure!(summary["flaws"] == 0 && summary["events"] == events, "{events} events and {said}");
    Ok(())
}

async fn check_blobs(blobs: &Blobs, variants: usize) -> anyhow::Result<()> {
    for (folder, each) in BLOBS {
        let found = count_blobs(blobs, &format!("{folder}/")).await?;
        ensure!(found == variants * each, "{found} blobs in {folder}/ for {variants} variants");
    }
    Ok(())
}

/// How many blobs there are whose key starts with this.
pub(crate) async fn count_blobs(blobs: &Blobs, prefix: &str) -> anyhow::Result<usize> {
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

/// Nothing waits in a queue, and nothing was given up there.
async fn check_queues(processes: &Processes) -> anyhow::Result<()> {
    if processes.bus.url.is_empty() {
        return Ok(());
    }
    // A message about something that was found without it may still be on its way.
    let emptied = until("the queues are empty", || async {
        Ok(queues::waiting(&processes.bus).await?.values().all(|waiting| *waiting == 0))
    });
    match emptied.await {
        Ok(()) => Ok(()),
        Err(error) => Err(error.context(format!("{:?}", queues::waiting(&processes.bus).await))),
    }
}
