//! `replay` on a command line: of `atelier-index` and of `atelier`.

use std::io::Write;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use atelier_events::{Log, Position};
use serde::Serialize;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use super::{Begun, Options, Progress, ReplayError, Replayed, replay_and};
use crate::compare::{Compared, dry_run};
use crate::progress;

/// The exit code of a dry run that found a difference: 1 is an error and 2 a wrong command line.
const DIFFERENT: u8 = 3;

/// The exit code of a replay that a signal has stopped.
const CANCELLED: u8 = 130;

/// Builds the read model again from the log and swaps it in.
///
/// The live read model goes on meanwhile, and readers see nothing until the swap. A replay that is stopped, by Ctrl-C or
/// worse, leaves it as it was, and the next one goes on where that stopped. What was live before the last swap is kept
/// as the backup.
///
/// Exit codes: 0 done, or no difference; 1 an error; 3 a dry run found a difference; 130 stopped by a signal.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Change nothing: build, and report which rows are missing, extra or different in the live read model.
    #[arg(long)]
    pub dry_run: bool,
    /// What to start from: the log, or the backup, which is brought up to date and goes live again. The live read model
    /// becomes the backup, so that the same command takes that back.
    #[arg(long, value_enum, default_value_t = From::Log)]
    pub from: From,
    /// Start over, although an interrupted replay could be gone on with.
    #[arg(long, conflicts_with = "from")]
    pub fresh: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What a replay starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum From {
    /// All events.
    Log,
    /// The read model that was live before the last swap.
    Backup,
}

/// What came of it.
#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(super) enum Outcome {
    Replayed(Replayed),
    Compared(Compared),
    Cancelled(Cancelled),
    Refused { reason: String },
}

/// A replay that a signal has stopped.
#[derive(Debug, Serialize)]
pub(super) struct Cancelled {
    /// So many events were applied, about: batches that were on their way may be counted.
    position: Position,
    /// Of so many.
    head: Position,
}

/// Replays, shows how far it is, and prints what came of it.
pub async fn run(args: Args, log: &Log, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let options = Options { from_backup: args.from == From::Backup, fresh: args.fresh };
    let last = Arc::new(Mutex::new(None));
    let mut show = progress::on_stderr();
    let seen = Arc::clone(&last);
    let told = move |progress: Progress| {
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
        show(progress);
    };
    // All of a replay can be dropped at any time: its transactions end with its connections. But what came of one that is
    // about to go live would not be known.
    let is_swapped = AtomicBool::new(false);
    let swapped = async |_: &mut PgConnection, _| {
        is_swapped.store(true, Ordering::SeqCst);
        Ok(())
    };
    let mut ending = pin!(Outcome::of(log, options, args.dry_run, told, swapped));
    let ended = tokio::select! {
        ended = &mut ending => ended,
        () = shutdown.cancelled() => if is_swapped.load(Ordering::SeqCst) {
            ending.await
        } else {
            let last: Option<Progress> = *last.lock().unwrap_or_else(PoisonError::into_inner);
            let (position, head) = last.map_or((Position(0), Position(0)), |last| (last.position, last.head));
            Ok(Outcome::Cancelled(Cancelled { position, head }))
        }
    };
    let outcome = match ended {
        Ok(outcome) => outcome,
        Err(error @ (ReplayError::Running | ReplayError::NoBackup | ReplayError::NoLive)) if args.json => {
            Outcome::Refused { reason: error.to_string() }
        }
        Err(error) => return Err(error).context("nothing has been changed"),
    };
    let text = if args.json { serde_json::to_string(&outcome)? } else { outcome.text() };
    writeln!(atelier_runtime::output(), "{text}")?;
    Ok(outcome.exit_code())
}

impl Outcome {
    /// Replays, or compares with what a replay makes. `last`: in the transaction of the swap.
    pub(super) async fn of(
        log: &Log,
        options: Options,
        is_rehearsal: bool,
        told: impl FnMut(Progress),
        last: impl AsyncFnOnce(&mut PgConnection, Replayed) -> anyhow::Result<()>,
    ) -> Result<Self, ReplayError> {
        if is_rehearsal {
            dry_run(log, options, told).await.map(Self::Compared)
        } else {
            replay_and(log, options, told, last).await.map(Self::Replayed)
        }
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Replayed(_) => ExitCode::SUCCESS,
            Self::Compared(compared) if compared.differing.is_empty() => ExitCode::SUCCESS,
            Self::Compared(_) => ExitCode::from(DIFFERENT),
            Self::Cancelled(_) => ExitCode::from(CANCELLED),
            Self::Refused { .. } => ExitCode::FAILURE,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Replayed(Replayed { begun, position, elapsed_ms }) => {
                let begun = begun_text(*begun);
                format!(
                    "replayed to position {position} in {elapsed_ms} ms{begun}; what was live before is kept as the \
                     backup: `replay --from backup` brings it back"
                )
            }
            Self::Compared(compared) => compared_text(compared),
            Self::Cancelled(Cancelled { position, head }) => format!(
                "stopped at about {position} of {head} events; the live read model is as it was. The same command goes \
                 on from here, --fresh starts over"
            ),
            Self::Refused { reason } => reason.clone(),
        }
    }
}

fn begun_text(begun: Begun) -> String {
    match begun {
        Begun::Afresh => String::new(),
        Begun::StartedOver => ", from the start: what an earlier replay had left was of no use".to_owned(),
        Begun::Resumed(events) => format!(", going on after {events} events of an interrupted replay"),
        Begun::Backup(position) => format!(", from the backup at position {position}"),
    }
}

fn compared_text(compared: &Compared) -> String {
    let Compared { begun, position, differing } = compared;
    let begun = begun_text(*begun);
    if differing.is_empty() {
        return format!("no difference at position {position}{begun}; nothing has been changed");
    }
    let mut text = format!("the live read model differs at position {position}{begun}; nothing has been changed");
    for (table, difference) in differing {
        let kinds = [
            (difference.missing, &difference.missing_keys, "missing"),
            (difference.extra, &difference.extra_keys, "extra"),
            (difference.different, &difference.different_keys, "different"),
        ];
        for (rows, keys, kind) in kinds.into_iter().filter(|(rows, _, _)| *rows > 0) {
            let more = if i64::try_from(keys.len()).is_ok_and(|told| told < rows) { ", …" } else { "" };
            text.extend(["\n  ", table, ": ", &rows.to_string(), " ", kind, " (", &keys.join(", "), more, ")"]);
        }
    }
    text
}
