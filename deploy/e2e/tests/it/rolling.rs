//! An installation of the version before, updated daemon by daemon and taken back the same way, while artworks keep
//! coming: in the order of `deploy/README.md`, with the programs that the older commit builds.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use atelier_e2e::{Broker, Database, until_within};
use atelier_events::settings::BusSettings;
use atelier_events::{ArtworkId, Log, Stream};
use atelier_standalone::client::Client;
use atelier_standalone::daemons::NAMES;
use tokio_util::sync::CancellationToken;

use crate::commands::{export, sketches};
use crate::harness::with_programs;
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
    let older = std::env::var_os("ATELIER_OLDER").context("ATELIER_OLDER names no folder of programs")?;
    let database = Database::create().await?;
    with_programs(&PathBuf::from(older), &database.url, bus, &IMPATIENT, async |processes| {
        let mut accepted = sketches(&processes.client, "before", 2, SIDE).await?;
        history::at_rest(&processes.connections.log, 2).await?;
        processes.run(PRODUCER, &["migrate"]).await?;

        let consumers: Vec<&'static str> = NAMES.into_iter().filter(|name| *name != PRODUCER).collect();
        let mut newer = Vec::new();
        for name in consumers.iter().copied().chain([PRODUCER]) {
            let (client, log) = (processes.client.clone(), processes.connections.log.clone());
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
        export(&processes.client, "of-the-newer").await?;

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
        }
        let shown = gallery::check(&processes.site, &processes.connections.log).await?;
        ensure!(shown.len() == accepted.len(), "{} of {} are shown", shown.len(), accepted.len());
        let [option, folder] = processes.data_dir();
        let flaws = processes.run("atelier", &[&option, &folder, "verify", "--json"]).await?;
        let flaws = String::from_utf8(flaws.stdout)?;
        ensure!(flaws.contains("\"flaws\":0"), "{flaws}");
        Ok(())
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
