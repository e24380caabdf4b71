//! The proof that the simulation can fail: each of these takes one safeguard out of a real statement.

/// A statement with a part of its text replaced.
pub(super) struct Mutant {
    /// The file's name, or that of a function in the database.
    pub(super) statement: &'static str,
    /// What goes wrong without the part.
    pub(super) without: &'static str,
    pub(super) part: &'static str,
    pub(super) instead: &'static str,
}

pub(super) const fn mutant(
    statement: &'static str,
    without: &'static str,
    part: &'static str,
    instead: &'static str,
) -> Mutant {
    Mutant { statement, without, part, instead }
}

/// Not a file but the function that it calls.
pub(super) const FUNCTION: &str = "append_events()";

/// What the simulation must find.
pub(super) const MUTANTS: [Mutant; 25] = [
    mutant(
        "complete_attempts",
        "the fence: a late result ends the attempt of another",
        "using (job, fence)",
        "using (job)",
    ),
    mutant("end_attempts", "the fence: a late result ends the attempt of another", "using (job, fence)", "using (job)"),
    mutant(
        "end_attempts",
        "the refund: what was given back or put off costs an attempt",
        "attempt = t.attempt - t.refund",
        "attempt = t.attempt",
    ),
    mutant(
        "end_attempts",
        "the refund where it waits: what was given back costs an attempt",
        "attempt - refund, fence from told",
        "attempt, fence from told",
    ),
    mutant("end_attempts", "its dead letters", "where state = 'discarded'", "where false"),
    mutant("renew_leases", "the fence: a late worker keeps the lease of another", "using (job, fence)", "using (job)"),
    mutant("claim_jobs", "the look at pauses", "and not exists (select from pauses p where p.consumer = $1)", ""),
    mutant("claim_jobs", "the order: bulk goes first", "order by a.priority, a.job", "order by a.job"),
    mutant("claim_jobs", "a new fence", "fence + 1 as fence", "fence"),
    mutant("claim_jobs", "the consumer: it takes the jobs of others", "a.consumer = $1 and", ""),
    mutant("enlist_jobs", "the guard against a second relay", "on conflict do nothing", ""),
    mutant("enlist_jobs", "the wait for a time", "when run_at > now() then 'scheduled'", "when false then 'scheduled'"),
    mutant(
        "enlist_jobs",
        "the range: a job that began does not see what came later",
        "and j.position <= $4",
        "and true",
    ),
    mutant("rescue_jobs", "the look at the clock: leases that last are taken away", "l.lease_until < now()", "true"),
    mutant(
        "rescue_jobs",
        "the way back: a lost job waits nowhere",
        "attempt, fence from lost",
        "attempt, fence from lost where false",
    ),
    mutant("due_jobs", "the look at the clock: delays are not kept", "s.run_at <= now()", "true"),
    mutant(
        "due_jobs",
        "the fence: an attempt of before ends the next",
        "attempt, fence from now",
        "attempt, 0 from now",
    ),
    mutant(
        "cancel_jobs",
        "the end of the lease: a cancelled attempt still counts",
        "delete from leases where job = any (array(select job from held)) returning job, attempt, fence, worker, claimed_at",
        "select job, attempt, fence, worker, claimed_at from leases where job = any (array(select job from held))",
    ),
    mutant(
        "cancel_jobs",
        "the end of the waiting: a cancelled job runs",
        "delete from available_jobs a using jobs j\n    where j.id = any ($1) and a.consumer = j.consumer and a.priority = j.priority and a.job = j.id\n    returning a.job",
        "select a.job from available_jobs a join jobs j on a.consumer = j.consumer and a.job = j.id where j.id = any ($1)",
    ),
    mutant("requeue_jobs", "new attempts", "attempt = 0, ", ""),
    mutant("advance_relay", "the term: a relay of yesterday moves the checkpoint", "and term = $2", ""),
    mutant("take_leadership", "the lease: two relays lead", "or leaders.lease_until < now()", "or true"),
    mutant("read_events", "its order", "order by position", "order by position desc"),
    mutant(FUNCTION, "the look at keys: a command that comes twice is done twice", "on i.key = k.key", "on false"),
    mutant(
        FUNCTION,
        "the look at versions: a decision made on what was read is taken too late",
        "f.expected <> f.version",
        "false",
    ),
];

impl Mutant {
    /// The text with the part replaced wherever it is; an error if it is nowhere.
    pub(super) fn of(&self, text: &str) -> anyhow::Result<String> {
        let Self { statement, part, instead, .. } = self;
        anyhow::ensure!(text.contains(part), "{statement} does not hold {part:?} any more: mutate what it holds now");
        Ok(text.replace(part, instead))
    }
}
