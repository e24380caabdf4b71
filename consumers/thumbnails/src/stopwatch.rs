//! What each step of a set costs.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// CPU time of the thread that cut a set, by step.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Costs {
    /// The file to pixels.
    pub decode: Duration,
    /// Pixels to fewer pixels, with placeholder, palette and colour conversion.
    pub resize: Duration,
    /// Watermarks and the words on the card.
    pub text: Duration,
    /// Pixels to files.
    pub encode: Duration,
}

/// A step.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    Decode,
    Resize,
    Text,
    Encode,
}

/// Measures, or does nothing: the clock is a system call, which a set that nobody measures goes without.
pub(crate) struct Stopwatch {
    last: Option<Duration>,
    costs: Costs,
}

impl Stopwatch {
    pub(crate) fn off() -> Self {
        Self { last: None, costs: Costs::default() }
    }

    pub(crate) fn started() -> Self {
        Self { last: Some(now()), costs: Costs::default() }
    }

    /// What was done since the last lap was this step.
    pub(crate) fn lap(&mut self, step: Step) {
        let Some(last) = &mut self.last else { return };
        let now = now();
        let spent = match step {
            Step::Decode => &mut self.costs.decode,
            Step::Resize => &mut self.costs.resize,
            Step::Text => &mut self.costs.text,
            Step::Encode => &mut self.costs.encode,
        };
        *spent += now.saturating_sub(*last);
        *last = now;
    }

    pub(crate) fn costs(&self) -> Costs {
        self.costs
    }
}

/// CPU time of this thread.
fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
