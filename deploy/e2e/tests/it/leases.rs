//! Two that both believe to be the one: the relay's leadership and a job's lease, and the clock that both are measured by.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use atelier_e2e::{Broker, Database, Direction, Proxy, until};
use atelier_events::Log;
use atelier_standalone::client::Client;
use rustix::process::Signal;

use crate::commands::sketches;
use crate::harness::{Processes, free_address, report, with_processes};
use crate::invariant::check;
use crate::{IMPATIENT, history};

const PRODUCER: &str = "atelier-producer";
const GENERATE: &str = "atelier-generate";
const SIDE: u32 = 128;

/// How long nobody may lead, at the most. It is under five seconds on a machine that has nothing else to do: what the
/// settings come to has a test beside them.
const TAKEN_OVER: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn another_relay_takes_over_in_seconds_from_one_that_died_and_from_one_that_hangs() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let outcome = with_processes(&database.url, broker.settings.clone(), &IMPATIENT, async |processes| {
        processes.answers().await?;
        let mut accepted = sketches(&processes.client, "first", 1, SIDE).await?;
        // The first producer leads: it was there before the second.
        check(processes, &accepted).await?;
        let address = free_address().await?.to_string();
        let second = processes.beside(PRODUCER, &[("API__LISTEN", &address)])?;
        let other = Client::new(&format!("http://{address}"), &processes.api_key)?;
        accepted.extend(sketches(&other, "second", 1, SIDE).await?);

        let log = &processes.connections.log;
        let term = term(log).await?;
        let began = Instant::now();
        processes.daemons.kill(PRODUCER).await?;
        accepted.extend(sketches(&other, "leaderless", 4, SIDE).await?);
        taken_over(log, term, began, "the leader was killed").await?;
        // Meanwhile nobody stands by, so the second goes on leading until there is a third.
        processes.daemons.start_one(PRODUCER)?;
        processes.answers().await?;
        check(processes, &accepted).await?;

        let began = Instant::now();
        second.signal(Signal::STOP)?;
        accepted.extend(sketches(&processes.client, "hanging", 4, SIDE).await?);
        let log = &processes.connections.log;
        taken_over(log, term + 1, began, "the leader hangs").await?;
        until("it publishes", || async { Ok(history::unpublished(log).await? == 0) }).await?;
        // It goes on where it stood, in the belief that it leads.
        second.signal(Signal::CONT)?;
        accepted.extend(sketches(&other, "awake", 4, SIDE).await?);
        check(processes, &accepted).await?;
        second.stop().await
    })
    .await;
    broker.delete().await?;
    outcome
}

async fn taken_over(log: &Log, term_before: i64, began: Instant, why: &str) -> anyhow::Result<()> {
    until("another leads", || async { Ok(term(log).await? > term_before) }).await?;
    let took = began.elapsed();
    report(&format!("{why}: another led after {:.1} s", took.as_secs_f64()));
    ensure!(took < TAKEN_OVER, "another led only after {took:?}");
    Ok(())
}

/// Leads are counted: each new holder has a higher term.
async fn term(log: &Log) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar("select term from leaders where name = 'relay'").fetch_one(log.pool()).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_wakes_up_after_another_has_done_its_job_adds_nothing() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let outcome = with_processes(&database.url, broker.settings.clone(), &IMPATIENT, async |processes| {
        let (store, store_url) = Proxy::before(processes.told("STORE__ENDPOINT")?).await?;
        let late = processes.replace(GENERATE, &[("STORE__ENDPOINT", &store_url)]).await?;
        store.freeze(Direction::ToClient);
        let mut accepted = sketches(&processes.client, "both", 1, SIDE).await?;
        until("the blob is written", || async { Ok(store.held(Direction::ToClient) > 0) }).await?;
        late.signal(Signal::STOP)?;
        processes.daemons.start_one(GENERATE)?;
        // Its lease has ended, another has it, and does the job.
        check(processes, &accepted).await?;

        store.pass();
        late.signal(Signal::CONT)?;
        // What it did before it slept is settled, or dropped, before it has done anything else.
        processes.daemons.stop_one(GENERATE).await?;
        accepted.extend(sketches(&processes.client, "late", 2, SIDE).await?);
        check(processes, &accepted).await?;
        let twice = history::jobs(&processes.connections.log).await?;
        let (.., attempts, _) = twice.iter().find(|(consumer, ..)| consumer == "generate").context("a job was run")?;
        ensure!(*attempts == 2, "the job was tried {attempts} times");
        late.stop().await
    })
    .await;
    broker.delete().await?;
    outcome
}

/// All times are the database's, so its clock that jumps is the same as all times it has written jumping the other way.
/// What a daemon's own clock decides, such as until when a link is good, loses and repeats nothing: see `clocks.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_an_hour_ahead_and_back_loses_nothing_and_does_nothing_twice() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let outcome = with_processes(&database.url, broker.settings.clone(), &IMPATIENT, async |processes| {
        let Processes { client, connections, .. } = &*processes;
        let log = &connections.log;
        let mut accepted = Vec::new();
        // Ahead: every lease has ended, the leader's too, while whoever has one works on.
        accepted.extend(sketches(client, "ahead", 8, 384).await?);
        history::busy(log, GENERATE).await?;
        clock_jumps(log, 1).await?;
        check(processes, &accepted).await?;

        // Back: no lease ends for an hour, and what was to begin by now is to begin in an hour. Whoever is at work and
        // whoever leads notices nothing; and what the clock was wrong about ends when it is put right.
        accepted.extend(sketches(client, "back", 8, 384).await?);
        history::busy(log, GENERATE).await?;
        clock_jumps(log, -1).await?;
        accepted.extend(sketches(client, "meanwhile", 2, SIDE).await?);
        history::rendered(log, i64::try_from(accepted.len())? - 8).await?;
        clock_jumps(log, 1).await?;
        check(processes, &accepted).await
    })
    .await;
    broker.delete().await?;
    outcome
}

async fn clock_jumps(log: &Log, hours: i32) -> anyhow::Result<()> {
    let mut transaction = log.pool().begin().await?;
    // In the order in which the product locks them.
    for statement in [
        "with held as (select job from leases order by job for update) \
         update leases set lease_until = lease_until - make_interval(hours => $1) from held where leases.job = held.job",
        "update scheduled_jobs set run_at = run_at - make_interval(hours => $1)",
        "update jobs set run_at = run_at - make_interval(hours => $1) where finished_at is null",
        "update leaders set lease_until = lease_until - make_interval(hours => $1)",
    ] {
        sqlx::query(statement).bind(hours).execute(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}
