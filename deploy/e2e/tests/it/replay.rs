//! The read model can be thrown away at any time.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::ensure;
use atelier_e2e::Database;
use atelier_events::settings::BusSettings;

use crate::commands::sketches;
use crate::harness::{Processes, with_processes};
use crate::history;

/// Requests while replays run, and sketches in each.
const REQUESTS: u32 = 10;
const SKETCHES: u32 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn the_read_model_after_a_replay_is_the_same_row_for_row_while_artworks_are_being_added() -> anyhow::Result<()> {
    let database = Database::create().await?;
    with_processes(&database.url, BusSettings::default(), &[], async |processes| {
        let processes: &Processes = processes;
        let log = &processes.connections.log;
        let done = AtomicBool::new(false);
        let add = async {
            for request in 0..REQUESTS {
                sketches(&processes.client, &format!("request-{request}"), SKETCHES, 128).await?;
                history::rendered(log, i64::from(request.saturating_sub(1) * SKETCHES)).await?;
            }
            done.store(true, Ordering::SeqCst);
            anyhow::Ok(())
        };
        let replays = async {
            let mut replays = 0;
            while !done.load(Ordering::SeqCst) {
                processes.run("atelier-index", &["replay", "--json"]).await?;
                replays += 1;
                // Both brought to the same position, while the daemon goes on.
                let compared = atelier_index::compare(log, |_| {}).await?;
                ensure!(compared.differing.is_empty(), "while artworks are added: {compared:?}");
            }
            Ok(replays)
        };
        let ((), replays) = tokio::try_join!(add, replays)?;
        ensure!(replays > 1, "{replays} replays prove nothing");

        let variants = i64::from(REQUESTS * SKETCHES);
        history::at_rest(log, variants).await?;
        let live = atelier_index::digests(log.pool(), "read").await?;
        processes.run("atelier-index", &["replay"]).await?;
        let replayed = atelier_index::digests(log.pool(), "read").await?;
        ensure!(live == replayed, "{live:?} is not {replayed:?}");
        ensure!(live["artworks"].rows == variants, "{live:?}");
        Ok(())
    })
    .await
}
