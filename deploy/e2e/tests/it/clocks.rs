//! Daemons whose own clocks are wrong, and jump.

use std::path::{Path, PathBuf};

use atelier_e2e::{Broker, Database, until};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::commands::sketches;
use crate::harness::{Processes, report, with_processes};
use crate::invariant::check;
use crate::{IMPATIENT, history};

/// Those that act by themselves. The render workers of another one may open no file, which is how they would be told the time.
const DAEMONS: [&str; 4] = ["atelier-producer", "atelier-generate", "atelier-index", "atelier-site"];
const LIBRARY: &str = "faketime/libfaketime.so.1";
/// Two hundred leases, and as much as a bucket tolerates in a signature.
const MINUTES: i64 = 10;

/// By a library that stands between the daemons and the system's clock; monotonic time, by which they sleep, goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_whose_own_clock_jumps_ahead_and_back_loses_nothing_and_does_nothing_twice() -> anyhow::Result<()> {
    let Some(library) = library() else {
        report(&format!("NOT CHECKED for want of {LIBRARY} (apt-get install faketime)"));
        return Ok(());
    };
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let outcome = with_processes(&database.url, broker.settings.clone(), &IMPATIENT, async |processes| {
        let folder = tempfile::tempdir()?;
        let offset = folder.path().join("offset");
        jump(&offset, 0)?;
        processes.environment.extend(
            [
                ("LD_PRELOAD", library.display().to_string()),
                ("FAKETIME_TIMESTAMP_FILE", offset.display().to_string()),
                ("FAKETIME_NO_CACHE", "1".to_owned()),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        let mut deluded = Vec::new();
        for daemon in DAEMONS {
            deluded.push(processes.replace(daemon, &[]).await?);
        }
        let Processes { client, connections, .. } = &*processes;
        let mut accepted = Vec::new();
        for (name, minutes) in [("ahead", MINUTES), ("back", -MINUTES), ("right-again", 0)] {
            // While there is work in hand, and more comes after it.
            accepted.extend(sketches(client, &format!("{name}-before"), 6, 384).await?);
            history::busy(&connections.log, "atelier-generate").await?;
            jump(&offset, minutes)?;
            believed(processes, minutes).await?;
            accepted.extend(sketches(client, &format!("{name}-after"), 3, 128).await?);
            check(processes, &accepted).await?;
        }
        for daemon in deluded {
            daemon.stop().await?;
        }
        for daemon in DAEMONS {
            processes.daemons.start_one(daemon)?;
        }
        processes.answers().await
    })
    .await;
    broker.delete().await?;
    outcome
}

/// Where Debian and Fedora have it.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    folders.chain(["/usr/lib64".into()]).map(|folder| folder.join(LIBRARY)).find(|library| library.exists())
}

/// Tells all of them another time, by so many minutes more than it is.
fn jump(offset: &Path, minutes: i64) -> anyhow::Result<()> {
    Ok(std::fs::write(offset, format!("{minutes:+}m\n"))?)
}

/// Waits until the producer signs links by the clock that it was given.
async fn believed(processes: &Processes, minutes: i64) -> anyhow::Result<()> {
    let (url, http) = (format!("{}/v1/uploads", processes.api_url), reqwest::Client::new());
    let upload = json!({ "filename": "a.png", "content_type": "image/png", "size": 1 });
    until(&format!("the clock is wrong by {minutes} min"), || async {
        let answer = http.post(&url).bearer_auth(&processes.api_key).json(&upload).send().await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        let expires_at = OffsetDateTime::parse(answer["expires_at"].as_str().unwrap_or_default(), &Rfc3339)?;
        let off = expires_at - Duration::HOUR - OffsetDateTime::now_utc();
        Ok((off - Duration::minutes(minutes)).abs() < Duration::seconds(30))
    })
    .await
}
