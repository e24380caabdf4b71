//! A daemon that is asked to stop in the middle of its work ends well and soon, and nothing it had in its hands suffers.

use std::time::{Duration, Instant};

use anyhow::ensure;
use atelier_e2e::{Broker, Database};
use atelier_events::Log;
use atelier_standalone::client::Client;
use atelier_standalone::daemons::NAMES;

use crate::commands::{export, sketches};
use crate::harness::{Processes, with_processes};
use crate::{gallery, history};

/// How long a daemon may take to stop, attempts that run to their end included.
const STOPPED: Duration = Duration::from_secs(35);

/// Asked for around each stop.
const SKETCHES: u32 = 12;
const EXPORTS: u32 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_asked_to_stop_in_the_middle_of_its_work_ends_well_and_loses_nothing() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let outcome = with_processes(&database.url, broker.settings.clone(), &[], async |processes| {
        let Processes { client, daemons, connections, site, .. } = processes;
        let log = &connections.log;
        for daemon in NAMES {
            // The commands go on while it stops, and for the producer also while it is not there.
            let stop = async {
                history::busy(log, daemon).await?;
                let began = Instant::now();
                let status = daemons.stop_one(daemon).await?;
                ensure!(status.success(), "{daemon} ended with {status}");
                ensure!(began.elapsed() < STOPPED, "{daemon} took {:?} to stop", began.elapsed());
                left_well(log, daemon).await?;
                daemons.start_one(daemon)
            };
            tokio::try_join!(ask(client, daemon), stop)?;
        }
        let variants = usize::try_from(SKETCHES)? * NAMES.len();
        history::at_rest(log, i64::try_from(variants)?).await?;
        let jobs = history::jobs(log).await?;
        let strange: Vec<_> =
            jobs.iter().filter(|(_, _, state, attempt, _)| state != "completed" || *attempt != 1).collect();
        ensure!(strange.is_empty(), "an attempt was lost: {strange:?}");
        let artworks = gallery::check(site, log).await?;
        ensure!(artworks.len() == variants, "{} artworks of {variants} are published", artworks.len());
        Ok(())
    })
    .await;
    broker.delete().await?;
    outcome
}

/// Asks for work: for this daemon and for those before it.
async fn ask(client: &Client, daemon: &str) -> anyhow::Result<()> {
    for number in 0..SKETCHES {
        sketches(client, &format!("{daemon}-{number}"), 1, 512).await?;
    }
    if daemon == "atelier-exports" {
        for number in 0..EXPORTS {
            export(client, &number.to_string()).await?;
        }
    }
    Ok(())
}

/// Nothing is left in the hands of a daemon that has stopped: what it did not finish, it has handed back.
async fn left_well(log: &Log, daemon: &str) -> anyhow::Result<()> {
    let statement = "select count(*) from current_jobs where consumer = $1 and state = 'running'";
    let left: i64 = sqlx::query_scalar(statement).bind(history::consumer(daemon)).fetch_one(log.pool()).await?;
    ensure!(left == 0, "{daemon} has left {left} jobs in its hands");
    Ok(())
}
