//! The job, over a real log and a real bucket: all renditions or none, and a reason.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use atelier_e2e::{Bucket, Database, Direction, Proxy, until};
use atelier_events::log::Write;
use atelier_events::settings::StoreSettings;
use atelier_events::variant::{Rendered, Uploaded};
use atelier_events::{
    Append, ArtworkEvent, ArtworkId, Blobs, Context, Event, ExpectedVersion, Log, NewEvent, Position, Priority,
    Recorded, Stream, VariantEvent, VariantId, artwork,
};
use atelier_runtime::{Attempt, Job, Outcome};
use atelier_thumbnails::renditions::Renditions;
use atelier_thumbnails::settings::{RenderSettings, Settings};
use atelier_thumbnails::workers::Workers;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::bombs;
use crate::fixtures::{jpeg, png, scene};

struct Stage {
    _database: Database,
    log: Log,
    bucket: Bucket,
}

impl Stage {
    async fn begin() -> anyhow::Result<Self> {
        let (database, bucket) = (Database::create().await?, Bucket::create().await?);
        Ok(Self { log: database.log(), _database: database, bucket })
    }

    /// An artwork whose upload has these bytes under this name; its `variant.uploaded`.
    async fn uploaded(&self, filename: &str, bytes: &[u8]) -> anyhow::Result<Recorded> {
        let (artwork_id, variant_id) = (ArtworkId::new(), VariantId::new());
        let upload_key = format!("uploads/{}/{filename}", artwork_id.0);
        self.bucket.blobs.put(&upload_key, Bytes::copy_from_slice(bytes), "application/octet-stream").await?;
        let details = serde_json::from_value(serde_json::json!({ "title": "Harbour", "artist": "Ada" }))?;
        let created = artwork::Created { artwork_id, owner: "ann".to_owned(), details };
        let uploaded = Uploaded {
            artwork_id,
            variant_id,
            upload_key,
            filename: filename.to_owned(),
            length: bytes.len() as u64,
            priority: Priority::default(),
        };
        let context = Context::command("test");
        let events = [Event::Artwork(ArtworkEvent::Created(created)), Event::Variant(VariantEvent::Uploaded(uploaded))];
        let events = events.into_iter().map(|event| NewEvent::new(event, &context)).collect();
        let write = Write { stream: Stream::artwork(artwork_id), expected: ExpectedVersion::NoStream, events };
        let Position(last) = self.log.append(Append { key: None, writes: vec![write] }).await?.position();
        self.log.read(Position(last - 1), 1).await?.into_iter().next().context("the event is not in the log")
    }

    fn job(&self, blobs: &Blobs, render: RenderSettings) -> Renditions {
        let workers = Workers::of(env!("CARGO_BIN_EXE_atelier-thumbnails").as_ref(), render);
        Renditions::new(self.log.clone(), blobs.clone(), Settings::default(), workers)
    }

    async fn run(&self, event: &Recorded) -> anyhow::Result<Outcome> {
        self.job(&self.bucket.blobs, RenderSettings::default()).run(&attempt(event)).await
    }

    /// Every key below the folders of what is shown.
    async fn shown(&self) -> anyhow::Result<BTreeSet<String>> {
        let page = self.bucket.blobs.page("", None).await?;
        let keys = page.entries.into_iter().map(|entry| entry.key);
        Ok(keys.filter(|key| !key.starts_with("uploads/") && !key.starts_with("originals/")).collect())
    }
}

fn attempt(event: &Recorded) -> Attempt {
    Attempt { event: event.clone(), number: 1, cancelled: CancellationToken::new() }
}

fn rendered(outcome: Outcome) -> anyhow::Result<Rendered> {
    let Outcome::Completed(writes) = outcome else { anyhow::bail!("it did not complete: {outcome:?}") };
    let event = writes.into_iter().flat_map(|write| write.events).next().context("no event")?;
    match event.event {
        Event::Variant(VariantEvent::Rendered(rendered)) => Ok(rendered),
        other => anyhow::bail!("{} is not the event of a set", other.type_name()),
    }
}

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
    let named: BTreeSet<String> = set.renditions.iter().map(|rendition| rendition.blob.key.clone()).collect();
    assert_eq!(stage.shown().await?, named, "the whole set is there, and nothing else");
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
