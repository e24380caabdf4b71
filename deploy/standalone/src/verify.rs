//! `atelier verify`: proof that the log is what was written, that every blob it names is what it says, and that the read
//! model has not run ahead of it or lost artworks.

mod blobs;
mod read_model;

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use atelier_events::{Position, log};
use atelier_runtime::Connections;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::table::{self, Align};

/// Proves that the log is whole and that every blob is what the log says.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
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
pub async fn run(args: Args, connections: &Connections) -> anyhow::Result<ExitCode> {
    let bar = ProgressBar::no_length().with_style(style()?);
    let verified = verify(connections, |progress| show(&bar, progress)).await?;
    bar.finish_and_clear();
    if args.json {
        let mut out = std::io::stdout().lock();
        for flaw in &verified.flaws {
            writeln!(out, "{}", serde_json::to_string(flaw)?)?;
        }
        let mut summary = serde_json::to_value(&verified)?;
        summary["flaws"] = verified.flaws.len().into();
        writeln!(out, "{summary}")?;
    } else {
        print(&verified)?;
    }
    Ok(if verified.flaws.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Verifies everything. An error only when something cannot be read at all; what is wrong is in the answer.
pub async fn verify(connections: &Connections, mut progress: impl FnMut(Progress)) -> anyhow::Result<Verified> {
    let head = connections.log.head().await.context("reading the log")?;
    let began = Instant::now();
    let chain = log::verify(connections.log.pool(), |position| {
        progress(Progress::Log { position, head });
    })
    .await
    .context("verifying the log")?;
    let log_ms = millis(began.elapsed());
    let mut flaws: Vec<Flaw> = chain.flaws.iter().map(|flaw| Flaw::new("log", flaw.to_string())).collect();

    let began = Instant::now();
    let named = blobs::verify(connections, &mut flaws, progress).await?;
    flaws.extend(read_model::verify(connections.log.pool()).await?);
    Ok(Verified {
        events: chain.events,
        commits: chain.commits,
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
    let mut out = std::io::stdout().lock();
    for flaw in &verified.flaws {
        writeln!(out, "{}: {}", flaw.place, table::one_line(&flaw.flaw))?;
    }
    match verified.flaws.len() {
        0 => writeln!(out, "everything is as it was written"),
        1 => writeln!(out, "1 flaw"),
        flaws => writeln!(out, "{flaws} flaws"),
    }
}
