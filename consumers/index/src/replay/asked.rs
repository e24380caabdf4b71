//! Replays that were asked for over HTTP, done by this daemon.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use atelier_events::replays::{self, Replay, Wanted};
use atelier_events::signal::Channel;
use atelier_events::{Consumer, Log};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::command::Outcome;
use super::{Options, Progress, ReplayError};

/// How often it is looked without a hint: for one whose daemon died.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Does one after the other, until the shutdown. A database that does not answer is asked again.
pub(crate) async fn serve(log: Log, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut hints = log.signals().subscribe(Channel::Replays);
    loop {
        hints.borrow_and_update();
        match replays::take(log.pool(), Consumer::Index).await {
            Ok(Some(asked)) => {
                let id = asked.id;
                tokio::select! {
                    done = replay(&log, asked) => if let Err(error) = done {
                        tracing::warn!(replay = id, error = format!("{error:#}"), "a replay that was asked for was broken off");
                    },
                    // Another daemon goes on with it, or this one when it is back.
                    () = shutdown.cancelled() => return Ok(()),
                }
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(error = %error, "cannot look for replays"),
        }
        tokio::select! {
            _ = timeout(LOOK_EVERY, hints.changed()) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}

/// Replays, and says once a second how far it is, unless it is cancelled meanwhile: all of a replay can be dropped at any
/// time. An error: the database does not answer.
async fn replay(log: &Log, asked: Replay) -> anyhow::Result<()> {
    let Wanted { dry_run, from_backup, fresh } = asked.wanted;
    if asked.is_taken_over && from_backup && !dry_run {
        // Going back twice is to be where one was.
        let unknown =
            "its daemon ended while it was at it, and whether the backup went live is not known: look, and ask again";
        replays::end(log.pool(), &asked, Err(unknown.to_owned())).await?;
        return Ok(());
    }
    tracing::info!(replay = asked.id, replay.dry_run = dry_run, replay.by = asked.asked_by, "replaying the read model");
    let options = Options { from_backup, fresh };
    let last = Mutex::new(None::<Progress>);
    let told = |progress| *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    let progress = || *last.lock().unwrap_or_else(PoisonError::into_inner);
    let ended = tokio::select! {
        ended = Outcome::of(log, options, dry_run, told) => ended,
        () = replays::keep_reporting(log.pool(), &asked, progress) => {
            tracing::info!(replay = asked.id, "the replay was cancelled, or another daemon has taken it");
            return Ok(());
        }
    };
    let ended = match ended {
        Ok(outcome) => Ok(serde_json::to_value(outcome)?),
        // By hand, or by a daemon that was thought dead: it is tried again after a while.
        Err(ReplayError::Running) => return Ok(()),
        Err(error) => Err(format!("{:#}", anyhow::Error::from(error))),
    };
    replays::end(log.pool(), &asked, ended).await?;
    Ok(())
}
