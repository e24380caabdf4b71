//! The binary, as an operator uses it.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use atelier_events::gallery_metadata::GalleryMetadata;
use atelier_events::keys;
use atelier_index::digests;

use crate::story::{Story, by_chance, titled};
use atelier_e2e::Bucket;

pub(crate) fn atelier_index(story: &Story, bucket: &Bucket, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atelier-index"));
    command
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .env("ATELIER__DATABASE__URL", &story.database.url)
        .env("ATELIER__STORE__ENDPOINT", &bucket.settings.endpoint)
        .env("ATELIER__STORE__BUCKET", &bucket.settings.bucket)
        .env("ATELIER__STORE__ACCESS_KEY_ID", &bucket.settings.access_key_id)
        .env("ATELIER__STORE__SECRET_ACCESS_KEY", &bucket.settings.secret_access_key)
        .env("ATELIER__INDEX__GALLERY_INTERVAL_MS", "10");
    command
}

pub(crate) async fn output(mut command: Command) -> anyhow::Result<Output> {
    Ok(tokio::task::spawn_blocking(move || command.output()).await??)
}

#[tokio::test]
async fn replay_says_how_far_it_is_and_what_came_of_it() -> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    by_chance(&story, 21, 60).await?;
    story.read_model().await?;
    let live = digests(story.pool(), "read").await?;
    sqlx::query("delete from read.renditions").execute(story.pool()).await?;

    let output = output(atelier_index(&story, &bucket, &["replay", "--json"])).await?;
    let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    assert!(output.status.success(), "{stderr}");
    let replayed: serde_json::Value = serde_json::from_str(&stdout)?;
    let head = story.log.head().await?;
    assert_eq!(replayed["position"], head.0);
    assert!(stderr.contains(&format!("replayed {head}/{head} events")), "{stderr}");
    assert_eq!(digests(story.pool(), "read").await?, live);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_applies_the_log_writes_the_list_and_ends_with_0_on_sigterm() -> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    let (artwork, _) = story.complete(titled("Harbour")).await?;
    atelier_events::jobs::enlist(story.pool(), atelier_events::Position(0), story.log.head().await?).await?;
    let mut daemon = atelier_index(&story, &bucket, &[]).stderr(Stdio::null()).spawn()?;
    let written = atelier_e2e::until("list and sidecar are there", async || {
        let list = bucket.blobs.get(keys::GALLERY_METADATA, 1 << 20).await;
        let sidecar = bucket.blobs.head(&keys::sidecar(crate::story::OWNER, artwork)).await?;
        Ok(list.is_ok_and(|list| String::from_utf8_lossy(&list).contains("Harbour")) && sidecar.is_some())
    });
    let written = written.await;
    let pid = daemon.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status()?;
    let status = tokio::task::spawn_blocking(move || daemon.wait()).await??;
    written?;
    assert!(status.success(), "{status}");

    bucket.blobs.delete(keys::GALLERY_METADATA).await?;
    let output = output(atelier_index(&story, &bucket, &["gallery", "--rebuild"])).await?;
    assert_eq!(String::from_utf8(output.stdout)?.trim(), r#"{"artworks":1,"unreadable":[]}"#);
    let list: GalleryMetadata = serde_json::from_slice(&bucket.blobs.get(keys::GALLERY_METADATA, 1 << 20).await?)?;
    assert_eq!(list.artworks[0].id, artwork);
    Ok(())
}

/// Nobody listens where its database should be, and it would wait for a minute.
#[tokio::test]
async fn the_daemon_ends_with_0_on_sigterm_while_it_waits_for_its_database() -> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    let mut command = atelier_index(&story, &bucket, &[]);
    let url = "postgres://nobody@127.0.0.1:1/nothing";
    let mut daemon = command.env("ATELIER__DATABASE__URL", url).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let pid = daemon.id().to_string();
    let heeds = atelier_e2e::until("it catches SIGTERM", async || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or_default().trim();
        Ok(u64::from_str_radix(caught, 16)? & 1 << 14 != 0)
    });
    let heeds = heeds.await;
    Command::new("kill").args(["-TERM", &pid]).status()?;
    let told = Instant::now();
    let status = tokio::task::spawn_blocking(move || daemon.wait()).await??;
    heeds?;
    assert!(status.success(), "{status}");
    assert!(told.elapsed() < Duration::from_secs(30), "after {:?}", told.elapsed());
    Ok(())
}
