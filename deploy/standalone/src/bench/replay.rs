//! The replay of the index over a log of many events: how fast, and in how much memory. Each replay is a process of its
//! own, the program that an operator runs. The baseline is what remains when nothing has to be read, folded or looked
//! up: the rows that came of it, copied into tables that are the same.

mod child;
mod history;

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use atelier_events::Log;
use atelier_events::signal::Signals;
use atelier_index::schema;
use futures::TryStreamExt;
use sqlx::{PgConnection, PgPool};
use tokio::io::AsyncWriteExt;

use super::Measured;
use super::folder::Folder;
use super::rounds::median;
use super::scratch::Scratch;
use history::History;

/// Replays, and as many baselines, in turns. Odd, so that the median is one that was measured.
const ROUNDS: usize = 3;

/// The share of the log over which the memory of a replay is measured first, to be compared with all of it.
const SMALLER: i64 = 10;

/// Bytes of a file that are sent at a time.
const CHUNK: usize = 1 << 20;

/// Statements that read a table of the read model as it is copied, and the one that copies it into another.
const TABLES: [(&str, &str, &str); 4] = [
    ("artworks", "copy read.artworks to stdout", "copy plain.artworks from stdin"),
    ("variants", "copy read.variants to stdout", "copy plain.variants from stdin"),
    ("lineage", "copy read.lineage to stdout", "copy plain.lineage from stdin"),
    ("renditions", "copy read.renditions to stdout", "copy plain.renditions from stdin"),
];

/// Measures all there is to it.
pub(super) async fn measure(
    scratch: &Scratch,
    events: u32,
    on_measured: &mut impl FnMut(Measured) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let folder = Folder::create()?;
    let log = Log::start(scratch.pool.clone(), Signals::start(&scratch.pool));
    let (events, mut history) = (i64::from(events), History::default());
    fill(&mut history, &log, events / SMALLER).await?;
    let smaller = child::replay(scratch, &folder.0).await?;
    fill(&mut history, &log, events).await?;

    let (mut rates, mut baselines, mut peaks) = (Vec::new(), Vec::new(), vec![]);
    for round in 0..ROUNDS {
        let replayed = child::replay(scratch, &folder.0).await?;
        anyhow::ensure!(replayed.position == events, "replayed {} of {events} events", replayed.position);
        rates.push(rate(events, replayed.seconds));
        peaks.push(replayed.peak_mib);
        if round == 0 {
            export(&scratch.pool, &folder.0).await?;
        }
        baselines.push(rate(events, copy(&scratch.pool, &folder.0).await?));
    }
    let (value, baseline_value) = (median(rates), median(baselines));
    on_measured(Measured {
        name: "replay_index",
        value,
        unit: "events/s",
        baseline: "COPY of the same rows into the same tables by one connection, then the same keys and indexes",
        baseline_value,
        ratio: value / baseline_value,
    })?;
    let peak = peaks.into_iter().flatten().reduce(f64::max);
    let (Some(value), Some(baseline_value)) = (peak, smaller.peak_mib) else {
        writeln!(std::io::stderr(), "replay_peak_mib: not measured, there is no /proc/PID/status here")?;
        return Ok(());
    };
    on_measured(Measured {
        name: "replay_peak_mib",
        value,
        unit: "MiB",
        baseline: "the same over the first tenth of the log",
        baseline_value,
        ratio: value / baseline_value,
    })
}

async fn fill(history: &mut History, log: &Log, events: i64) -> anyhow::Result<()> {
    history.write(log, events).await.context("filling the log")?;
    // What has just been written is tidied up by whoever reads it first; that is not to be what is measured.
    sqlx::query("vacuum analyze events").execute(log.pool()).await?;
    Ok(())
}

/// Writes the rows of the read model into files.
async fn export(pool: &PgPool, folder: &Path) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    for (table, read, _) in TABLES {
        let mut file = tokio::fs::File::create(folder.join(table)).await?;
        let mut rows = connection.copy_out_raw(read).await?;
        while let Some(bytes) = rows.try_next().await? {
            file.write_all(&bytes).await?;
        }
        file.flush().await?;
    }
    Ok(())
}

/// Copies the files into the tables of a schema that is new, makes keys and indexes, and answers how many seconds it
/// took.
async fn copy(pool: &PgPool, folder: &Path) -> anyhow::Result<f64> {
    let mut connection = pool.acquire().await?.detach();
    sqlx::raw_sql("create schema plain; set search_path = plain; set synchronous_commit = off")
        .execute(&mut connection)
        .await?;
    let began = Instant::now();
    sqlx::raw_sql(schema::TABLES).execute(&mut connection).await?;
    // The rows have what this would work out.
    sqlx::raw_sql("alter table artworks disable trigger user").execute(&mut connection).await?;
    for (table, _, write) in TABLES {
        copy_file(&mut connection, write, &folder.join(table)).await.with_context(|| format!("copying {table}"))?;
    }
    for (index, _) in schema::INDEXES {
        sqlx::raw_sql(index).execute(&mut connection).await?;
    }
    let seconds = began.elapsed().as_secs_f64();
    sqlx::raw_sql("drop schema plain cascade").execute(&mut connection).await?;
    Ok(seconds)
}

async fn copy_file(connection: &mut PgConnection, statement: &str, file: &Path) -> anyhow::Result<()> {
    let mut file = tokio::fs::File::open(file).await?;
    let mut copy = connection.copy_in_raw(statement).await?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = tokio::io::AsyncReadExt::read(&mut file, &mut chunk).await?;
        if read == 0 {
            break;
        }
        copy.send(&chunk[..read]).await?;
    }
    copy.finish().await?;
    Ok(())
}

fn rate(events: i64, seconds: f64) -> f64 {
    f64::from(u32::try_from(events).unwrap_or(u32::MAX)) / seconds
}
