//! An export from its event to its ZIP, over the embedded bucket and a log of its own: how fast, and in how much memory. The
//! baseline is a plain copy of the same objects through the same client, from the bucket to the bucket, one after the
//! other. Either is a process of its own, so that neither setting up nor the bucket's server counts.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use atelier_events::export::{ExportEvent, Files, Requested, Selection, Variants};
use atelier_events::log::Write;
use atelier_events::settings::StoreSettings;
use atelier_events::signal::Signals;
use atelier_events::variant::{Rendered, Uploaded};
use atelier_events::{
    Append, ArtworkEvent, ArtworkId, Blob, Blobs, Connections, Context, Event, ExpectedVersion, ExportId, Log, Look,
    NewEvent, Position, Priority, Stream, VariantEvent, VariantId, artwork, keys,
};
use atelier_exports::{ExportSettings, Exports};
use atelier_runtime::{Attempt, Job as _, Outcome};
use bytes::Bytes;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::Measured;
use super::folder::Folder;
use super::rounds::median;
use super::scratch::Scratch;
use super::thumbnails::details;
use crate::bucket;

/// Rounds of each. Odd, so that the median is one that was measured.
const ROUNDS: usize = 3;
/// Bytes of an original: a photograph as cameras write it.
const ORIGINAL: usize = 4 << 20;
/// Who owns them.
const OWNER: &str = "bench";

/// What a process of its own does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The export at this position of the log.
    Export,
    /// The copy of its originals.
    Copy,
}

/// What it needed.
#[derive(Debug, Serialize, Deserialize)]
struct Needed {
    seconds: f64,
    /// Resident memory at its peak, as the system counts it.
    peak_mib: f64,
}

/// Measures an export of so many GiB.
pub(super) async fn measure(
    scratch: &Scratch,
    gib: f64,
    on_measured: &mut impl FnMut(Measured) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let folder = Folder::create()?;
    let stopped = CancellationToken::new();
    let own = StoreSettings {
        access_key_id: OWNER.to_owned(),
        secret_access_key: uuid::Uuid::new_v4().to_string(),
        ..StoreSettings::default()
    };
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (address, serving) =
        bucket::serve(&folder.0.join("s3"), any, &own.access_key_id, &own.secret_access_key, stopped.clone()).await?;
    let store = StoreSettings { endpoint: format!("http://{address}"), ..own };
    let measured = alternate(scratch, &store, &folder, gib).await;
    stopped.cancel();
    serving.await?;
    let (exports, copies, mib) = measured?;
    let of = |all: &[Needed], value: fn(&Needed) -> f64| median(all.iter().map(value).collect());
    let rate = |all: &[Needed]| mib / of(all, |needed| needed.seconds);
    let (value, baseline_value) = (rate(&exports), rate(&copies));
    on_measured(Measured {
        name: "export_mib_per_s",
        value,
        unit: "MiB/s",
        baseline: "a plain copy of the same objects through the same client, bucket to bucket",
        baseline_value,
        ratio: value / baseline_value,
    })?;
    let (value, baseline_value) = (of(&exports, |needed| needed.peak_mib), of(&copies, |needed| needed.peak_mib));
    on_measured(Measured {
        name: "export_peak_mib",
        value,
        unit: "MiB",
        baseline: "the same of the copy",
        baseline_value,
        ratio: value / baseline_value,
    })
}

/// What exports and copies needed, in turns, and how many MiB each moved.
async fn alternate(
    scratch: &Scratch,
    store: &StoreSettings,
    folder: &Folder,
    gib: f64,
) -> anyhow::Result<(Vec<Needed>, Vec<Needed>, f64)> {
    let blobs = Blobs::connect(store);
    blobs.create_bucket().await?;
    let log = Log::start(scratch.pool.clone(), Signals::start(&scratch.pool));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand")]
    let originals = (gib * f64::from(1 << 30) / f64::from(1 << 22)).ceil().max(1.0) as u32;
    fill(&log, &blobs, originals).await?;
    let (mut exports, mut copies) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        exports.push(run(Part::Export, scratch, store, folder).await?);
        copies.push(run(Part::Copy, scratch, store, folder).await?);
    }
    Ok((exports, copies, f64::from(originals) * f64::from(1 << 22) / f64::from(1 << 20)))
}

/// Artworks with originals of noise, and the export of all of them.
async fn fill(log: &Log, blobs: &Blobs, originals: u32) -> anyhow::Result<()> {
    // Noise, in each with a number of its own.
    let blocks = (0..ORIGINAL as u64 / 32).map(|block| Sha256::digest(block.to_le_bytes()));
    let mut bytes: Vec<u8> = blocks.flatten().collect();
    for number in 0..originals {
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        let (artwork_id, variant_id) = (ArtworkId::new(), VariantId::new());
        let key = keys::original(OWNER, variant_id, "jpg");
        let original = blobs.put(&key, Bytes::copy_from_slice(&bytes), "image/jpeg").await?;
        tell(log, Stream::artwork(artwork_id), events(artwork_id, variant_id, original)).await?;
    }
    let (export_id, selection) = (ExportId::new(), Selection::All(log.head().await?));
    let requested = Requested { export_id, selection, files: Files::Originals, variants: Variants::All };
    tell(log, Stream::export(export_id), vec![Event::Export(ExportEvent::Requested(requested))]).await
}

fn events(artwork_id: ArtworkId, variant_id: VariantId, original: Blob) -> Vec<Event> {
    let created = artwork::Created::new(artwork_id, OWNER.to_owned(), details());
    let uploaded = Uploaded {
        artwork_id,
        variant_id,
        upload_key: keys::upload(variant_id.0, "picture"),
        filename: "picture".to_owned(),
        length: original.length,
        recipe: None,
        lineage: Vec::new(),
        requested_at: None,
        priority: Priority::Interactive,
    };
    let rendered = Rendered {
        variant_id,
        original,
        width: 4_000,
        height: 3_000,
        renditions: Vec::new(),
        look: Look::Photo,
        palette: Vec::new(),
        placeholder: String::new(),
        recipe_hash: None,
    };
    vec![
        Event::Artwork(ArtworkEvent::Created(created)),
        Event::Variant(VariantEvent::Uploaded(uploaded)),
        Event::Variant(VariantEvent::Rendered(rendered)),
    ]
}

async fn tell(log: &Log, stream: Stream, events: Vec<Event>) -> anyhow::Result<()> {
    let context = Context::command(OWNER);
    let events = events.into_iter().map(|event| NewEvent::new(event, &context)).collect();
    let write = Write { stream, expected: ExpectedVersion::NoStream, events };
    log.append(Append { key: None, writes: vec![write] }).await?;
    Ok(())
}

/// Runs a part as a process of its own, by this program.
async fn run(part: Part, scratch: &Scratch, store: &StoreSettings, folder: &Folder) -> anyhow::Result<Needed> {
    let part = part.to_possible_value().context("a part has a name")?;
    let output = tokio::process::Command::new(std::env::current_exe()?)
        .args(["bench", "export", "--part", part.get_name(), "--data-dir"])
        .arg(folder.0.join("data"))
        .env("ATELIER__DATABASE__URL", scratch.url())
        .env("ATELIER__BUS__URL", "")
        .env("ATELIER__STORE__ENDPOINT", &store.endpoint)
        .env("ATELIER__STORE__ACCESS_KEY_ID", &store.access_key_id)
        .env("ATELIER__STORE__SECRET_ACCESS_KEY", &store.secret_access_key)
        .current_dir(&folder.0)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("starting `atelier bench export`")?;
    ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("reading what a part answered")
}

/// Does a part of it, and prints what it needed. What it made is deleted again.
pub(super) async fn run_part(part: Part, connections: &Connections) -> anyhow::Result<()> {
    let began = Instant::now();
    let made = match part {
        Part::Export => export(connections).await?,
        Part::Copy => copy(connections).await?,
    };
    let needed = Needed { seconds: began.elapsed().as_secs_f64(), peak_mib: peak_mib()? };
    for key in made {
        connections.blobs.delete(&key).await?;
    }
    serde_json::to_writer(atelier_runtime::output(), &needed)?;
    Ok(())
}

/// Packs the export that was asked for last.
async fn export(connections: &Connections) -> anyhow::Result<Vec<String>> {
    let Connections { log, blobs, .. } = connections;
    let event = log.read(Position(log.head().await?.0 - 1), 1).await?.pop().context("the log is empty")?;
    let attempt = Attempt::first(event);
    let job = Exports::new(log.clone(), blobs.clone(), ExportSettings::default());
    let Outcome::Completed(writes) = Box::pin(job.run(&attempt)).await? else { anyhow::bail!("nothing was packed") };
    let mut made = Vec::new();
    for event in writes.into_iter().flat_map(|write| write.events) {
        if let Event::Export(ExportEvent::Completed(completed)) = event.event {
            made.push(completed.archive.key);
            made.extend(completed.contents.map(|contents| keys::export_contents(&contents)));
        }
    }
    Ok(made)
}

/// Copies all originals.
async fn copy(connections: &Connections) -> anyhow::Result<Vec<String>> {
    let blobs = &connections.blobs;
    let (mut made, mut next) = (Vec::new(), None);
    loop {
        let page = blobs.page("originals/", next).await?;
        for entry in page.entries {
            let mut download = blobs.stream(&entry.key).await?;
            let copied = format!("copies/{}", entry.key);
            let mut upload = blobs.upload(&copied, "image/jpeg")?;
            while let Some(bytes) = download.chunk().await? {
                upload.write(bytes).await?;
            }
            Box::pin(upload.finish()).await?;
            made.push(copied);
        }
        next = page.next;
        if next.is_none() {
            return Ok(made);
        }
    }
}

/// Of this process.
fn peak_mib() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("the system does not tell a process's memory")?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).and_then(|kib| kib.trim().strip_suffix(" kB"));
    Ok(kib.context("no VmHWM in /proc/self/status")?.parse::<f64>()? / 1_024.0)
}
