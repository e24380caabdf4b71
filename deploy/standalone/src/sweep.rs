//! `atelier sweep`: deletes renditions that the log names nowhere any more, or never did: those that others have taken the
//! place of, and those of attempts that ended before their set was whole.
//!
//! A set goes as a whole, and only when all that nobody names of it is older than a stated age: a younger one may belong to
//! an attempt that runs. The same time passes before what was shown until now is swept, since pages that name it are still
//! open somewhere. Nothing outside the folders of renditions is looked at, so no original can be touched.
//!
//! Uploads in parts that were begun before that age and never finished are aborted: those of a worker that died and of which
//! nobody took over the work.

mod age;
mod named;
mod orphans;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context as _;
use atelier_events::{Connections, Export, Stream, keys};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use time::OffsetDateTime;

use age::Age;
use named::Named;
use orphans::Orphans;

/// Deletes renditions that nobody names, and uploads that were never finished.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Only what is older than this, such as 90m, 36h or 7d; an hour at least.
    #[arg(long, default_value = "24h", value_name = "AGE")]
    pub older_than: Age,
    /// Delete them; without it they are only listed.
    #[arg(long)]
    pub delete: bool,
    /// Print one JSON object a line: each file, then the summary.
    #[arg(long)]
    pub json: bool,
}

/// A file that nobody names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Orphan {
    /// Where in the bucket.
    pub key: String,
    /// In bytes.
    pub length: u64,
}

/// What a sweep came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Files that the log names, which stay.
    pub named: u64,
    /// Files that nobody names and that are too young to go.
    pub young: u64,
    /// Files that nobody names and that are old enough.
    pub orphans: u64,
    /// Bytes of those.
    pub orphan_bytes: u64,
    /// Files that were deleted.
    pub deleted: u64,
    /// Uploads in parts that were never finished, and are old enough to be forgotten.
    pub unfinished: u64,
    /// Those of them that were aborted.
    pub aborted: u64,
}

/// Sweeps, and prints what was found.
pub async fn run(args: Args, connections: &Connections) -> anyhow::Result<ExitCode> {
    let (orphans, swept) = sweep(&args, connections, OffsetDateTime::now_utc()).await?;
    let mut out = atelier_runtime::output();
    if args.json {
        for orphan in &orphans {
            writeln!(out, "{}", serde_json::to_string(orphan)?)?;
        }
        writeln!(out, "{}", serde_json::to_string(&swept)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for orphan in &orphans {
        writeln!(out, "{:>12}  {}", indicatif::HumanBytes(orphan.length).to_string(), orphan.key)?;
    }
    writeln!(out, "{}", swept.told(&args))?;
    Ok(ExitCode::SUCCESS)
}

/// Finds them, and deletes them where that is asked for.
pub async fn sweep(
    args: &Args,
    connections: &Connections,
    now: OffsetDateTime,
) -> anyhow::Result<(Vec<Orphan>, Swept)> {
    let before = now - args.older_than.0;
    let mut named = Named::since(before);
    named.read_on(&connections.log).await?;
    let mut orphans = Orphans::find(&connections.blobs, &named).await.context("listing the renditions")?;
    // Listing takes its time: what was named meanwhile is nobody's no more.
    named.read_on(&connections.log).await?;
    orphans.retain(&named);
    let young = orphans.spare_young(before);
    let files = orphans.files();
    let mut swept = Swept {
        named: orphans.named,
        young,
        orphans: files.len() as u64,
        orphan_bytes: files.iter().map(|file| file.length).sum(),
        deleted: 0,
        unfinished: 0,
        aborted: 0,
    };
    for upload in connections.blobs.unfinished_uploads("").await.context("listing unfinished uploads")? {
        if upload.begun.is_none_or(|begun| begun >= before) || is_under_way(connections, &upload.key).await? {
            continue;
        }
        swept.unfinished += 1;
        if args.delete {
            connections.blobs.abort_upload(&upload.key, &upload.upload_id).await?;
            swept.aborted += 1;
        }
    }
    if args.delete {
        let bar = ProgressBar::new(swept.orphans).with_style(style()?);
        swept.deleted = orphans.delete(&connections.blobs, before, |deleted| bar.set_position(deleted)).await?;
        bar.finish_and_clear();
    }
    Ok((files, swept))
}

/// Whether the upload is of an export that is still to be completed: however long that takes, it is gone on with.
async fn is_under_way(connections: &Connections, key: &str) -> anyhow::Result<bool> {
    let id = key.strip_prefix(keys::EXPORTS).and_then(|name| name.strip_suffix(".zip")?.parse().ok());
    let Some(id) = id else { return Ok(false) };
    let events = connections.log.read_stream(&Stream::export(id)).await.context("reading the log")?;
    Ok(matches!(events.iter().try_fold(None, Export::fold)?, Some(Export::Pending(_))))
}

impl Swept {
    fn told(&self, args: &Args) -> String {
        let Self { named, young, orphans, orphan_bytes, deleted, unfinished, aborted } = self;
        let bytes = indicatif::HumanBytes(*orphan_bytes);
        let stay = format!("{named} are named by the log and {young} are younger than {}", args.older_than);
        if args.delete {
            format!(
                "deleted {deleted} of {orphans} files, {bytes}, and aborted {aborted} of {unfinished} unfinished uploads; {stay}"
            )
        } else {
            format!(
                "{orphans} files, {bytes}, are nobody's, and {unfinished} uploads are unfinished: --delete deletes them; {stay}"
            )
        }
    }
}

fn style() -> anyhow::Result<ProgressStyle> {
    Ok(ProgressStyle::with_template("deleting {bar:40} {human_pos}/{human_len} files, {per_sec}, {eta} left")?)
}
