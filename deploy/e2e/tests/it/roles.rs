//! Each daemon does all of its work as a database user that may do nothing else.

use std::collections::BTreeMap;

use anyhow::ensure;
use atelier_e2e::{Broker, Database};
use atelier_events::settings::BusSettings;
use atelier_standalone::daemons::NAMES;

use crate::commands::{export, sketches, upload};
use crate::harness::{run, with_processes};
use crate::{gallery, history, pictures};

/// More than one batch of everything, and something that fails.
const SKETCHES: u32 = 6;

#[tokio::test(flavor = "multi_thread")]
async fn every_daemon_does_all_of_its_work_under_its_own_role() -> anyhow::Result<()> {
    let broker = Broker::scratch();
    let done = whole_work(broker.settings.clone()).await;
    broker.delete().await?;
    done
}

async fn whole_work(bus: BusSettings) -> anyhow::Result<()> {
    let database = Database::empty().await?;
    let owner = BTreeMap::from([("ATELIER__DATABASE__URL".to_owned(), database.url.clone())]);
    run("atelier-producer", &["migrate"], &owner).await?;
    let mut logins = BTreeMap::new();
    for daemon in NAMES {
        logins.insert(daemon, database.login(&daemon.replace("atelier-", "atelier_")).await?);
    }
    // The harness starts all with one address, the owner's; each is then started again with its own, and nothing that
    // they build themselves is there.
    with_processes(&database.url, bus, &[], async |processes| {
        for daemon in NAMES {
            processes.daemons.stop_one(daemon).await?;
        }
        sqlx::query("drop schema if exists read cascade").execute(&database.pool).await?;
        for daemon in NAMES {
            let own = [("ATELIER__DATABASE__URL".to_owned(), logins[daemon].clone())];
            processes.daemons.start_one_with(daemon, &own)?;
        }
        let log = &processes.connections.log;
        sketches(&processes.client, "first", SKETCHES, 96).await?;
        upload(&processes.client, "sea.png", "image/png", &pictures::small(1, 64, image::ImageFormat::Png)?).await?;
        // Not a picture: the job is discarded, and an event says so.
        upload(&processes.client, "no.png", "image/png", b"\x89PNG\r\n\x1a\n and no more").await?;
        history::at_rest(log, i64::from(SKETCHES) + 2).await?;
        export(&processes.client, "all").await?;
        check_users(log.pool(), &logins).await?;

        // Whoever replays, the others go on with what was built.
        let index = BTreeMap::from([("ATELIER__DATABASE__URL".to_owned(), logins["atelier-index"].clone())]);
        for user in [&index, &owner, &index] {
            run("atelier-index", &["replay"], user).await?;
            sketches(&processes.client, &format!("after-{}", log.head().await?), 1, 96).await?;
            let rendered: i64 = sqlx::query_scalar("select count(*) from events where type = 'variant.requested'")
                .fetch_one(log.pool())
                .await?;
            history::at_rest(log, rendered + 2).await?;
        }
        let compared = atelier_index::compare(log, |_| {}).await?;
        ensure!(compared.differing.is_empty(), "{compared:?}");
        gallery::check(&processes.site, log).await?;
        let counts = history::events(log).await?;
        let counts = history::counts(&counts);
        let of = |event_type| counts.get(event_type).copied().unwrap_or_default();
        ensure!(of("export.completed") == 1 && of("variant.failed") == 1, "{counts:?}");
        Ok(())
    })
    .await
}

/// That the daemons are who they are meant to be: each has connections as its own user, and none as another.
async fn check_users(pool: &sqlx::PgPool, logins: &BTreeMap<&str, String>) -> anyhow::Result<()> {
    let connected = "select distinct usename::text from pg_stat_activity where datname = current_database()
        and usename <> current_user";
    let connected: Vec<String> = sqlx::query_scalar(connected).fetch_all(pool).await?;
    ensure!(connected.len() == logins.len(), "{connected:?}");
    for login in logins.values() {
        ensure!(connected.iter().any(|user| login.contains(user.as_str())), "{login} is none of {connected:?}");
    }
    Ok(())
}
