//! How much memory a worker holds at its most, as the system counts it: the process that the daemon has cut, confined and
//! all.

use anyhow::Context as _;
use atelier_thumbnails::settings::RenderSettings;
use atelier_thumbnails::workers::{Task, Workers};

/// The peak of a worker that cuts the picture so many times; none where the system does not tell.
pub(super) async fn peak_mib(original: &[u8], task: &Task, times: u32) -> anyhow::Result<Option<f64>> {
    let workers = Workers::of_this_program(RenderSettings { processes: 1, ..RenderSettings::default() })?;
    let peak = peak_bytes(&workers, original, task, times).await?;
    Ok((peak > 0).then(|| mib(peak)))
}

/// The peaks of one worker, which nothing replaces, after a tenth of so many pictures and after all.
pub(super) async fn growth_mib(original: &[u8], task: &Task, images: u32) -> anyhow::Result<Option<(f64, f64)>> {
    let lasting =
        RenderSettings { processes: 1, max_renders: u32::MAX, max_idle_bytes: u64::MAX, ..RenderSettings::default() };
    let workers = Workers::of_this_program(lasting)?;
    let first = images.div_ceil(10);
    let after_first = peak_bytes(&workers, original, task, first).await?;
    let after_all = peak_bytes(&workers, original, task, images - first).await?.max(after_first);
    Ok((after_first > 0).then(|| (mib(after_first), mib(after_all))))
}

async fn peak_bytes(workers: &Workers, original: &[u8], task: &Task, times: u32) -> anyhow::Result<u64> {
    let mut peak = 0;
    for _ in 0..times {
        let done = workers.render(original, task).await?;
        done.outcome.context("cutting in a worker")?;
        peak = peak.max(done.cost.peak_bytes);
    }
    Ok(peak)
}

#[expect(clippy::cast_precision_loss, reason = "bytes of memory are far below what f64 counts exactly")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
