//! Commands of operators, as the program runs them.

use std::process::Output;

use atelier_events::jobs::{self, End, Filter, Settlement};
use atelier_events::{Consumer, Position};
use serde_json::Value;
use tokio::process::Command;

use crate::installation::Installation;

/// Runs the program on an installation; answers what it printed.
async fn atelier(installation: &Installation, words: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
    command.envs(installation.environment()).arg("--data-dir").arg(home.path()).args(words);
    command.output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Two uploads: the job of one was given up, the other waits.
async fn with_a_dead_letter() -> (Installation, Vec<i64>) {
    let installation = Installation::start().await;
    for title in ["one", "two"] {
        installation.complete_artwork(title).await;
    }
    let (log, pool) = (&installation.connections.log, installation.connections.log.pool());
    jobs::enlist(pool, Position(0), log.head().await.unwrap()).await.unwrap();
    let claimed = jobs::claim(pool, Consumer::Thumbnails, 1, "worker", 60_000).await.unwrap().remove(0);
    let end = End::Discarded { error: "not an image".to_owned() };
    let settlement = Settlement { job: claimed.job, fence: claimed.fence, end, writes: Vec::new() };
    jobs::settle(pool, &[settlement]).await.unwrap();
    let filter = Filter { consumer: Some("thumbnails".to_owned()), ..Filter::default() };
    let ids = jobs::list(pool, &filter, 10).await.unwrap().into_iter().rev().map(|job| job.id).collect();
    (installation, ids)
}

#[tokio::test]
async fn a_dead_letter_is_listed_explained_requeued_and_cancelled_from_the_command_line() {
    let (installation, ids) = with_a_dead_letter().await;
    let dead = ids[0].to_string();
    let listed = atelier(&installation, &["dead", "--json"]).await;
    let job: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((&job["id"], &job["error"]), (&ids[0].into(), &"not an image".into()));

    let why = text(&atelier(&installation, &["why", &dead]).await.stdout);
    assert!(why.contains("discarded, attempt 1") && why.contains(&format!("atelier requeue {dead}")), "{why}");
    assert!(why.lines().any(|line| line.contains("worker") && line.contains("not an image")), "{why}");
    let json: Value = serde_json::from_slice(&atelier(&installation, &["why", &dead, "--json"]).await.stdout).unwrap();
    assert_eq!((&json["state"], &json["event_type"]), (&"discarded".into(), &"variant.uploaded".into()));

    let nothing = atelier(&installation, &["dead", "requeue"]).await;
    assert!(!nothing.status.success() && text(&nothing.stderr).contains("--all"), "{nothing:?}");
    let requeued = atelier(&installation, &["dead", "requeue", "--error", "IMAGE", "--json"]).await;
    assert_eq!(text(&requeued.stdout), format!("{{\"jobs\":[{dead}]}}\n"));
    let again = atelier(&installation, &["requeue", &dead]).await;
    assert!(!again.status.success(), "it is available by now");
    let cancelled = atelier(&installation, &["cancel", "--consumer", "thumbnails"]).await;
    assert_eq!(text(&cancelled.stdout), "cancelled 2 jobs\n");
    let why = text(&atelier(&installation, &["why", &dead]).await.stdout);
    assert!(why.contains("cancelled by atelier"), "{why}");
    let unknown = atelier(&installation, &["why", "0"]).await;
    assert!(text(&unknown.stderr).contains("there is no job 0"), "{unknown:?}");
}

#[tokio::test]
async fn a_consumer_is_paused_and_resumed_from_the_command_line() {
    let (installation, ids) = with_a_dead_letter().await;
    let paused = atelier(&installation, &["pause", "thumbnails", "--json"]).await;
    let status: Value = serde_json::from_slice(&paused.stdout).unwrap();
    assert_eq!((&status["paused_by"], &status["available"]), (&"atelier".into(), &1.into()));
    let why = text(&atelier(&installation, &["why", &ids[1].to_string()]).await.stdout);
    assert!(why.contains("paused by atelier") && why.contains("runs when that is done"), "{why}");
    atelier(&installation, &["resume", "thumbnails"]).await;
    let status = text(&atelier(&installation, &["status"]).await.stdout);
    assert!(status.contains("thumbnails") && !status.contains("by atelier"), "{status}");
    let unknown = atelier(&installation, &["pause", "paint"]).await;
    assert!(text(&unknown.stderr).contains("generate, thumbnails"), "{unknown:?}");
}

#[tokio::test]
async fn messages_that_no_consumer_could_take_are_listed_beside_the_dead_shown_and_purged() {
    let (installation, ids) = with_a_dead_letter().await;
    let insert = "insert into poison_messages (consumer, reason, error, properties, headers, body, body_bytes, digest)
                  select 'thumbnails', 'rejected', 'not an event: ' || word, '{\"content_type\": \"text/plain\"}',
                         '{\"from\": \"a \\u001b stranger\"}', convert_to(word, 'UTF8'), length(word), sha256(word::bytea)
                  from unnest(array['one', 'two', 'three']) as word";
    sqlx::raw_sql(insert).execute(&installation.database.pool).await.unwrap();

    let dead = text(&atelier(&installation, &["dead"]).await.stdout);
    assert!(dead.contains("not an image") && dead.contains("not an event: two"), "{dead}");
    assert!(dead.contains("3 messages were no job"), "{dead}");
    let json = text(&atelier(&installation, &["dead", "--json"]).await.stdout);
    let jobs: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(jobs.iter().map(|job| &job["id"]).collect::<Vec<_>>(), [ids[0]]);

    let listed = atelier(&installation, &["dead", "messages", "--error", "TWO", "--json"]).await;
    let message: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let id = message["id"].to_string();
    let shown = text(&atelier(&installation, &["dead", "messages", "show", &id]).await.stdout);
    assert!(shown.contains("header from: a   stranger") && shown.ends_with("its 3 bytes:\ntwo\n"), "{shown}");
    assert_eq!(atelier(&installation, &["dead", "messages", "show", &id, "--raw"]).await.stdout, b"two");

    let nothing = atelier(&installation, &["dead", "messages", "purge"]).await;
    assert!(!nothing.status.success() && text(&nothing.stderr).contains("--all"), "{nothing:?}");
    let purged = atelier(&installation, &["dead", "messages", "purge", &id, "--json"]).await;
    assert_eq!(text(&purged.stdout), format!("{{\"messages\":[{id}]}}\n"));
    let again = atelier(&installation, &["dead", "messages", "purge", &id]).await;
    assert!(!again.status.success(), "{again:?}");
    let purged = atelier(&installation, &["dead", "messages", "purge", "--consumer", "thumbnails"]).await;
    assert_eq!(text(&purged.stdout), "purged 2 messages\n");
    let unknown = atelier(&installation, &["dead", "messages", "show", &id]).await;
    assert!(text(&unknown.stderr).contains(&format!("there is no message {id}")), "{unknown:?}");
    let unknown = atelier(&installation, &["dead", "messages", "--consumer", "paint"]).await;
    assert!(text(&unknown.stderr).contains("generate, thumbnails"), "{unknown:?}");
}
