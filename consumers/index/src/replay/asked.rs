//! Replays that were asked for over HTTP, done by this daemon.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use atelier_events::replays::{self, Replay, Wanted};
use atelier_events::signal::Channel;
use atelier_events::{Consumer, Log};
use sqlx::PgConnection;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::command::Outcome;
use super::{Options, Progress, ReplayError, Replayed};

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
/// time. What came of it is said in the transaction in which it goes live, so that no replay is done twice, whenever its
/// daemon ends. An error: the database does not answer.
async fn replay(log: &Log, asked: Replay) -> anyhow::Result<()> {
    let Wanted { dry_run, from_backup, fresh } = asked.wanted;
    tracing::info!(replay = asked.id, replay.dry_run = dry_run, replay.by = asked.asked_by, "replaying the read model");
    let options = Options { from_backup, fresh };
    let last = Mutex::new(None::<Progress>);
    let told = |progress| *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    let progress = || *last.lock().unwrap_or_else(PoisonError::into_inner);
    let is_said = AtomicBool::new(false);
    let say = async |transaction: &mut PgConnection, replayed: Replayed| {
        let outcome = serde_json::to_value(Outcome::Replayed(replayed))?;
        ensure!(
            replays::end(transaction, &asked, Ok(outcome)).await?,
            "it was cancelled, or another daemon has taken it"
        );
        is_said.store(true, Ordering::SeqCst);
        Ok(())
    };
    let mut ending = pin!(Outcome::of(log, options, dry_run, told, say));
    let ended = tokio::select! {
        ended = &mut ending => ended,
        () = replays::keep_reporting(log.pool(), &asked, progress) => if is_said.load(Ordering::SeqCst) {
            ending.await
        } else {
            tracing::info!(replay = asked.id, "the replay was cancelled, or another daemon has taken it");
            return Ok(());
        }
    };
    let ended = match ended {
        // It is said already; or another is running, by hand or of a daemon that was thought dead, and it is tried again after a
        // while.
        Ok(Outcome::Replayed(_)) | Err(ReplayError::Running) => return Ok(()),
        Ok(outcome) => Ok(serde_json::to_value(outcome)?),
        Err(error) => Err(format!("{:#}", anyhow::Error::from(error))),
    };
    if !replays::end(log.pool(), &asked, ended).await? {
        tracing::info!(replay = asked.id, "the replay was cancelled, or another daemon has taken it");
    }
    Ok(())
}
