//! `atelier restore`: a gallery from its bucket alone. Beside each artwork's originals lies a sidecar that says all that the
//! log knew of it; what the sidecars say is told to an empty log, and everything else follows from that.
//!
//! ```text
//! list    every sidecar; those that are none, or not what they say, are named and left out
//! order   artworks are created, and each variant restored, in the order in which the old log told of both
//! look    every file that a sidecar names is read through: is it what the sidecar says?
//! tell    artwork.created with the time it had; then variant.restored for each variant, as they could be shown
//! ```
//!
//! Nothing is made again that is whole. A variant whose renditions are not is cut again from its original; one that has
//! neither is restored as failed and says why. What the log has already is compared and left alone, so that a restoration
//! may be repeated, and goes on where it was broken off.

mod examine;
mod known;
mod order;
mod tell;

use std::io::Write as _;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use atelier_events::{ArtworkId, Connections};
use atelier_index::found;
use futures::{StreamExt as _, TryStreamExt as _};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use examine::examine;
pub use examine::{Damage, Then};
use known::{Known, Standing};
use order::{Place, What};
use tell::{Ready, Restoration};

/// Artworks whose files are read at the same time.
const ARTWORKS: usize = 4;

/// Builds log and gallery again from the bucket's sidecars.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Only tell what would be restored, and what of it is damaged.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not read the files through: take those for whole that have the right length.
    #[arg(long)]
    pub lengths_only: bool,
    /// Print one JSON object a line: each sidecar, then the summary.
    #[arg(long)]
    pub json: bool,
}

/// How far a restoration is.
#[derive(Debug)]
pub enum Progress<'a> {
    /// So many sidecars have been read.
    Listed(u64),
    /// It is known what comes of one.
    Found {
        /// What.
        found: &'a Found,
        /// How many there are.
        of: u64,
    },
}

/// What came of a sidecar.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// Its key.
    pub sidecar: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Files that it names and that are not what it says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<Damage>,
}

/// What can come of a sidecar.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Its artwork is in the log now.
    Restored {
        /// Which.
        artwork_id: ArtworkId,
        /// What it is called.
        title: String,
        /// How many variants it has.
        variants: usize,
    },
    /// Its artwork would be.
    Restorable {
        /// Which.
        artwork_id: ArtworkId,
        /// What it is called.
        title: String,
        /// How many variants it has.
        variants: usize,
    },
    /// Its artwork is in the log, and was before.
    AlreadyThere {
        /// Which.
        artwork_id: ArtworkId,
    },
    /// What the log has under the ids that it names is something else.
    Conflict {
        /// What differs, in words.
        reason: String,
    },
    /// It is no sidecar, or there is nothing left to show of its artwork.
    Skipped {
        /// Why, in words.
        reason: String,
    },
}

/// What a restoration came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Artworks that are in the log now, or would be.
    pub restored: u64,
    /// Those that were there before.
    pub already_there: u64,
    /// Sidecars that contradict what is there.
    pub conflicts: u64,
    /// Sidecars that nothing came of.
    pub skipped: u64,
    /// Files that are missing or damaged.
    pub damaged: u64,
    /// Those of them that nothing takes the place of.
    pub lost: u64,
    /// Positions and times of the sidecars contradict each other, as those of two logs do: the order is that of the times.
    pub ordered_by_time: bool,
}

impl Summary {
    fn count(&mut self, found: &Found) {
        match found.outcome {
            Outcome::Restored { .. } | Outcome::Restorable { .. } => self.restored += 1,
            Outcome::AlreadyThere { .. } => self.already_there += 1,
            Outcome::Conflict { .. } => self.conflicts += 1,
            Outcome::Skipped { .. } => self.skipped += 1,
        }
        self.damaged += found.damaged.len() as u64;
        self.lost += found.damaged.iter().filter(|damage| damage.then != Then::CutAgain).count() as u64;
    }

    /// Whether everything that the bucket had is there again.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.conflicts + self.skipped + self.lost == 0
    }
}

/// What is asked of a restoration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Change nothing.
    pub dry_run: bool,
    /// Compare lengths, not digests.
    pub lengths_only: bool,
}

/// Restores, prints what came of it, and answers failure when something is not there again.
pub async fn run(args: Args, connections: &Connections) -> anyhow::Result<ExitCode> {
    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template("{msg} {human_pos} sidecars")?);
    bar.set_message("reading");
    bar.enable_steady_tick(Duration::from_millis(100));
    let shown = ProgressStyle::with_template("{msg} {bar:40} {human_pos}/{human_len}, {per_sec}, {eta} left")?;
    let options = Options { dry_run: args.dry_run, lengths_only: args.lengths_only };
    let mut printed = Ok(());
    let summary = restore(connections, options, |progress| match progress {
        Progress::Listed(sidecars) => bar.set_position(sidecars),
        Progress::Found { found, of } => {
            if bar.length().is_none() {
                bar.set_style(shown.clone());
                bar.reset();
                bar.set_message("restoring");
                bar.set_length(of);
            }
            bar.inc(1);
            // What cannot be printed is restored all the same, and said at the end.
            if printed.is_ok() {
                printed = bar.suspend(|| print(found, &args));
            }
        }
    })
    .await;
    bar.finish_and_clear();
    let summary = summary?;
    printed?;
    let mut out = atelier_runtime::output();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&summary)?)?;
    } else {
        writeln!(out, "{}", summary.told())?;
    }
    Ok(if summary.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Restores, and tells of each sidecar as soon as it is known what comes of it. An error only when nothing more can be done:
/// the store or the database does not answer.
pub async fn restore(
    connections: &Connections,
    options: Options,
    mut progress: impl FnMut(Progress<'_>),
) -> anyhow::Result<Summary> {
    let mut summary = Summary { dry_run: options.dry_run, ..Summary::default() };
    let (places, unfit) = list(connections, &mut progress).await?;
    let of = (places.len() + unfit.len()) as u64;
    let mut told = |found: Found| {
        summary.count(&found);
        progress(Progress::Found { found: &found, of });
    };
    for (sidecar, reason) in unfit {
        told(Found { sidecar, outcome: Outcome::Skipped { reason }, damaged: Vec::new() });
    }
    let known = Known::read(&connections.log).await.context("reading the log")?;
    let (steps, ordered_by_time) = order::steps(&places);
    let mut restoration = Restoration::begin(connections, options, &known);
    // Those to be created are looked at ahead of their steps.
    let created = steps.iter().filter(|step| step.what == What::Create).map(|step| &places[step.place].key);
    let looks = futures::stream::iter(created).map(|key| look(connections, options, &known, key));
    let mut looks = pin!(looks.buffered(ARTWORKS));
    for step in &steps {
        let key = &places[step.place].key;
        let found = match step.what {
            What::Create => match looks.try_next().await?.context("an artwork was not looked at")? {
                Ok(ready) => restoration.create(step.place, ready).await?,
                Err(outcome) => Some((outcome, Vec::new())),
            },
            What::Restore(_) | What::End => restoration.restore(*step).await?,
        };
        if let Some((outcome, damaged)) = found {
            told(Found { sidecar: key.clone(), outcome, damaged });
        }
    }
    summary.ordered_by_time = ordered_by_time;
    Ok(summary)
}

/// Where the sidecars are, and the order in which the old log told of their artworks; and those that are none, with why.
async fn list(
    connections: &Connections,
    progress: &mut impl FnMut(Progress<'_>),
) -> anyhow::Result<(Vec<Place>, Vec<(String, String)>)> {
    let (mut places, mut unfit) = (Vec::new(), Vec::new());
    let mut all = pin!(found::all(&connections.blobs));
    while let Some((key, sidecar)) = all.try_next().await.context("listing the originals")? {
        match sidecar {
            Ok(sidecar) => places.push(Place::of(key, &sidecar)),
            Err(reason) => unfit.push((key, format!("{:#}", anyhow::Error::from(reason)))),
        }
        progress(Progress::Listed((places.len() + unfit.len()) as u64));
    }
    Ok((places, unfit))
}

/// Reads a sidecar and what it names, unless it is known already what comes of it.
async fn look(
    connections: &Connections,
    options: Options,
    known: &Known,
    key: &str,
) -> anyhow::Result<Result<Ready, Outcome>> {
    // It may have been written again since it was listed.
    let sidecar = match found::read(&connections.blobs, key).await? {
        Ok(sidecar) => sidecar,
        Err(reason) => return Ok(Err(Outcome::Skipped { reason: format!("{:#}", anyhow::Error::from(reason)) })),
    };
    let begun = if known.artworks.contains(&sidecar.id) {
        match known::standing(&connections.log, &sidecar).await? {
            Standing::Absent => None,
            Standing::Begun(begun) => Some(begun),
            Standing::There => return Ok(Err(Outcome::AlreadyThere { artwork_id: sidecar.id })),
            Standing::Other(reason) => return Ok(Err(Outcome::Conflict { reason })),
        }
    } else {
        None
    };
    let examined = examine(&connections.blobs, sidecar, options.lengths_only).await?;
    Ok(Ok(Ready { examined, begun }))
}

/// A sidecar from which everything is restored is no news, unless it was only asked what would be.
fn print(found: &Found, args: &Args) -> std::io::Result<()> {
    let mut out = atelier_runtime::output();
    if args.json {
        return writeln!(out, "{}", serde_json::to_string(found)?);
    }
    let key = &found.sidecar;
    match &found.outcome {
        Outcome::Restored { .. } | Outcome::AlreadyThere { .. } => {}
        Outcome::Restorable { title, variants: 1, .. } => writeln!(out, "{key}: {title:?}")?,
        Outcome::Restorable { title, variants, .. } => writeln!(out, "{key}: {title:?}, {variants} variants")?,
        Outcome::Conflict { reason } => writeln!(out, "{key}: not restored, it contradicts what is there: {reason}")?,
        Outcome::Skipped { reason } => writeln!(out, "{key}: not restored: {reason}")?,
    }
    for Damage { file, what, then, .. } in &found.damaged {
        writeln!(out, "{key}: {file:?} {what}: {}", then.told())?;
    }
    Ok(())
}

impl Summary {
    fn told(&self) -> String {
        let Self { restored, already_there, conflicts, skipped, damaged, lost, .. } = self;
        let restored_or = if self.dry_run { "to be restored" } else { "restored" };
        let order = if self.ordered_by_time {
            "\npositions and times contradict each other, as those of two logs do: the order is that of the times"
        } else {
            ""
        };
        format!(
            "{restored} artworks {restored_or}, {already_there} already there, {conflicts} contradict what is there, \
             {skipped} not restored; {damaged} files missing or damaged, {lost} of them lost{order}"
        )
    }
}
