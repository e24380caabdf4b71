//! `atelier verify`: proof that the log is what was written, that every blob it names is what it says, and that the read
//! model has not run ahead of it or lost artworks.

mod blobs;
mod checkpoint;
mod read_model;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use atelier_events::log::Anchor;
use atelier_events::{Position, log};
use atelier_runtime::Connections;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

pub use checkpoint::{Checkpoints, Extent};

use crate::table::{self, Align};

/// Proves that the log is whole and that every blob is what the log says.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Only what came after this signed checkpoint, and that the log still holds the checkpoint.
    #[arg(long, value_name = "CHECKPOINT")]
    pub since: Option<PathBuf>,
    /// Everything, and that it is the log of this signed checkpoint: not cut off, and not written anew.
    #[arg(long, value_name = "CHECKPOINT", conflicts_with = "since")]
    pub against: Option<PathBuf>,
    /// When the log is whole, write a signed checkpoint of its end to this file; keep it away from the database.
    #[arg(long, value_name = "FILE")]
    pub sign: Option<PathBuf>,
    /// The key of checkpoints: 64 hexadecimal digits in a file. Without it, the one of the data directory.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Print one JSON object a line: each flaw, then the summary.
    #[arg(long)]
    pub json: bool,
}

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The log's chain has been checked up to here.
    Log {
        /// Checked.
        position: Position,
        /// The end when it began.
        head: Position,
    },
    /// Blobs have been read through.
    Blobs {
        /// How many.
        checked: u64,
        /// How many have been named by the events seen so far.
        named: u64,
    },
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verified {
    /// Events checked.
    pub events: u64,
    /// Commits checked.
    pub commits: u64,
    /// The end of what was checked.
    #[serde(skip)]
    pub reached: Option<Anchor>,
    /// Blobs checked: originals, renditions and archives, each key once.
    pub blobs: u64,
    /// Bytes of those.
    pub blob_bytes: u64,
    /// Everything that is not as it should be.
    #[serde(skip)]
    pub flaws: Vec<Flaw>,
    /// How long the log took, in milliseconds.
    pub log_ms: u64,
    /// How long the blobs took, in milliseconds.
    pub blobs_ms: u64,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// Where: `log`, `blob` or `read model`.
    #[serde(rename = "where")]
    pub place: &'static str,
    /// What is wrong, in words.
    pub flaw: String,
}

impl Flaw {
    fn new(place: &'static str, flaw: impl Into<String>) -> Self {
        Self { place, flaw: flaw.into() }
    }
}

/// Verifies, prints what was found, and answers failure if there is any flaw.
pub async fn run(args: Args, checkpoints: Checkpoints, connections: &Connections) -> anyhow::Result<ExitCode> {
    let bar = ProgressBar::no_length().with_style(style()?);
    let verified = verify_within(connections, checkpoints.extent, |progress| show(&bar, progress)).await?;
    bar.finish_and_clear();
    if args.json {
        let mut out = atelier_runtime::output();
        for flaw in &verified.flaws {
            writeln!(out, "{}", serde_json::to_string(flaw)?)?;
        }
        let mut summary = serde_json::to_value(&verified)?;
        summary["flaws"] = verified.flaws.len().into();
        writeln!(out, "{summary}")?;
    } else {
        print(&verified)?;
    }
    if let (Some((path, key)), Some(reached)) = (checkpoints.sign, verified.reached) {
        let in_log = verified.flaws.iter().filter(|flaw| flaw.place == "log").count();
        ensure!(in_log == 0, "{} was not written: a log with flaws is not signed", path.display());
        checkpoint::sign(&path, &key, &reached)?;
        if !args.json {
            writeln!(atelier_runtime::output(), "signed at position {}: {}", reached.position, path.display())?;
        }
    }
    Ok(if verified.flaws.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Verifies everything. An error only when something cannot be read at all; what is wrong is in the answer.
pub async fn verify(connections: &Connections, progress: impl FnMut(Progress)) -> anyhow::Result<Verified> {
    verify_within(connections, Extent::Whole, progress).await
}

/// The same, as far back as is said.
pub async fn verify_within(
    connections: &Connections,
    extent: Extent,
    mut progress: impl FnMut(Progress),
) -> anyhow::Result<Verified> {
    let pool = connections.log.pool();
    let head = connections.log.head().await.context("reading the log")?;
    let from = match extent {
        Extent::Since(anchor) => anchor,
        Extent::Whole | Extent::Against(_) => Anchor::beginning(),
    };
    let began = Instant::now();
    let on_position = |position| progress(Progress::Log { position, head });
    let mut chain = log::verify_from(pool, &from, on_position).await.context("verifying the log")?;
    if let Extent::Against(anchor) = extent {
        chain.flaws.extend(log::holds(pool, &anchor).await.context("verifying the log")?);
    }
    let log_ms = millis(began.elapsed());
    let mut flaws: Vec<Flaw> = chain.flaws.iter().map(|flaw| Flaw::new("log", flaw.to_string())).collect();

    let began = Instant::now();
    let named = blobs::verify(connections, from.position, &mut flaws, progress).await?;
    flaws.extend(read_model::verify(connections.log.pool()).await?);
    Ok(Verified {
        events: chain.events,
        commits: chain.commits,
        reached: Some(chain.reached),
        blobs: named.checked,
        blob_bytes: named.bytes,
        flaws,
        log_ms,
        blobs_ms: millis(began.elapsed()),
    })
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

fn style() -> anyhow::Result<ProgressStyle> {
    Ok(ProgressStyle::with_template("{msg:5} {bar:40} {human_pos}/{human_len}, {per_sec}, {eta} left")?)
}

fn show(bar: &ProgressBar, progress: Progress) {
    let (what, done, all) = match progress {
        Progress::Log { position, head } => ("log", position.0.unsigned_abs(), head.0.unsigned_abs()),
        Progress::Blobs { checked, named } => ("blobs", checked, named),
    };
    if bar.message() != what {
        // Another thing at another speed: its rate and time left begin anew.
        bar.reset();
        bar.set_message(what);
    }
    bar.set_length(all);
    bar.set_position(done);
}

fn print(verified: &Verified) -> std::io::Result<()> {
    let count = |count: u64| indicatif::HumanCount(count).to_string();
    let rate = |count: u64, ms: u64| format!("{}/s", indicatif::HumanCount(count.saturating_mul(1_000) / ms.max(1)));
    let bytes = |bytes: u64| indicatif::HumanBytes(bytes).to_string();
    let byte_rate = verified.blob_bytes.saturating_mul(1_000) / verified.blobs_ms.max(1);
    let columns = [("checked", Align::Left), ("how many", Align::Right), ("rate", Align::Right)];
    let rows = [
        ("events", count(verified.events), rate(verified.events, verified.log_ms)),
        ("commits", count(verified.commits), rate(verified.commits, verified.log_ms)),
        ("blobs", count(verified.blobs), rate(verified.blobs, verified.blobs_ms)),
        ("bytes in blobs", bytes(verified.blob_bytes), format!("{}/s", bytes(byte_rate))),
    ];
    table::print(&columns, rows.map(|(what, many, rate)| vec![what.to_owned(), many, rate]).to_vec())?;
    let mut out = atelier_runtime::output();
    for flaw in &verified.flaws {
        writeln!(out, "{}: {}", flaw.place, table::one_line(&flaw.flaw))?;
    }
    match verified.flaws.len() {
        0 => writeln!(out, "everything is as it was written"),
        1 => writeln!(out, "1 flaw"),
        flaws => writeln!(out, "{flaws} flaws"),
    }
}
