//! The job, over a real log and a real bucket: all renditions or none, and a reason.

use std::collections::BTreeSet;
use std::time::Duration;

use atelier_e2e::{Direction, Proxy, until};
use atelier_events::settings::StoreSettings;
use atelier_events::{Blobs, Event, VariantEvent, keys};
use atelier_runtime::{Job as _, Outcome};
use atelier_thumbnails::settings::{RenderSettings, Settings};
use bytes::Bytes;

use crate::bombs;
use crate::deaths::script;
use crate::fixtures::{jpeg, png, scene};
use crate::stage::{Stage, attempt, rendered};

async fn refusal(stage: &Stage, filename: &str, bytes: &[u8]) -> anyhow::Result<String> {
    let outcome = stage.run(&stage.uploaded(filename, bytes).await?).await?;
    let Outcome::Discarded(reason) = outcome else { anyhow::bail!("{filename} is not refused: {outcome:?}") };
    assert_eq!(stage.shown().await?, BTreeSet::new(), "{filename} leaves nothing to be seen");
    Ok(reason)
}

#[tokio::test]
async fn what_is_hostile_is_refused_for_good_with_its_reason() -> anyhow::Result<()> {
    let stage = Stage::begin().await?;
    let text = refusal(&stage, "holiday.png", b"no picture at all").await?;
    assert_eq!(text, "this is text, not a JPEG, PNG, WebP or GIF picture");
    let bomb = refusal(&stage, "bomb.png", &bombs::grey_png(60_000_000, 1, 8)).await?;
    assert!(bomb.contains("60000000 x 1"), "{bomb}");

    let render = RenderSettings { max_memory_bytes: 64 << 20, ..RenderSettings::default() };
    let event = stage.uploaded("large.png", &png(image::RgbImage::new(6000, 6000))).await?;
    let outcome = stage.job(&stage.bucket.blobs, render).run(&attempt(&event)).await?;
    assert!(matches!(&outcome, Outcome::Discarded(why) if why.contains("memory")), "{outcome:?}");
    Ok(())
}

#[tokio::test]
async fn a_wrong_extension_is_no_fault() -> anyhow::Result<()> {
    let stage = Stage::begin().await?;
    let set = rendered(stage.run(&stage.uploaded("really-a-png.jpg", &png(scene(64, 48))).await?).await?)?;
    assert_eq!(set.original.media_type, "image/png");
    assert_eq!(set.original.key.rsplit_once('.').map(|(_, extension)| extension), Some("png"));
    Ok(())
}

#[tokio::test]
async fn a_set_that_was_broken_off_is_invisible_and_becomes_whole() -> anyhow::Result<()> {
    let stage = Stage::begin().await?;
    let event = stage.uploaded("photo.jpg", &jpeg(&scene(800, 600))).await?;
    let (proxy, endpoint) = Proxy::before(&stage.bucket.settings.endpoint).await?;
    let slow = Blobs::connect(&StoreSettings { endpoint, ..stage.bucket.settings.clone() });
    let job = stage.job(&slow, RenderSettings::default());
    let (head, attempt) = (stage.log.head().await?, attempt(&event));
    tokio::select! {
        outcome = job.run(&attempt) => anyhow::bail!("it was not broken off: {outcome:?}"),
        broken = async {
            // Answers come late, so the attempt is still waiting for them when the first file is there.
            until("the picture is fetched", || async { Ok(proxy.carried(Direction::ToClient) > 1 << 14) }).await?;
            proxy.delay(Direction::ToClient, Duration::from_secs(5));
            until("a file is there", || async { Ok(!stage.shown().await?.is_empty()) }).await
        } => broken?,
    }
    drop(job);
    assert!(!stage.shown().await?.is_empty(), "some of it lies in the bucket");
    assert_eq!(stage.log.head().await?, head, "and nothing says so");

    let set = rendered(stage.run(&event).await?)?;
    let mut named: BTreeSet<String> = set.renditions.iter().map(|rendition| rendition.blob.key.clone()).collect();
    named.extend(named.first().and_then(|key| keys::manifest_of(key)));
    assert_eq!(stage.shown().await?, named, "the whole set is there, and nothing else");
    Ok(())
}

#[tokio::test]
async fn an_upload_that_is_written_again_while_it_is_cut_does_not_become_the_original() -> anyhow::Result<()> {
    let stage = Stage::begin().await?;
    let (first, second) = (jpeg(&scene(800, 600)), jpeg(&scene(640, 480)));
    let event = stage.uploaded("photo.jpg", &first).await?;
    let folder = tempfile::tempdir()?;
    // A worker that says that it is there, which is when the upload has been read, and waits to be told.
    let [here, go] = ["here", "go"].map(|name| folder.path().join(name));
    let wait = format!(": >{}; until [ -e {} ]; do /bin/sleep 0.02; done; exec", here.display(), go.display());
    let job = stage.job_of(&script(folder.path(), &wait)?, &stage.bucket.blobs, Settings::default());
    let attempt = attempt(&event);
    let replace = async {
        let Event::Variant(VariantEvent::Uploaded(uploaded)) = event.event()? else { anyhow::bail!("no upload") };
        until("a worker waits", || async { Ok(here.exists()) }).await?;
        stage.bucket.blobs.put(&uploaded.upload_key, Bytes::from(second), "image/jpeg").await?;
        Ok(std::fs::write(&go, "")?)
    };
    let (outcome, replaced) = tokio::join!(job.run(&attempt), replace);
    replaced?;
    let set = rendered(outcome?)?;
    assert_eq!((set.width, set.original.length), (800, first.len() as u64));
    let kept = stage.bucket.blobs.digest(&set.original.key).await?;
    assert_eq!(kept, Some((set.original.sha256, set.original.length)));
    Ok(())
}

#[tokio::test]
async fn only_renditions_are_shown_and_the_original_lies_apart() -> anyhow::Result<()> {
    let stage = Stage::begin().await?;
    let original = jpeg(&scene(800, 600));
    let set = rendered(stage.run(&stage.uploaded("photo.jpg", &original).await?).await?)?;
    assert!(set.original.key.starts_with("originals/"), "{}", set.original.key);
    for key in stage.shown().await? {
        let bytes = stage.bucket.blobs.get(&key, 1 << 24).await?;
        assert_ne!(&bytes[..], &original[..], "{key} is the original");
    }
    Ok(())
}
