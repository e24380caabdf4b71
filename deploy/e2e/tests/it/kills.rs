//! SIGKILL at each point between a command and its end where something is done and not yet said, or said and not yet
//! heard. No daemon has a hook for this: a line between it and a server is stopped at the right moment, which is where the
//! daemon then stands, and there it is killed.
//!
//! ```text
//!  append ─1─▶ publish ─2─▶ confirm        deliver ─▶ claim ─4─▶ ack
//!                                                       └─3─▶ blob ─5─▶ settle ─6─▶ its answer
//!
//!  fetch ─▶ stage ─▶ swap ─7─▶ site.deployed             parts ─▶ ZIP ─▶ its note ─8─▶ settle
//!                               ─9─▶ artwork.published ─10─▶ its answer
//! ```

use std::time::Duration;

use anyhow::ensure;
use atelier_e2e::{Broker, Database, Direction, Proxy, until};
use atelier_events::{ArtworkId, Log, keys};
use atelier_site::release::Folder;

use crate::commands::{export, sketches};
use crate::harness::{Beside, Processes, with_processes};
use crate::invariant::{check, count_blobs};
use crate::{BY_MESSAGE, IMPATIENT, history};

const PRODUCER: &str = "atelier-producer";
const GENERATE: &str = "atelier-generate";
const SITE: &str = "atelier-site";
const EXPORTS: &str = "atelier-exports";

/// Sketches asked for at each point, and their side.
const SKETCHES: u32 = 3;
const SIDE: u32 = 128;

/// How much later the database's answers come while an answer is to be lost: time to see that it was given.
const LATE: Duration = Duration::from_millis(500);

/// Longer than everything that happens while the answers come late.
const LONG_LEASE: (&str, &str) = ("CONSUMER__LEASE_TTL_MS", "20000");

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_killed_between_append_publish_and_confirm_loses_nothing_and_does_nothing_twice()
-> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let (line, bus_url) = Proxy::before(&broker.settings.url).await?;
    let settings = [&IMPATIENT[..], &[BY_MESSAGE]].concat();
    let outcome = with_processes(&database.url, broker.settings.clone(), &settings, async |processes| {
        let mut accepted = Vec::new();
        // 1: appended and answered, and not published.
        let producer = processes.replace(PRODUCER, &[("BUS__URL", &bus_url)]).await?;
        line.refuse();
        let tried = line.connections();
        accepted.extend(sketches(&processes.client, "appended", SKETCHES, SIDE).await?);
        until("the relay looks for the broker", || async { Ok(line.connections() > tried) }).await?;
        ensure!(
            history::unpublished(&processes.connections.log).await? > 0,
            "it was published over a line that refuses"
        );
        producer.kill().await?;
        line.pass();
        processes.daemons.start_one(PRODUCER)?;
        check(processes, &accepted).await?;

        // 2: published, and not confirmed.
        let producer = processes.replace(PRODUCER, &[("BUS__URL", &bus_url)]).await?;
        publish_unconfirmed(processes, &line, "published", &mut accepted).await?;
        producer.kill().await?;
        line.pass();
        processes.daemons.start_one(PRODUCER)?;
        check(processes, &accepted).await?;

        // The same, and the connection breaks instead of the process.
        let producer = processes.replace(PRODUCER, &[("BUS__URL", &bus_url)]).await?;
        publish_unconfirmed(processes, &line, "cut", &mut accepted).await?;
        line.cut();
        line.pass();
        check(processes, &accepted).await?;

        // The same, and nothing breaks: the relay gives up waiting and begins anew, and the confirm comes after all.
        publish_unconfirmed(processes, &line, "late", &mut accepted).await?;
        let tried = line.connections();
        until("the relay waits no longer", || async { Ok(line.connections() > tried) }).await?;
        line.pass();
        check(processes, &accepted).await?;
        producer.stop().await
    })
    .await;
    broker.delete().await?;
    outcome
}

/// Commands whose messages have arrived, which the producer was not told.
async fn publish_unconfirmed(
    processes: &Processes,
    line: &Proxy,
    name: &str,
    accepted: &mut Vec<ArtworkId>,
) -> anyhow::Result<()> {
    line.freeze(Direction::ToClient);
    accepted.extend(sketches(&processes.client, name, SKETCHES, SIDE).await?);
    // Nobody looks by himself, so who works on it has been sent it.
    let statement = "select exists (select from current_jobs j, checkpoints c \
                     where c.name = 'relay' and j.position > c.position and j.attempt > 0)";
    let pool = processes.connections.log.pool();
    until("a message has arrived", || async { Ok(sqlx::query_scalar(statement).fetch_one(pool).await?) }).await?;
    until("its confirm is held", || async { Ok(line.held(Direction::ToClient) > 0) }).await
}

/// What lies between a consumer and everything else.
struct Lines {
    bus: Proxy,
    database: Proxy,
    store: Proxy,
    bus_url: String,
    database_url: String,
    store_url: String,
}

impl Lines {
    async fn before(processes: &Processes) -> anyhow::Result<Self> {
        let (bus, bus_url) = Proxy::before(processes.told("BUS__URL")?).await?;
        let (database, database_url) = Proxy::before(processes.told("DATABASE__URL")?).await?;
        let (store, store_url) = Proxy::before(processes.told("STORE__ENDPOINT")?).await?;
        Ok(Self { bus, database, store, bus_url, database_url, store_url })
    }

    /// A consumer behind the lines. Whatever they held of another before it is lost.
    fn consumer(&self, processes: &Processes, lease: (&str, &str)) -> anyhow::Result<Beside> {
        self.daemon(processes, GENERATE, lease)
    }

    fn daemon(&self, processes: &Processes, name: &'static str, lease: (&str, &str)) -> anyhow::Result<Beside> {
        for line in [&self.bus, &self.database, &self.store] {
            line.cut();
            line.pass();
        }
        let [bus, database, store] = [&self.bus_url, &self.database_url, &self.store_url];
        let settings = [("BUS__URL", bus.as_str()), ("DATABASE__URL", database), ("STORE__ENDPOINT", store), lease];
        processes.beside(name, &settings)
    }

    /// The consumer dies where it is, and another comes.
    async fn kill(&self, consumer: Beside, processes: &mut Processes) -> anyhow::Result<Beside> {
        consumer.kill().await?;
        self.consumer(processes, IMPATIENT[0])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_killed_between_claim_blob_settlement_and_ack_does_each_job_once_in_effect() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let settings = [&IMPATIENT[..], &[BY_MESSAGE]].concat();
    let outcome = with_processes(&database.url, broker.settings.clone(), &settings, async |processes| {
        let lines = Lines::before(processes).await?;
        processes.daemons.stop_one(GENERATE).await?;
        let mut accepted = Vec::new();
        let consumer = lines.consumer(processes, IMPATIENT[0])?;
        // It has subscribed to its queue once it has done something.
        accepted.extend(sketches(&processes.client, "first", 1, SIDE).await?);
        check(processes, &accepted).await?;

        // 3: claimed; nothing has come of it.
        lines.store.freeze(Direction::ToServer);
        accepted.extend(sketches(&processes.client, "claimed", SKETCHES, SIDE).await?);
        until("a blob is on its way", || async { Ok(lines.store.held(Direction::ToServer) > 0) }).await?;
        ensure!(running(&processes.connections.log).await? > 0, "no job was claimed");
        let consumer = lines.kill(consumer, processes).await?;
        check(processes, &accepted).await?;

        // 4: claimed and all done about it, and not acknowledged: the message comes again.
        lines.bus.freeze(Direction::ToServer);
        accepted.extend(sketches(&processes.client, "unacknowledged", 1, SIDE).await?);
        settled(processes, accepted.len()).await?;
        ensure!(lines.bus.held(Direction::ToServer) > 0, "the message was acknowledged");
        let consumer = lines.kill(consumer, processes).await?;
        check(processes, &accepted).await?;

        // 5: the blob is there, and the log does not name it.
        put_unanswered(processes, &lines, "written", &mut accepted).await?;
        lines.database.freeze(Direction::ToServer);
        let heard = lines.store.carried(Direction::ToClient);
        lines.store.pass();
        until("the store's answer has come", || async { Ok(lines.store.carried(Direction::ToClient) > heard) }).await?;
        until("the consumer tells of it", || async { Ok(lines.database.held(Direction::ToServer) > 0) }).await?;
        ensure!(generated(&processes.connections.log).await? + 1 == accepted.len(), "it was settled");
        consumer.kill().await?;
        let consumer = lines.consumer(processes, LONG_LEASE)?;
        check(processes, &accepted).await?;

        // 6: settled, and the consumer was not told.
        put_unanswered(processes, &lines, "settled", &mut accepted).await?;
        lines.database.delay(Direction::ToClient, LATE);
        lines.store.pass();
        settled(processes, accepted.len()).await?;
        lines.database.freeze(Direction::ToClient);
        ensure!(lines.database.held(Direction::ToClient) > 0, "the consumer has heard that it was settled");
        consumer.kill().await?;
        let consumer = lines.consumer(processes, IMPATIENT[0])?;
        check(processes, &accepted).await?;

        consumer.stop().await
    })
    .await;
    broker.delete().await?;
    outcome
}

/// A command whose original is in the bucket, which the consumer was not told.
async fn put_unanswered(
    processes: &Processes,
    lines: &Lines,
    name: &str,
    accepted: &mut Vec<ArtworkId>,
) -> anyhow::Result<()> {
    let blobs = &processes.connections.blobs;
    let before = count_blobs(blobs, "originals/").await?;
    // The bucket is asked for before anything is done: that answer comes late, and the one about the blob not at all.
    lines.store.delay(Direction::ToClient, LATE);
    accepted.extend(sketches(&processes.client, name, 1, SIDE).await?);
    until("the blob is there", || async { Ok(count_blobs(blobs, "originals/").await? > before) }).await?;
    lines.store.freeze(Direction::ToClient);
    Ok(())
}

/// Waits until this many originals are in the log.
async fn settled(processes: &Processes, originals: usize) -> anyhow::Result<()> {
    let log = &processes.connections.log;
    until("all is settled", || async { Ok(generated(log).await? == originals) }).await
}

async fn generated(log: &Log) -> anyhow::Result<usize> {
    let statement = "select count(*) from events where type = 'variant.generated'";
    let count: i64 = sqlx::query_scalar(statement).fetch_one(log.pool()).await?;
    Ok(usize::try_from(count)?)
}

async fn running(log: &Log) -> anyhow::Result<i64> {
    let statement = "select count(*) from current_jobs where consumer = 'generate' and state = 'running'";
    Ok(sqlx::query_scalar(statement).fetch_one(log.pool()).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_killed_between_the_swap_and_its_event_finds_its_release_live_and_tells_of_it_once() -> anyhow::Result<()>
{
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let outcome = with_processes(&database.url, broker.settings.clone(), &IMPATIENT, async |processes| {
        let lines = Lines::before(processes).await?;
        processes.daemons.stop_one(SITE).await?;
        let site = lines.daemon(processes, SITE, IMPATIENT[0])?;
        let mut accepted = sketches(&processes.client, "before", 1, SIDE).await?;
        check(processes, &accepted).await?;
        let folder = Folder::new(&processes.site, 1)?;
        let (number, told) = (folder.number()?, deployed(&processes.connections.log).await?);

        // 7: what it fetches is held while its line to the database is stopped: it needs that for nothing but to tell.
        lines.store.freeze(Direction::ToServer);
        accepted.extend(sketches(&processes.client, "swapped", 1, SIDE).await?);
        until("it fetches what it publishes", || async { Ok(lines.store.held(Direction::ToServer) > 0) }).await?;
        lines.database.freeze(Direction::ToServer);
        lines.store.pass();
        until("the release is live", || async { Ok(folder.number()? > number) }).await?;
        until("it tells of it", || async { Ok(lines.database.held(Direction::ToServer) > 0) }).await?;
        ensure!(deployed(&processes.connections.log).await? == told, "it was told already");
        let live = folder.number()?;
        site.kill().await?;

        processes.daemons.start_one(SITE)?;
        check(processes, &accepted).await?;
        ensure!(folder.number()? == live, "release {live:?} was made again: {:?}", folder.number()?);
        let told_since = deployed(&processes.connections.log).await?;
        ensure!(told_since.len() == told.len() + 1, "{told:?} and then {told_since:?}");
        Ok(())
    })
    .await;
    broker.delete().await?;
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_killed_between_its_release_and_the_artworks_of_it_tells_of_each_once() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let outcome = with_processes(&database.url, broker.settings.clone(), &IMPATIENT, async |processes| {
        let lines = Lines::before(processes).await?;
        processes.daemons.stop_one(SITE).await?;
        let log = processes.connections.log.clone();
        let folder = Folder::new(&processes.site, 1)?;
        let mut accepted = Vec::new();

        // 9: its release is told, of which it hears late, and what it says then goes nowhere.
        let site = fetching(&lines, processes, "deployed", &mut accepted).await?;
        let (releases, told) = (deployed(&log).await?.len(), published(&log).await?);
        lines.database.delay(Direction::ToClient, LATE);
        lines.store.pass();
        until("its release is told", || async { Ok(deployed(&log).await?.len() > releases) }).await?;
        lines.database.freeze(Direction::ToServer);
        until("it tells of the artworks", || async { Ok(lines.database.held(Direction::ToServer) > 0) }).await?;
        ensure!(published(&log).await? == told, "they were told of already");
        let live = folder.number()?;
        site.kill().await?;
        processes.daemons.start_one(SITE)?;
        check(processes, &accepted).await?;
        ensure!(folder.number()? == live, "release {live:?} was made again: {:?}", folder.number()?);
        processes.daemons.stop_one(SITE).await?;

        // 10: they are told of, and it does not hear that.
        let site = fetching(&lines, processes, "told", &mut accepted).await?;
        let told = published(&log).await?;
        lines.database.delay(Direction::ToClient, LATE);
        lines.store.pass();
        until("the artworks are told of", || async { Ok(published(&log).await? > told) }).await?;
        lines.database.freeze(Direction::ToClient);
        site.kill().await?;
        processes.daemons.start_one(SITE)?;
        check(processes, &accepted).await
    })
    .await;
    broker.delete().await?;
    outcome
}

/// A site that has deployed something, has something more to deploy, and waits for the pictures of it.
async fn fetching(
    lines: &Lines,
    processes: &Processes,
    name: &str,
    accepted: &mut Vec<ArtworkId>,
) -> anyhow::Result<Beside> {
    let site = lines.daemon(processes, SITE, IMPATIENT[0])?;
    accepted.extend(sketches(&processes.client, &format!("before-{name}"), 1, SIDE).await?);
    check(processes, accepted).await?;
    lines.store.freeze(Direction::ToServer);
    accepted.extend(sketches(&processes.client, name, 1, SIDE).await?);
    until("it fetches what it publishes", || async { Ok(lines.store.held(Direction::ToServer) > 0) }).await?;
    Ok(site)
}

async fn published(log: &Log) -> anyhow::Result<i64> {
    let statement = "select count(*) from events where type = 'artwork.published'";
    Ok(sqlx::query_scalar(statement).fetch_one(log.pool()).await?)
}

/// The positions up to which releases are told to show the log, one for each time it was told.
async fn deployed(log: &Log) -> anyhow::Result<Vec<i64>> {
    let statement = "select (data->>'position')::bigint from events where type = 'site.deployed' order by position";
    Ok(sqlx::query_scalar(statement).fetch_all(log.pool()).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_killed_between_its_zip_and_its_settlement_is_completed_with_the_zip_that_is_there()
-> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let outcome = with_processes(&database.url, broker.settings.clone(), &IMPATIENT, async |processes| {
        let lines = Lines::before(processes).await?;
        processes.daemons.stop_one(EXPORTS).await?;
        let accepted = sketches(&processes.client, "packed", SKETCHES, SIDE).await?;
        check(processes, &accepted).await?;
        let exports = lines.daemon(processes, EXPORTS, LONG_LEASE)?;

        // 8: the note that is written last is there; its answer comes late, and what follows it goes nowhere.
        let blobs = &processes.connections.blobs;
        lines.store.delay(Direction::ToClient, LATE);
        let export = export(&processes.client, "everything").await?;
        let contents = keys::export_contents("");
        let folder = contents.trim_end_matches(".json");
        until("the ZIP and its note are there", || async { Ok(count_blobs(blobs, folder).await? > 0) }).await?;
        lines.database.freeze(Direction::ToServer);
        lines.store.pass();
        until("it tells of it", || async { Ok(lines.database.held(Direction::ToServer) > 0) }).await?;
        let read = processes.client.export(export, Duration::ZERO).await?;
        ensure!(read.state == "pending", "it was settled: {read:?}");
        let zip = blobs.page(&keys::export(export), None).await?.entries;
        ensure!(zip.len() == 1, "the ZIP is not there");
        exports.kill().await?;

        let another = lines.daemon(processes, EXPORTS, IMPATIENT[0])?;
        let read = processes.client.export(export, Duration::from_mins(1)).await?;
        ensure!(read.state == "completed", "{read:?}");
        // Packed again, it would be the same bytes, and younger.
        ensure!(blobs.page(&keys::export(export), None).await?.entries == zip, "it was packed again");
        check(processes, &accepted).await?;
        let completed = history::events(&processes.connections.log).await?;
        let completed = history::counts(&completed).get("export.completed").copied();
        ensure!(completed == Some(1), "it was completed {completed:?} times");
        another.stop().await
    })
    .await;
    broker.delete().await?;
    outcome
}
