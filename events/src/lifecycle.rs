//! How the daemon is told to stop, and what it tells systemd. Without systemd nothing is told.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::health;

/// Cancelled by SIGTERM or SIGINT.
pub fn shutdown_signal() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = CancellationToken::new();
    let cancelled = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        cancelled.cancel();
    });
    Ok(shutdown)
}

/// Says that the daemon is ready, keeps the watchdog quiet while the loops of the process go round, and says when it
/// stops.
pub async fn notify(shutdown: CancellationToken) {
    tell(&[NotifyState::Ready]);
    let mut ticks = sd_notify::watchdog_enabled().map(|watchdog: Duration| tokio::time::interval(watchdog / 2));
    loop {
        let tick = async {
            match &mut ticks {
                Some(ticks) => drop(ticks.tick().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return tell(&[NotifyState::Stopping]),
            () = tick => {
                let stuck = health::stuck();
                if stuck.is_empty() {
                    tell(&[NotifyState::Watchdog]);
                } else {
                    tracing::error!(?stuck, "the watchdog is not kept quiet: a loop is stuck");
                }
            }
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(error = %error, "could not notify systemd");
    }
}
