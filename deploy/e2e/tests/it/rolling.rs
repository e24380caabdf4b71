//! An installation of the version before, updated daemon by daemon and taken back the same way, while artworks keep
//! coming: in the order of `deploy/README.md`, with the programs that the older commit builds.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use atelier_e2e::{Broker, Database, until_within};
use atelier_events::settings::BusSettings;
use atelier_events::{ArtworkId, Log, Stream};
use atelier_standalone::client::Client;
use atelier_standalone::daemons::NAMES;
use tokio_util::sync::CancellationToken;

use crate::commands::{export, sketches};
use crate::harness::{Processes, programs, with_programs};
use crate::invariant::check;
use crate::{IMPATIENT, gallery, history};

const PRODUCER: &str = "atelier-producer";
const SIDE: u32 = 96;

/// Between one command and the next while daemons change.
const PACE: Duration = Duration::from_millis(200);

/// How long the artworks that were asked for may take.
const SHOWN: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the programs of an older commit, which `make test-rolling` builds"]
async fn daemons_of_the_version_before_and_of_this_one_work_side_by_side_over_rabbitmq() -> anyhow::Result<()> {
    let broker = Broker::scratch();
    let outcome = there_and_back(broker.settings.clone()).await;
    broker.delete().await?;
    outcome
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the programs of an older commit, which `make test-rolling` builds"]
async fn daemons_of_the_version_before_and_of_this_one_work_side_by_side_over_postgres() -> anyhow::Result<()> {
    there_and_back(BusSettings::default()).await
}

async fn there_and_back(bus: BusSettings) -> anyhow::Result<()> {
    let older = PathBuf::from(std::env::var_os("ATELIER_OLDER").context("ATELIER_OLDER names no folder of programs")?);
    for name in NAMES {
        let [one, other] = [older.join(name), programs()?.join(name)].map(std::fs::read);
        ensure!(one? != other?, "{name} of {} is that of this version", older.display());
    }
    let database = Database::create().await?;
    with_programs(&older, &database.url, bus, &IMPATIENT, async |processes| {
        let mut accepted = sketches(&processes.client, "before", 2, SIDE).await?;
        history::at_rest(&processes.connections.log, 2).await?;
        processes.run(PRODUCER, &["migrate"]).await?;

        let consumers: Vec<&'static str> = NAMES.into_iter().filter(|name| *name != PRODUCER).collect();
        let mut newer = Vec::new();
        for name in consumers.iter().copied().chain([PRODUCER]) {
            let (client, log) = (processes.client.clone(), processes.connections.log.clone());
            still_run(processes)?;
            let mut beside = None;
            accepted.extend(
                while_changing(&client, &log, &format!("to-{name}"), async || {
                    beside = Some(processes.replace(name, &[]).await?);
                    Ok(())
                })
                .await?,
            );
            newer.push((name, beside.context("it was started")?));
        }
        check(processes, &accepted).await?;
        exported(processes, "by-the-newer", 1).await?;

        for (name, beside) in newer.into_iter().rev() {
            let (client, log) = (processes.client.clone(), processes.connections.log.clone());
            accepted.extend(
                while_changing(&client, &log, &format!("back-from-{name}"), async || {
                    beside.stop().await?;
                    processes.daemons.start_one(name)?;
                    if name == PRODUCER { processes.answers().await } else { Ok(()) }
                })
                .await?,
            );
            still_run(processes)?;
        }
        exported(processes, "by-the-older", 2).await?;
        let pool = processes.connections.log.pool();
        until_within(SHOWN, "no job is left", || async {
            Ok(sqlx::query_scalar::<_, i64>(LEFT).fetch_one(pool).await? == 0)
        })
        .await?;
        let shown = gallery::check(&processes.site, &processes.connections.log).await?;
        ensure!(shown.len() == accepted.len(), "{} of {} are shown", shown.len(), accepted.len());
        let [option, folder] = processes.data_dir();
        processes.run("atelier", &[&option, &folder, "verify"]).await?;
        Ok(())
    })
    .await
}

/// Jobs that an older version knows of and has not done.
const LEFT: &str = "select count(*) from jobs where finished_at is null and consumer <> 'webhooks'";

/// None of the daemons that were not stopped has ended.
fn still_run(processes: &mut Processes) -> anyhow::Result<()> {
    match processes.daemons.ended()? {
        Some((name, status)) => bail!("{name} ended by itself with {status}"),
        None => Ok(()),
    }
}

/// Asks for everything as a ZIP, and waits until there are so many.
async fn exported(processes: &Processes, name: &str, completed: i64) -> anyhow::Result<()> {
    export(&processes.client, name).await?;
    let statement = "select count(*) from events where type = 'export.completed'";
    until_within(SHOWN, &format!("the export {name} is there"), || async {
        let found: i64 = sqlx::query_scalar(statement).fetch_one(processes.connections.log.pool()).await?;
        Ok(found == completed)
    })
    .await
}

/// Has artworks asked for before, while and after something changes, and waits until all are shown.
async fn while_changing(
    client: &Client,
    log: &Log,
    name: &str,
    change: impl AsyncFnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<ArtworkId>> {
    let (enough, asked) = (CancellationToken::new(), AtomicU32::new(0));
    let keep_asking = async {
        let mut accepted = Vec::new();
        // One more after the change.
        let mut last = false;
        while !last {
            last = enough.is_cancelled();
            let number = asked.fetch_add(1, Ordering::Relaxed);
            accepted.extend(sketches(client, &format!("{name}-{number}"), 1, SIDE).await?);
            tokio::time::sleep(PACE).await;
        }
        anyhow::Ok(accepted)
    };
    let change = async {
        tokio::time::sleep(PACE * 2).await;
        let changed = change().await;
        tokio::time::sleep(PACE * 2).await;
        enough.cancel();
        changed
    };
    let (accepted, changed) = tokio::join!(keep_asking, change);
    changed.with_context(|| format!("changing {name}"))?;
    let accepted = accepted?;
    let left = "select count(*) from unnest($1::text[]) asked (stream) where not exists
        (select from events e where e.stream = asked.stream and e.type = 'artwork.published')";
    let streams: Vec<String> = accepted.iter().map(|id| Stream::artwork(*id).to_string()).collect();
    until_within(SHOWN, &format!("all is shown that was asked for when changing {name}"), || async {
        Ok(sqlx::query_scalar::<_, i64>(left).bind(&streams).fetch_one(log.pool()).await? == 0)
    })
    .await?;
    Ok(accepted)
}
