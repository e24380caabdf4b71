//! What consumers could not take, and the broker gave up, is kept where operators look; the broker's queues stay empty.

use std::time::Duration;

use atelier_events::bus::DeadLetter;
use atelier_events::poison;
use tokio_util::sync::CancellationToken;

use super::{Relay, jittered};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Keeps dead letters as they come until it is stopped.
pub(super) async fn run(relay: &Relay, stop: &CancellationToken) {
    let Some(mut letters) = relay.bus.dead_letters() else { return };
    loop {
        let letter = tokio::select! {
            () = stop.cancelled() => return,
            letter = letters.receive() => letter,
        };
        if keep(relay, &letter, stop).await.is_none() {
            return;
        }
        let (consumer, reason) = (letter.consumer, &letter.reason);
        tracing::error!(consumer = %consumer, reason, error = letter.error, "a poison message: GET /v1/poison-messages lists it");
        letter.ack().await;
    }
}

/// Tries until it is kept; none when stopped before. It is not given back meanwhile: the broker would count that as one
/// more delivery, and some drop what was delivered often.
async fn keep(relay: &Relay, letter: &DeadLetter, stop: &CancellationToken) -> Option<()> {
    let mut pause = FIRST_PAUSE;
    loop {
        match poison::keep(relay.log.pool(), letter).await {
            Ok(()) => return Some(()),
            Err(error) => tracing::warn!(error = %error, "a poison message could not be kept; trying again"),
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(jittered(pause)) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
