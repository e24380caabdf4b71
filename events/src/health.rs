//! Whether the process lives and can work.
//!
//! It lives when its loops go round: each has a [`Pulse`], and one that has been silent for too long is stuck, which a
//! restart helps. It can work ([`missing`]) when what it needs answers; a restart helps nobody then. What it tries again for
//! now ([`stalls`]) is named, and it is ready all the same: it does what can be done.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use crate::connect::Connections;

/// A loop that has not gone round for so long is stuck: everything it does in one round is bounded by less.
pub const SILENCE_LIMIT: Duration = Duration::from_mins(2);

/// How long each thing that is needed has to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A loop that rests has no time of its last beat.
const RESTING: u64 = u64::MAX;

/// The loops of this process. They are few, and last for as long as it does.
static LOOPS: Mutex<Vec<Weak<Beats>>> = Mutex::new(Vec::new());

/// What cannot go on in this process, by name, in words.
static STALLS: Mutex<BTreeMap<&'static str, String>> = Mutex::new(BTreeMap::new());

/// What times are counted from.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A loop's pulse. A loop that ends drops it, and is not missed.
pub struct Pulse(Arc<Beats>);

struct Beats {
    name: String,
    /// Milliseconds after [`BEGAN`].
    last: AtomicU64,
}

impl Pulse {
    /// The pulse of a loop that begins.
    #[must_use]
    pub fn of(name: impl Into<String>) -> Self {
        let beats = Arc::new(Beats { name: name.into(), last: AtomicU64::new(now_ms()) });
        let mut loops = LOOPS.lock().unwrap_or_else(PoisonError::into_inner);
        loops.retain(|other| other.strong_count() > 0);
        loops.push(Arc::downgrade(&beats));
        Self(beats)
    }

    /// The loop goes round.
    pub fn beat(&self) {
        self.0.last.store(now_ms(), Ordering::Relaxed);
    }

    /// Until the next beat, the loop waits for something that may rightly take long: for work, or for what is bounded
    /// elsewhere.
    pub fn rest(&self) {
        self.0.last.store(RESTING, Ordering::Relaxed);
    }
}

/// The loops that are stuck, each with how long it has been silent.
#[must_use]
pub fn stuck() -> Vec<(String, Duration)> {
    stuck_for(SILENCE_LIMIT)
}

fn stuck_for(limit: Duration) -> Vec<(String, Duration)> {
    let silences = loops().into_iter().filter_map(|beats| Some((beats.name.clone(), beats.silence()?)));
    silences.filter(|(_, silence)| *silence > limit).collect()
}

/// This cannot go on for now, in words; none: it goes on.
pub fn stalled(name: &'static str, words: Option<String>) {
    let mut stalls = STALLS.lock().unwrap_or_else(PoisonError::into_inner);
    match words {
        Some(words) => drop(stalls.insert(name, words)),
        None => drop(stalls.remove(name)),
    }
}

/// What cannot go on for now and is tried again: a line each.
#[must_use]
pub fn stalls() -> Vec<String> {
    let stalls = STALLS.lock().unwrap_or_else(PoisonError::into_inner);
    stalls.iter().map(|(name, words)| format!("{name}: {words}")).collect()
}

/// Says in the metrics when each loop last went round. One that rests went round just now.
pub(crate) fn measure() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    for beats in loops() {
        let last = now.saturating_sub(beats.silence().unwrap_or_default());
        metrics::gauge!("atelier_heartbeat_timestamp_seconds", "loop" => beats.name.clone()).set(last.as_secs_f64());
    }
}

/// What is needed and does not answer, each with why. All are asked at once, for two seconds at the most.
pub async fn missing(connections: &Connections) -> Vec<String> {
    let (database, bus, store) = tokio::join!(
        answers("database", sqlx::query("select 1").execute(connections.log.pool())),
        answers("bus", connections.bus.ready()),
        answers("store", connections.blobs.ready()),
    );
    [database.err(), bus.err(), store.err()].into_iter().flatten().collect()
}

/// What this answers within two seconds; the error says what did not, and why.
pub async fn answers<T, E: std::error::Error>(
    what: &str,
    question: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, question).await {
        Ok(answer) => answer.map_err(|error| format!("{what}: {error}")),
        Err(_) => Err(format!("{what}: no answer within {} s", PATIENCE.as_secs())),
    }
}

fn loops() -> Vec<Arc<Beats>> {
    LOOPS.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect()
}

impl Beats {
    fn silence(&self) -> Option<Duration> {
        let last = self.last.load(Ordering::Relaxed);
        (last != RESTING).then(|| Duration::from_millis(now_ms().saturating_sub(last)))
    }
}

fn now_ms() -> u64 {
    u64::try_from(BEGAN.elapsed().as_millis()).unwrap_or(RESTING - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_is_silent_is_stuck_until_it_goes_round_rests_or_ends() {
        let limit = Duration::from_millis(50);
        let stuck = || stuck_for(limit).iter().any(|(name, _)| name == "a test's");
        let wait = || {
            while !stuck() {
                std::thread::yield_now();
            }
        };
        let pulse = Pulse::of("a test's");
        wait();
        pulse.rest();
        assert!(!stuck());
        pulse.beat();
        wait();
        drop(pulse);
        assert!(!stuck());
        assert!(stuck_for(SILENCE_LIMIT).is_empty());
    }
}
