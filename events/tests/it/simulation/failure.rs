//! A schedule that went wrong, told so that it can be understood and played again.

use std::fmt;

use super::script::Call;

/// The database did something else than it should.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) seed: u64,
    what: String,
    /// What was sent, the statement that went wrong last.
    sent: Vec<String>,
}

impl Failure {
    pub(super) fn new(seed: u64, calls: &[Call], at: usize, what: String) -> Self {
        Self { seed, what, sent: calls.iter().take(at + 1).map(|call| call.sql.clone()).collect() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, what, sent } = self;
        writeln!(f, "the schedule of seed {seed} went wrong (ATELIER_SIMULATION_SEED={seed} plays it again): after")?;
        for (number, call) in (1..).zip(sent) {
            writeln!(f, "{number:>4}  {call}")?;
        }
        write!(f, "{what}")
    }
}
