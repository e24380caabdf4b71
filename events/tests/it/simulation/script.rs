//! A schedule as it is played: statements, what each is to answer, and what the tables are to hold after it. To the actors it
//! looks like the database; its answers are the model's, which the database is then held to.

use std::fmt::{Display, Write as _};

use atelier_events::log::Content;
use uuid::Uuid;

use super::model::{Claim, End, Ending, Key, Model, POSTERS, Proposal, Proposed, WANTS, Write};
use super::promises::Promises;
use super::statement::Statement;

/// As in the library: more than a schedule has.
const DUE_LIMIT: i64 = 500;

/// One statement of a schedule.
pub(super) struct Call {
    /// What is sent.
    pub(super) sql: String,
    /// None: it answers nothing that the model knows of (clock, savepoints).
    pub(super) statement: Option<Statement>,
    /// The rows of its answer.
    pub(super) answer: Vec<String>,
    /// What the tables hold then, where they are looked at.
    pub(super) snapshot: Option<String>,
}

/// The schedule so far.
pub(super) struct Script {
    pub(super) model: Model,
    pub(super) promises: Promises,
    pub(super) calls: Vec<Call>,
    look_after: usize,
}

impl Script {
    /// In a log whose head is here; the tables are looked at after every so many calls.
    pub(super) fn new(base: i64, look_after: usize) -> Self {
        Self { model: Model::new(base), promises: Promises::default(), calls: Vec::new(), look_after }
    }

    /// The tables are looked at now, whatever the number of calls.
    pub(super) fn look(&mut self) {
        if let Some(last) = self.calls.last_mut() {
            last.snapshot = Some(self.model.snapshot());
        }
    }

    /// Time passes.
    pub(super) fn wait(&mut self, ms: i64) {
        self.model.now += ms;
        self.plain(format!("select set_config('simulation.clock', '{}', false)", self.model.now));
    }

    pub(super) fn append(&mut self, batch: &[Proposal]) {
        let answer = self.model.append(batch);
        self.call(Statement::AppendEvents, &append_arguments(batch), answer);
    }

    pub(super) fn read(&mut self, after: i64, limit: usize) -> Option<i64> {
        let answer = self.model.read(after, limit);
        let last = (!answer.is_empty()).then(|| after + i64::try_from(answer.len()).unwrap_or(i64::MAX));
        self.call(Statement::ReadEvents, &format!("{after}, {limit}"), answer);
        last
    }

    pub(super) fn checkpoint(&mut self) -> i64 {
        self.call(Statement::ReadCheckpoint, "'relay'", vec![format!("at {}", self.model.checkpoint)]);
        self.model.checkpoint
    }

    pub(super) fn lead(&mut self, relay: &'static str, lease_ms: i64) -> Option<i64> {
        let term = self.model.lead(relay, lease_ms);
        let answer = term.map(|term| format!("term {term}")).into_iter().collect();
        self.call(Statement::TakeLeadership, &format!("'relay', '{relay}', {lease_ms}"), answer);
        term
    }

    pub(super) fn resign(&mut self, relay: &'static str) {
        self.model.resign(relay);
        self.call(Statement::ResignLeadership, &format!("'relay', '{relay}'"), Vec::new());
    }

    pub(super) fn advance(&mut self, position: i64, term: i64) -> bool {
        let moved = self.model.advance(position, term);
        let answer = moved.then(|| format!("at {position}")).into_iter().collect();
        self.call(Statement::AdvanceRelay, &format!("{position}, {term}"), answer);
        moved
    }

    pub(super) fn enlist(&mut self, after: i64, up_to: i64) {
        let enlisted = self.model.enlist(after, up_to);
        let consumers = list(WANTS.iter().map(|want| want.consumer));
        let types = list(WANTS.iter().map(|want| want.event_type));
        let coalesces = list(WANTS.iter().map(|want| want.coalesces));
        let arguments = format!("{consumers}, {types}, {coalesces}, {after}, {up_to}");
        self.promises.enlisted(&enlisted);
        self.call(Statement::EnlistJobs, &arguments, vec![format!("{} new", enlisted.len())]);
    }

    pub(super) fn due(&mut self) {
        let due = self.model.due();
        self.call(Statement::DueJobs, &DUE_LIMIT.to_string(), lines(&due));
    }

    pub(super) fn rescue(&mut self) {
        let rescued = self.model.rescue();
        self.promises.rescued(&rescued);
        self.call(Statement::RescueJobs, &DUE_LIMIT.to_string(), lines(&rescued));
    }

    pub(super) fn claim(
        &mut self,
        consumer: &'static str,
        limit: usize,
        worker: &'static str,
        lease_ms: i64,
    ) -> Vec<Claim> {
        let claimed = self.model.claim(consumer, limit, worker, lease_ms);
        self.promises.claimed(&claimed, &self.model);
        let line = |claim: &Claim| format!("{} attempt {} fence {}", claim.key, claim.attempt, claim.fence);
        let arguments = format!("'{consumer}', {limit}, '{worker}', {lease_ms}");
        self.call(Statement::ClaimJobs(consumer), &arguments, claimed.iter().map(line).collect());
        claimed
    }

    /// Answers the jobs that are still this worker's.
    pub(super) fn renew(&mut self, leases: &[(Key, i64)], lease_ms: i64) -> Vec<Key> {
        let renewed = self.model.renew(leases, lease_ms);
        let (ids, fences) = (ids(leases.iter().map(|(key, _)| *key)), leases.iter().map(|(_, fence)| *fence));
        let arguments = format!("{ids}, {}, {lease_ms}", list(fences));
        self.call(Statement::RenewLeases, &arguments, lines(&renewed));
        renewed
    }

    /// The ends of attempts with the events that tell of them, in one transaction. `event_id` makes the ids of those.
    pub(super) fn settle(&mut self, endings: &[Ending], event_id: impl FnMut() -> u128) {
        let taken = self.end(endings);
        self.promises.ended(&taken);
        self.append_effects(&taken, event_id);
    }

    /// The same by a worker that dies before it commits.
    pub(super) fn settle_and_crash(&mut self, endings: &[Ending], event_id: impl FnMut() -> u128) {
        let before = self.model.clone();
        self.plain("savepoint settlement".to_owned());
        let taken = self.end(endings);
        self.append_effects(&taken, event_id);
        self.model = before;
        self.plain("rollback to savepoint settlement".to_owned());
    }

    fn end(&mut self, endings: &[Ending]) -> Vec<Ending> {
        let line = |one: &Ending| format!("{} fence {}", one.key, one.fence);
        let (completed, others): (Vec<_>, Vec<_>) =
            endings.iter().copied().partition(|one| matches!(one.end, End::Completed));
        let mut taken = self.model.end(&completed);
        let arguments = [
            ids(completed.iter().map(|one| one.key)),
            list(completed.iter().map(|one| one.fence)),
            ids(others.iter().map(|one| one.key)),
        ];
        self.call(Statement::CompleteAttempts, &arguments.join(", "), taken.iter().map(line).collect());
        if others.is_empty() {
            return taken;
        }
        let ended = self.model.end(&others);
        let arguments = [
            ids(others.iter().map(|one| one.key)),
            list(others.iter().map(|one| one.fence)),
            list(others.iter().map(|one| one.end.state())),
            list(others.iter().map(|one| one.end.error())),
            list(others.iter().map(|one| one.end.refund())),
            list(others.iter().map(|one| one.end.delay_ms())),
        ];
        self.call(Statement::EndAttempts, &arguments.join(", "), ended.iter().map(line).collect());
        taken.extend(ended);
        taken
    }

    fn append_effects(&mut self, taken: &[Ending], mut event_id: impl FnMut() -> u128) {
        let mut writes: Vec<Write> = Vec::new();
        for ending in taken {
            let Some(event_type) = ending.effect() else { continue };
            let Some(job) = self.model.jobs.get(&ending.key) else { continue };
            let (id, cause) = (event_id(), Some(ending.cause()));
            let event = Proposed { id, event_type, bulk: job.bulk, not_before: None, cause };
            match writes.iter_mut().find(|write| write.stream == job.stream) {
                Some(write) => write.events.push(event),
                None => writes.push(Write { stream: job.stream.clone(), expected: -1, events: vec![event] }),
            }
        }
        if !writes.is_empty() {
            self.append(&[Proposal { key: None, writes }]);
        }
    }

    pub(super) fn cancel(&mut self, keys: &[Key]) {
        let cancelled = self.model.cancel(keys);
        self.promises.cancelled(&cancelled);
        let arguments = format!("{}, 'cancelled by ada'", ids(keys.iter().copied()));
        self.call(Statement::CancelJobs, &arguments, lines(&cancelled));
    }

    pub(super) fn requeue(&mut self, keys: &[Key]) {
        let requeued = self.model.requeue(keys);
        self.promises.requeued(&requeued);
        self.call(Statement::RequeueJobs, &ids(keys.iter().copied()), lines(&requeued));
    }

    pub(super) fn pause(&mut self, consumer: &'static str) {
        self.model.paused.insert(consumer);
        self.call(Statement::PauseConsumer, &format!("'{consumer}', 'ada'"), Vec::new());
    }

    pub(super) fn resume(&mut self, consumer: &'static str) {
        self.model.paused.remove(consumer);
        self.call(Statement::ResumeConsumer, &format!("'{consumer}'"), Vec::new());
    }

    fn call(&mut self, statement: Statement, arguments: &str, mut answer: Vec<String>) {
        if !statement.is_ordered() {
            answer.sort_unstable();
        }
        let sql = format!("execute {}({arguments})", statement.name());
        self.calls.push(Call { sql, statement: Some(statement), answer, snapshot: None });
        if self.calls.len().is_multiple_of(self.look_after) {
            self.look();
        }
    }

    fn plain(&mut self, sql: String) {
        self.calls.push(Call { sql, statement: None, answer: Vec::new(), snapshot: None });
    }
}

impl End {
    fn state(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Retryable(_) => "retryable",
            Self::Snoozed(_) => "scheduled",
            Self::Released => "available",
            Self::Discarded => "discarded",
        }
    }

    fn error(self) -> &'static str {
        if matches!(self, Self::Retryable(_) | Self::Discarded) { "an error" } else { "null" }
    }

    fn refund(self) -> i32 {
        i32::from(matches!(self, Self::Snoozed(_) | Self::Released))
    }

    fn delay_ms(self) -> i64 {
        match self {
            Self::Retryable(delay) | Self::Snoozed(delay) => delay,
            Self::Completed | Self::Released | Self::Discarded => 0,
        }
    }
}

impl Ending {
    /// The event that tells of it, if any does.
    pub(super) fn effect(&self) -> Option<&'static str> {
        match (self.end, self.key.consumer) {
            (End::Completed, "generate") => Some("variant.generated"),
            (End::Completed, "thumbnails") => Some("variant.rendered"),
            // A ZIP that is written begins a job again, the one that deletes it: here it would do so without end.
            (End::Completed, "exports") => Some("export.expired"),
            (End::Discarded, "generate" | "thumbnails" | POSTERS) => Some("variant.failed"),
            (End::Discarded, "exports") => Some("export.failed"),
            _ => None,
        }
    }

    /// A number for the attempt, by which its effect can be told from all others.
    pub(super) fn cause(&self) -> u128 {
        let consumer = WANTS.iter().position(|want| want.consumer == self.key.consumer).unwrap_or_default();
        (u128::from(self.key.position.unsigned_abs()) << 64)
            | ((consumer as u128) << 32)
            | u128::from(self.fence.unsigned_abs())
    }
}

fn append_arguments(batch: &[Proposal]) -> String {
    let keyed = || (0..).zip(batch).filter_map(|(index, one)| Some((index, one.key.as_ref()?)));
    let writes: Vec<(i32, &Write)> =
        (0..).zip(batch).flat_map(|(index, one)| one.writes.iter().map(move |write| (index, write))).collect();
    let events: Vec<(usize, i32, &Proposed)> = (1..)
        .zip(&writes)
        .flat_map(|(write, (_, of))| (1..).zip(&of.events).map(move |(number, event)| (write, number, event)))
        .collect();
    let each = |column: fn(&Proposed) -> String| events.iter().map(move |(_, _, event)| column(event));
    [
        list(keyed().map(|(index, _): (i32, _)| index)),
        list(keyed().map(|(_, keyed)| &keyed.key)),
        list(keyed().map(|(_, keyed)| format!("\"\\\\x{:02x}\"", keyed.fingerprint))),
        list(keyed().map(|(_, keyed)| keyed.answer)),
        list(writes.iter().map(|(index, _)| index)),
        list(writes.iter().map(|(_, write)| &write.stream)),
        list(writes.iter().map(|(_, write)| write.expected)),
        list(events.iter().map(|(write, ..)| write)),
        list(events.iter().map(|(_, number, _)| number)),
        list(each(|event| format!("{:032x}", event.id))),
        list(each(|event| event.event_type.to_owned())),
        list(each(|_| "1".to_owned())),
        list(each(|event| format!("\"{}\"", data(event).replace('"', "\\\"")))),
        list(each(|_| "ada".to_owned())),
        list(each(|event| format!("{:032x}", event.id))),
        list(each(|event| event.cause.map_or("null".to_owned(), |cause| format!("{cause:032x}")))),
        list(each(|_| "null".to_owned())),
        format!(
            "'\\x{}'",
            events.iter().map(|(write, _, event)| digest(writes[*write - 1].1, event)).collect::<String>()
        ),
    ]
    .join(", ")
}

/// In hexadecimal digits.
fn digest(write: &Write, event: &Proposed) -> String {
    let data = data(event);
    let content = Content {
        stream: write.stream.as_bytes(),
        id: Uuid::from_u128(event.id),
        event_type: event.event_type.as_bytes(),
        schema: 1,
        actor: b"ada",
        correlation_id: Uuid::from_u128(event.id),
        causation_id: event.cause.map(Uuid::from_u128),
        data: data.as_bytes(),
    };
    let mut digits = String::new();
    for byte in content.digest() {
        // A String takes whatever is written to it.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

fn data(event: &Proposed) -> String {
    let priority = if event.bulk { "bulk" } else { "interactive" };
    let Some(time) = event.not_before else { return format!("{{\"priority\": \"{priority}\"}}") };
    let (seconds, ms) = (time / 1_000, time % 1_000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    format!("{{\"priority\": \"{priority}\", \"not_before\": \"2030-01-01T00:{minutes:02}:{seconds:02}.{ms:03}Z\"}}")
}

fn ids(keys: impl Iterator<Item = Key>) -> String {
    format!("simulation.jobs({})", list(keys))
}

/// An array as Postgres reads it. What has quotes, commas or braces in it comes quoted.
fn list(items: impl Iterator<Item = impl Display>) -> String {
    let mut text = "'{".to_owned();
    for (number, item) in items.enumerate() {
        let comma = if number > 0 { "," } else { "" };
        // A String takes whatever is written to it.
        let _ = write!(text, "{comma}{item}");
    }
    text.push_str("}'");
    text
}

fn lines(keys: &[Key]) -> Vec<String> {
    keys.iter().map(Key::to_string).collect()
}
