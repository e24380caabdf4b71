//! Bytes go past the API.

use anyhow::{Context as _, ensure};
use atelier_e2e::Database;
use atelier_events::settings::BusSettings;
use atelier_events::{Event, Stream, VariantEvent, blobs};

use crate::commands::upload;
use crate::harness::{Processes, with_processes};
use crate::{history, pictures};

/// Three bytes for each pixel of this side are 50.3 MB.
const SIDE: u32 = 4_096;

/// What the API process may grow by, in kB.
const GROWTH: u64 = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_50_mb_never_passes_through_the_api_process() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let bytes = pictures::incompressible(SIDE)?;
    ensure!(bytes.len() > 50_000_000, "{} bytes", bytes.len());
    with_processes(&database.url, BusSettings::default(), &[], async |processes| {
        let Processes { client, daemons, connections, api_url, .. } = processes;
        let log = &connections.log;
        // Everything that a first request allocates is there before it is measured.
        upload(client, "small.png", "image/png", &pictures::small(1, 200, image::ImageFormat::Png)?).await?;
        history::at_rest(log, 1).await?;
        let producer = daemons.pid("atelier-producer").context("the producer runs")?;
        let before = peak_memory(producer)?;
        let slot = client.begin_upload("large.png", "image/png", u64::try_from(bytes.len())?, None).await?;
        ensure!(!slot.url.starts_with(api_url.as_str()), "the bytes are to be put at the API: {}", slot.url);
        let artwork = upload(client, "large.png", "image/png", &bytes).await?;
        history::at_rest(log, 2).await?;
        let after = peak_memory(producer)?;
        ensure!(after < before + GROWTH, "the API process grew from {before} to {after} kB");

        for event in log.read_stream(&Stream::artwork(artwork)).await? {
            match event.event()? {
                Event::Variant(VariantEvent::Failed(failed)) => anyhow::bail!("it failed: {}", failed.error),
                Event::Variant(VariantEvent::Rendered(rendered)) => {
                    let stored = connections.blobs.get(&rendered.original.key, u64::MAX).await?;
                    ensure!(stored == bytes, "the bucket has {} bytes of {}", stored.len(), bytes.len());
                    ensure!(rendered.original.sha256 == blobs::sha256(&bytes), "the log has another digest");
                    return Ok(());
                }
                _ => {}
            }
        }
        anyhow::bail!("it was not rendered")
    })
    .await
}

/// The most memory that a process has had, in kB.
fn peak_memory(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the system tells VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
