//! `replay` on a command line, of `atelier-site` and of `atelier site`; and as it is asked for over HTTP, in the daemon.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context as _;
use atelier_events::Log;
use atelier_events::replays::{self, Replay};
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::publication::{Publication, Replayed};
use crate::release::{DeployError, Release};

/// The exit code of a dry run that found a difference: 1 is an error and 2 a wrong command line.
const DIFFERENT: u8 = 3;
/// The exit code of a replay that a signal has stopped.
const CANCELLED: u8 = 130;
/// Files that are listed to a reader; `--json` has them all.
const LISTED: usize = 20;
/// Files that are kept with a replay that was asked for over HTTP.
const KEPT: usize = 100;

/// Renders everything from the log again, compares it with every byte that is live, and makes good what differs.
///
/// Also what was rolled back: what is live then is what the log says. What is live stays live until the swap; a replay that is
/// stopped leaves it, or the replayed release, whole, and the next one finds what a target has not got yet.
///
/// Exit codes: 0 done, or no difference; 1 an error; 3 a dry run found a difference; 130 stopped by a signal.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Change nothing: report which files differ, here and at a target that can be asked (a bucket).
    #[arg(long)]
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum Outcome {
    Replayed { differing: Vec<String>, release: Release },
    Compared { differing: Vec<String> },
    Cancelled,
}

/// Replays, and prints what came of it.
pub async fn run(
    args: Args,
    json: bool,
    mut publication: Publication,
    shutdown: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let replaying = async {
        publication.read(None).await?;
        Outcome::of(&mut publication, args.dry_run).await
    };
    let outcome = tokio::select! {
        ended = replaying => ended.context("replaying the site")?,
        () = shutdown.cancelled() => Outcome::Cancelled,
    };
    let text = if json { serde_json::to_string(&outcome)? } else { outcome.text() };
    writeln!(atelier_runtime::output(), "{text}")?;
    Ok(outcome.exit_code())
}

/// Replays, or compares, for somebody who asked for it over HTTP, and says what came of it.
pub(crate) async fn as_asked(publication: &mut Publication, log: &Log, asked: Replay) -> anyhow::Result<()> {
    let (pool, dry_run) = (log.pool(), asked.wanted.dry_run);
    tracing::info!(replay = asked.id, replay.dry_run = dry_run, replay.by = asked.asked_by, "replaying the site");
    let reporting = async {
        replays::keep_reporting(pool, &asked, || None::<()>).await;
        // A deploy is not broken off: it would leave to be found out what of it was done.
        std::future::pending().await
    };
    let done = tokio::select! {
        done = Outcome::of(publication, dry_run) => done,
        never = reporting => never,
    };
    let said = match &done {
        Ok(outcome) => Ok(outcome.in_short()?),
        // It is tried again after a while.
        Err(error) if matches!(error.downcast_ref(), Some(DeployError::Busy(_))) => return done.map(drop),
        Err(error) => Err(format!("{error:#}")),
    };
    replays::end(pool, &asked, said).await?;
    done.map(drop)
}

impl Outcome {
    /// Replays what has been read, or compares it with what is live.
    pub(crate) async fn of(publication: &mut Publication, is_rehearsal: bool) -> anyhow::Result<Self> {
        if is_rehearsal {
            return Ok(Self::Compared { differing: publication.differing().await?.into_iter().collect() });
        }
        let Replayed { release, differing } = publication.replay().await?;
        Ok(Self::Replayed { differing, release })
    }

    /// What is kept of it: how many files differ, and which the first of them are.
    pub(crate) fn in_short(&self) -> serde_json::Result<Value> {
        let mut said = serde_json::to_value(self)?;
        if let Some(differing) = said["differing"].as_array_mut() {
            let files = differing.len();
            differing.truncate(KEPT);
            said["differing_files"] = files.into();
        }
        Ok(said)
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Compared { differing } if !differing.is_empty() => ExitCode::from(DIFFERENT),
            Self::Replayed { .. } | Self::Compared { .. } => ExitCode::SUCCESS,
            Self::Cancelled => ExitCode::from(CANCELLED),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Replayed { differing, release: Release { files, number, .. } } if differing.is_empty() => {
                format!("{files} files are what they should be (release {number})")
            }
            Self::Replayed { differing, release: Release { files, number, .. } } => {
                let count = differing.len();
                format!(
                    "{count} files differed from what they should be; release {number} is live with {files} files:{}",
                    listed(differing)
                )
            }
            Self::Compared { differing } if differing.is_empty() => "every file is what it should be".to_owned(),
            Self::Compared { differing } => {
                format!("{} files differ from what they should be:{}", differing.len(), listed(differing))
            }
            Self::Cancelled => "stopped; what is live is whole, replayed or as it was".to_owned(),
        }
    }
}

fn listed(differing: &[String]) -> String {
    let first = differing.iter().take(LISTED).map(|path| format!("\n  {path}"));
    let more = differing.len().saturating_sub(LISTED);
    let more = (more > 0).then(|| format!("\n  and {more} more (--json lists them)"));
    first.chain(more).collect()
}
