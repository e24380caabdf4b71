//! What the schedules do not have: two transactions at once. Every statement on jobs beside every other, on the same jobs: the
//! first is in an open transaction while the second comes, waits or steps around it; then the first commits or rolls back. What
//! becomes of each job is what one after the other could have made of it, or the first alone: a statement that comes too late
//! finds nothing to do there, and its caller asks again. So no job is ever in two places, or in none.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgPool;

use super::model::{End, Ending, Key, Proposal, Proposed, Write};
use super::mutants::{Mutant, mutant};
use super::script::Script;
use super::session::Session;

/// Jobs of the consumer that is looked at, one in each place and two that run.
const JOBS: i64 = 7;
/// The events that are enlisted meanwhile.
const LATER: i64 = 2;

/// One job in every place: running, running without a lease, available, scheduled, retryable, discarded, cancelled.
fn one_of_each(base: i64) -> Script {
    let mut script = Script::new(base, 1);
    let id = |number: i64| (u128::from(base.unsigned_abs()) << 64) | u128::from(number.unsigned_abs());
    let writes = (0..JOBS + LATER).map(|number| {
        let event =
            Proposed { id: id(number), event_type: "variant.requested", bulk: false, not_before: None, cause: None };
        Write { stream: format!("artwork-{base}-{number}"), expected: 0, events: vec![event] }
    });
    script.append(&[Proposal { key: None, writes: writes.collect() }]);
    script.enlist(base, base + JOBS);
    script.claim("generate", 1, "worker 1", 10);
    script.wait(100);
    let claims = script.claim("generate", 5, "worker 1", 1_000_000);
    let ends = [End::Snoozed(10), End::Retryable(10), End::Discarded];
    let endings: Vec<Ending> =
        claims.iter().zip(ends).map(|(claim, end)| Ending { key: claim.key, fence: claim.fence, end }).collect();
    script.settle(&endings, || id(JOBS + LATER));
    script.cancel(&[claims[3].key]);
    script.wait(100);
    script
}

/// Everything that is done to jobs, to all of them.
fn statements(base: i64) -> Vec<String> {
    let keys: Vec<String> =
        (1..=JOBS).map(|number| Key { position: base + number, consumer: "generate" }.to_string()).collect();
    let each = |what: &str| vec![what; keys.len()].join(",");
    let (ids, ones) = (format!("simulation.jobs('{{{}}}')", keys.join(",")), each("1"));
    let end = |state: &str, error: &str, refund: &str| {
        let (states, errors, refunds) = (each(state), each(error), each(refund));
        format!("end_attempts({ids}, '{{{ones}}}', '{{{states}}}', '{{{errors}}}', '{{{refunds}}}', '{{{ones}}}')")
    };
    vec![
        "claim_jobs('generate', 100, 'worker 2', 1000)".to_owned(),
        format!("renew_leases({ids}, '{{{ones}}}', 5000)"),
        format!("complete_attempts({ids}, '{{{ones}}}', '{{}}')"),
        end("retryable", "an error", "0"),
        end("available", "null", "1"),
        end("discarded", "an error", "0"),
        "due_jobs(500)".to_owned(),
        "rescue_jobs(500)".to_owned(),
        format!("cancel_jobs({ids}, 'cancelled by ada')"),
        format!("requeue_jobs({ids})"),
        format!("enlist_jobs('{{generate}}', '{{variant.requested}}', '{{f}}', {base}, {})", base + JOBS + LATER),
    ]
}

/// The jobs as they are, and as they are again after every pair.
const KEEP: &str = "
    create table simulation.jobs_kept as table jobs;
    create table simulation.available_kept as table available_jobs;
    create table simulation.scheduled_kept as table scheduled_jobs;
    create table simulation.leases_kept as table leases;
    create table simulation.dead_kept as table dead_letters";
const RESTORE: &str = "
    delete from jobs; delete from available_jobs; delete from scheduled_jobs; delete from leases; delete from dead_letters;
    insert into jobs overriding system value table simulation.jobs_kept;
    insert into available_jobs table simulation.available_kept;
    insert into scheduled_jobs table simulation.scheduled_kept;
    insert into leases table simulation.leases_kept;
    insert into dead_letters table simulation.dead_kept";

/// What the tables hold of each job, and which of the two statements answered with it.
type Fates = BTreeMap<String, Vec<String>>;

async fn look(session: &mut Session, answers: &[(&str, Vec<i64>)]) -> sqlx::Result<Fates> {
    let mut fates = Fates::new();
    for line in session.snapshot().await?.lines() {
        let (job, place) = line.split_once(' ').unwrap_or((line, ""));
        fates.entry(job.to_owned()).or_default().push(place.to_owned());
    }
    for (whose, positions) in answers {
        for position in positions {
            fates.entry(format!("generate@{position}")).or_default().push(format!("is answered by the {whose}"));
        }
    }
    Ok(fates)
}

/// What one transaction with these would leave, were it not rolled back.
async fn after(session: &mut Session, statements: &[(&'static str, &str)]) -> sqlx::Result<Fates> {
    session.run("begin").await?;
    let mut answers = Vec::new();
    for (whose, statement) in statements {
        answers.push((*whose, session.positions(statement).await?));
    }
    answers.sort_unstable();
    let fates = look(session, &answers).await?;
    session.run("rollback").await?;
    Ok(fates)
}

/// The second of two sessions sends this while the first has a transaction open, which then ends so.
async fn overlap(
    pool: &PgPool,
    (one, other): &mut (Session, Session),
    (first, second, end): (&str, &str, &str),
) -> sqlx::Result<Fates> {
    let pid = other.pid().await?;
    one.run("begin").await?;
    let mut answers = vec![("first", one.positions(first).await?)];
    let waiting = async {
        let asked = "select wait_event_type is not distinct from 'Lock' from pg_stat_activity where pid = $1";
        while !sqlx::query_scalar::<_, bool>(asked).bind(pid).fetch_one(pool).await? {}
        Ok::<_, sqlx::Error>(())
    };
    let mut answer = std::pin::pin!(other.positions(second));
    let early = tokio::select! {
        answer = &mut answer => Some(answer?),
        waits = waiting => waits.map(|()| None)?,
    };
    one.run(end).await?;
    let late = match early {
        Some(answer) => answer,
        None => answer.await?,
    };
    if end == "rollback" {
        answers.clear();
    }
    answers.push(("second", late));
    look(one, &answers).await
}

/// The jobs of which something has become that none of these allows.
fn torn(seen: &Fates, allowed: &[&Fates]) -> Vec<String> {
    let jobs: BTreeSet<&String> = allowed.iter().flat_map(|fates| fates.keys()).chain(seen.keys()).collect();
    let torn = jobs.into_iter().filter(|job| allowed.iter().all(|fates| fates.get(*job) != seen.get(*job)));
    torn.map(|job| format!("{job} {:?}", seen.get(job))).collect()
}

/// Every pair of statements after which a job was torn.
async fn pairs_that_tear(mutant: Option<&Mutant>) -> anyhow::Result<Vec<String>> {
    let database = super::database().await?;
    let mut sessions = (Session::open(&database.url, mutant).await?, Session::open(&database.url, mutant).await?);
    let script = one_of_each(sessions.0.base);
    if let Err((at, what)) = sessions.0.begin(&script).await? {
        anyhow::bail!("after call {at} {what}");
    }
    sessions.0.run("commit").await?;
    sessions.0.run(KEEP).await?;
    sessions.1.run(&format!("select set_config('simulation.clock', '{}', false)", script.model.now)).await?;
    let statements = statements(script.model.base);
    let untouched = after(&mut sessions.0, &[]).await?;
    let mut found = Vec::new();
    for first in &statements {
        let alone = after(&mut sessions.0, &[("first", first)]).await?;
        for second in &statements {
            let in_order = after(&mut sessions.0, &[("first", first), ("second", second)]).await?;
            let reversed = after(&mut sessions.0, &[("second", second), ("first", first)]).await?;
            let never = after(&mut sessions.0, &[("second", second)]).await?;
            for (end, allowed) in
                [("commit", vec![&in_order, &reversed, &alone]), ("rollback", vec![&never, &untouched])]
            {
                let seen = overlap(&database.pool, &mut sessions, (first, second, end)).await?;
                let torn = torn(&seen, &allowed);
                if !torn.is_empty() {
                    found.push(format!("{second}\nbeside\n{first}, {end}:\n{torn:#?}"));
                }
                sessions.0.run(RESTORE).await?;
            }
        }
    }
    Ok(found)
}

#[tokio::test]
async fn two_statements_that_overlap_tear_no_job() -> anyhow::Result<()> {
    let found = pairs_that_tear(None).await?;
    assert!(found.is_empty(), "{}", found.join("\n\n"));
    Ok(())
}

#[tokio::test]
async fn a_rescue_that_does_not_look_again_at_a_lease_being_renewed_is_found_out() -> anyhow::Result<()> {
    let unlocked = mutant("rescue_jobs", "the lock", "for update skip locked", "");
    let found = pairs_that_tear(Some(&unlocked)).await?;
    assert!(
        found.iter().any(|pair| pair.starts_with("rescue_jobs") && pair.contains("beside\nrenew_leases")),
        "{found:#?}"
    );
    Ok(())
}
