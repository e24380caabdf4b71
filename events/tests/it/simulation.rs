//! Ten thousand short histories of the log and the jobs, each drawn from a seed, played on a real Postgres.
//!
//! ```text
//!  seed ──▶ actors ──call──▶ script ──ask──▶ model ──history──▶ promises
//!                              │                ▲
//!                              │ one message    │ what each statement is to answer,
//!                              ▼                │ what the tables are to hold then
//!                    Postgres: the statements of events/sql, word for word
//! ```
//!
//! Actors behave as badly as real ones: workers die, or report attempts that others have taken over since; a relay goes on
//! in a term that is over; clients send a command twice; an operator cancels, requeues, pauses and resumes at any moment.
//! Then the faults stop and everything must come to an end. The statements run in the order in which the schedule has them:
//! what two do to each other that overlap is in [`overlaps`].
//!
//! Time is simulated: `now()` is found first in a schema of the simulation's own. Nothing sleeps.

mod actors;
mod failure;
mod model;
mod mutants;
mod overlaps;
mod promises;
mod script;
mod session;
mod statement;

use std::time::Instant;

use anyhow::Context as _;
use atelier_e2e::Database;
use atelier_events::log::verify;
use futures::future::try_join_all;
use tokio::runtime::Handle;

use failure::Failure;
use mutants::MUTANTS;
use session::Session;

/// Schedules, unless `ATELIER_SIMULATION_SCHEDULES` says how many.
const SCHEDULES: u64 = 10_000;
/// Play at the same time, each in a database of its own.
const LANES: u64 = 4;
/// So many schedules find every mutant.
const ENOUGH: u64 = 1_000;

/// Which seeds to play: `ATELIER_SIMULATION_SEED` is the first, and the only one unless the number is given too.
fn seeds() -> anyhow::Result<std::ops::Range<u64>> {
    let number = |name: &str| match std::env::var(name) {
        Ok(text) => text.parse().map(Some).with_context(|| format!("{name} is {text:?}, which is not a number")),
        Err(_) => Ok(None),
    };
    let (first, count) = (number("ATELIER_SIMULATION_SEED")?, number("ATELIER_SIMULATION_SCHEDULES")?);
    let count = count.unwrap_or(if first.is_some() { 1 } else { SCHEDULES });
    let first: u64 = first.unwrap_or(0);
    Ok(first..first.saturating_add(count))
}

async fn database() -> anyhow::Result<Database> {
    let database = Database::create().await?;
    sqlx::raw_sql(include_str!("simulation/setup.sql")).execute(&database.pool).await?;
    Ok(database)
}

/// Plays these seeds in a database of their own and verifies the log that they leave behind.
async fn lane(seeds: Vec<u64>) -> anyhow::Result<()> {
    let database = database().await?;
    let mut session = Session::open(&database.url, None).await?;
    for seed in seeds {
        session.play(seed).await?.map_err(|failure| anyhow::anyhow!("{failure}"))?;
    }
    let flaws = verify(&database.pool, |_| ()).await?.flaws;
    anyhow::ensure!(flaws.is_empty(), "the log is not whole: {flaws:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_in_whatever_order_every_promise_is_kept() -> anyhow::Result<()> {
    let (seeds, began) = (seeds()?, Instant::now());
    let count = seeds.end - seeds.start;
    let lanes = (0..LANES).map(|number| {
        let mine = seeds.clone().filter(|seed| seed % LANES == number).collect();
        // A thread of its own: making a schedule is as much work as playing it.
        tokio::task::spawn_blocking(move || Handle::current().block_on(lane(mine)))
    });
    for played in try_join_all(lanes).await? {
        played?;
    }
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::print_stderr, clippy::cast_precision_loss, reason = "the figure, for who asks for output")]
    {
        eprintln!("{count} schedules in {seconds:.1} s: {:.0} a second", count as f64 / seconds);
    }
    Ok(())
}

/// The first schedule that goes wrong.
async fn first_failure(session: &mut Session) -> anyhow::Result<Option<Failure>> {
    for seed in 0..ENOUGH {
        if let Err(failure) = session.play(seed).await? {
            return Ok(Some(*failure));
        }
    }
    Ok(None)
}

#[tokio::test]
async fn a_statement_without_one_of_its_safeguards_is_found_out() -> anyhow::Result<()> {
    let database = database().await?;
    let mut missed = Vec::new();
    for mutant in &MUTANTS {
        let mut session = Session::open(&database.url, Some(mutant)).await?;
        let named = format!("{} without {}", mutant.statement, mutant.without);
        let Some(failure) = first_failure(&mut session).await? else {
            missed.push(named);
            continue;
        };
        #[expect(clippy::print_stderr, reason = "which seed found it, for who asks for output")]
        {
            eprintln!("seed {:>3}: {named}", failure.seed);
        }
        assert!(failure.to_string().contains(&format!("ATELIER_SIMULATION_SEED={}", failure.seed)), "{failure}");
        let whole = Session::open(&database.url, None).await?.play(failure.seed).await?;
        assert!(whole.is_ok(), "the same schedule without the mutation: {whole:?}");
    }
    assert!(missed.is_empty(), "the simulation does not see {missed:#?}");
    Ok(())
}
