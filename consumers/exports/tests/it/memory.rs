//! An export needs the same memory whatever it packs: measured on the daemon itself, in a process of its own.

use std::process::{Child, Command, Stdio};

use atelier_events::export::{Export, Selection};
use atelier_events::{Position, Stream, jobs, keys};
use bytes::Bytes;

use crate::story::{OWNER, Story};

/// A single original of this length, in bytes.
const ORIGINAL: u64 = 96 << 20;
/// What packing it may take: three parts of the upload, what is fetched ahead, and what the allocator keeps of it.
const PACKING: u64 = 40 << 20;

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Daemon {
    fn start(story: &Story) -> anyhow::Result<Self> {
        let bucket = &story.bucket.settings;
        let child = Command::new(env!("CARGO_BIN_EXE_atelier-exports"))
            .current_dir(std::env::temp_dir())
            .env("ATELIER__DATABASE__URL", &story.database.url)
            .env("ATELIER__STORE__ENDPOINT", &bucket.endpoint)
            .env("ATELIER__STORE__BUCKET", &bucket.bucket)
            .env("ATELIER__STORE__ACCESS_KEY_ID", &bucket.access_key_id)
            .env("ATELIER__STORE__SECRET_ACCESS_KEY", &bucket.secret_access_key)
            .env("ATELIER__CONSUMER__POLL_INTERVAL_MS", "20")
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }

    /// The most memory it has had so far, in bytes.
    fn peak(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kilobytes: u64 = kilobytes.ok_or_else(|| anyhow::anyhow!("no VmHWM in {status}"))?.parse()?;
        Ok(kilobytes << 10)
    }
}

async fn export(story: &Story, after: Position) -> anyhow::Result<Position> {
    let event = story.request(Selection::All(story.log.head().await?)).await?;
    jobs::enlist(story.log.pool(), after, event.position).await?;
    let stream: &Stream = &event.stream;
    atelier_e2e::until("the export has ended", async || {
        let events = story.log.read_stream(stream).await?;
        let export = events.iter().try_fold(None, Export::fold)?;
        Ok(matches!(export, Some(Export::Completed(_))))
    })
    .await?;
    Ok(event.position)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_original_of_96_mb_is_never_in_memory_and_sigterm_ends_with_0() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    story.complete("Small", b"small").await?;
    let mut daemon = Daemon::start(&story)?;
    // With everything loaded and connected that an export needs.
    let done = export(&story, Position(0)).await?;
    let before = daemon.peak()?;

    let begun = story.begun("Large").await?;
    let mut upload = story.bucket.blobs.upload(&keys::original(OWNER, begun.1, "png"), "image/png")?;
    let piece = Bytes::from(vec![7_u8; 1 << 20]);
    for _ in 0..ORIGINAL >> 20 {
        upload.write(piece.clone()).await?;
    }
    story.finish(begun, upload.finish().await?).await?;
    export(&story, done).await?;
    let grown = daemon.peak()? - before;
    assert!(grown < PACKING, "packing {ORIGINAL} bytes took {grown} bytes more");

    Command::new("kill").args(["-TERM", &daemon.0.id().to_string()]).status()?;
    let status = tokio::task::spawn_blocking(move || daemon.0.wait()).await??;
    assert!(status.success(), "{status}");
    Ok(())
}
