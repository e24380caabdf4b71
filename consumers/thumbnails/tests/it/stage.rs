//! A log, a bucket and the job of a test's own.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use atelier_e2e::{Bucket, Database};
use atelier_events::given_up::given_up;
use atelier_events::log::Write;
use atelier_events::variant::{RecutRequested, Rendered, Uploaded};
use atelier_events::{
    Append, Artwork, ArtworkEvent, ArtworkId, Blobs, Consumer, Context, Event, ExpectedVersion, Log, NewEvent,
    Position, Priority, Recorded, Stream, Variant, VariantEvent, VariantId, artwork,
};
use atelier_runtime::{Attempt, Job, Outcome};
use atelier_thumbnails::renditions::Renditions;
use atelier_thumbnails::settings::{RenderSettings, Settings};
use atelier_thumbnails::workers::Workers;
use bytes::Bytes;

pub(crate) struct Stage {
    _database: Database,
    pub(crate) log: Log,
    pub(crate) bucket: Bucket,
}

impl Stage {
    pub(crate) async fn begin() -> anyhow::Result<Self> {
        let (database, bucket) = (Database::create().await?, Bucket::create().await?);
        Ok(Self { log: database.log(), _database: database, bucket })
    }

    /// An artwork whose upload has these bytes under this name; its `variant.uploaded`.
    pub(crate) async fn uploaded(&self, filename: &str, bytes: &[u8]) -> anyhow::Result<Recorded> {
        let (artwork_id, variant_id) = (ArtworkId::new(), VariantId::new());
        let upload_key = format!("uploads/{}/{filename}", artwork_id.0);
        self.bucket.blobs.put(&upload_key, Bytes::copy_from_slice(bytes), "application/octet-stream").await?;
        let details = serde_json::from_value(serde_json::json!({ "title": "Harbour", "artist": "Ada" }))?;
        let created = artwork::Created::new(artwork_id, "ann".to_owned(), details);
        let uploaded = Uploaded {
            artwork_id,
            variant_id,
            upload_key,
            filename: filename.to_owned(),
            length: bytes.len() as u64,
            recipe: None,
            lineage: Vec::new(),
            requested_at: None,
            priority: Priority::default(),
        };
        let context = Context::command("test");
        let events = [Event::Artwork(ArtworkEvent::Created(created)), Event::Variant(VariantEvent::Uploaded(uploaded))];
        let events = events.into_iter().map(|event| NewEvent::new(event, &context)).collect();
        let write = Write { stream: Stream::artwork(artwork_id), expected: ExpectedVersion::NoStream, events };
        let Position(last) = self.log.append(Append { key: None, writes: vec![write] }).await?.position();
        self.log.read(Position(last - 1), 1).await?.into_iter().next().context("the event is not in the log")
    }

    pub(crate) fn job(&self, blobs: &Blobs, render: RenderSettings) -> Renditions {
        let settings = Settings { render, ..Settings::default() };
        self.job_of(env!("CARGO_BIN_EXE_atelier-thumbnails").as_ref(), blobs, settings)
    }

    /// The job, with this program as its workers.
    pub(crate) fn job_of(&self, program: &Path, blobs: &Blobs, settings: Settings) -> Renditions {
        let workers = Workers::of(program, settings.render.clone());
        Renditions::new(self.log.clone(), blobs.clone(), settings, workers)
    }

    /// Runs the job with these settings and workers that cut.
    pub(crate) async fn run_with(&self, settings: &Settings, event: &Recorded) -> anyhow::Result<Outcome> {
        let program = env!("CARGO_BIN_EXE_atelier-thumbnails").as_ref();
        self.job_of(program, &self.bucket.blobs, settings.clone()).run(&attempt(event)).await
    }

    /// Runs the job with these settings where no picture can be cut: an error when one is to be.
    pub(crate) async fn run_without_workers(&self, settings: &Settings, event: &Recorded) -> anyhow::Result<Outcome> {
        let nowhere = "/nowhere/atelier".as_ref();
        let again = Attempt { is_first: false, ..attempt(event) };
        self.job_of(nowhere, &self.bucket.blobs, settings.clone()).run(&again).await
    }

    /// Ends the job as the runtime would: what it has to tell goes into the log.
    pub(crate) async fn settle(&self, event: &Recorded, outcome: Outcome) -> anyhow::Result<()> {
        let writes = match outcome {
            Outcome::Completed(writes) => writes,
            Outcome::Discarded(why) => given_up(Consumer::Thumbnails, event, "test", &why),
            other @ Outcome::Snoozed(_) => anyhow::bail!("it has not ended: {other:?}"),
        };
        if !writes.is_empty() {
            self.log.append(Append { key: None, writes }).await?;
        }
        Ok(())
    }

    /// The event that asks for the variant of an upload to be cut again.
    pub(crate) async fn recut_requested(&self, uploaded: &Recorded) -> anyhow::Result<Recorded> {
        let variant_id = self.variant(uploaded).await?.id;
        let asked = RecutRequested { variant_id, priority: Priority::Bulk };
        let event = NewEvent::new(Event::Variant(VariantEvent::RecutRequested(asked)), &Context::command("test"));
        let write = Write { stream: uploaded.stream.clone(), expected: ExpectedVersion::Any, events: vec![event] };
        let Position(at) = self.log.append(Append { key: None, writes: vec![write] }).await?.position();
        self.log.read(Position(at - 1), 1).await?.into_iter().next().context("the event is not in the log")
    }

    /// The variant of an upload, as the log tells it now.
    pub(crate) async fn variant(&self, uploaded: &Recorded) -> anyhow::Result<Variant> {
        let artwork = Artwork::of(&self.log.read_stream(&uploaded.stream).await?)?.context("no artwork")?;
        artwork.variants.into_iter().next().context("no variant")
    }

    pub(crate) async fn run(&self, event: &Recorded) -> anyhow::Result<Outcome> {
        self.job(&self.bucket.blobs, RenderSettings::default()).run(&attempt(event)).await
    }

    /// Every key below the folders of what is shown.
    pub(crate) async fn shown(&self) -> anyhow::Result<BTreeSet<String>> {
        let page = self.bucket.blobs.page("", None).await?;
        let keys = page.entries.into_iter().map(|entry| entry.key);
        Ok(keys.filter(|key| !key.starts_with("uploads/") && !key.starts_with("originals/")).collect())
    }
}

pub(crate) fn attempt(event: &Recorded) -> Attempt {
    Attempt::first(event.clone())
}

pub(crate) fn rendered(outcome: Outcome) -> anyhow::Result<Rendered> {
    let Outcome::Completed(writes) = outcome else { anyhow::bail!("it did not complete: {outcome:?}") };
    let event = writes.into_iter().flat_map(|write| write.events).next().context("no event")?;
    match event.event {
        Event::Variant(VariantEvent::Rendered(rendered)) => Ok(rendered),
        other => anyhow::bail!("{} is not the event of a set", other.type_name()),
    }
}
