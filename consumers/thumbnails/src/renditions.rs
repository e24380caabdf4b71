//! The job: an original becomes renditions in the bucket, all of them or none.

use anyhow::Context as _;
use atelier_events::blobs::sha256;
use atelier_events::keys::RenditionSet;
use atelier_events::log::Write;
use atelier_events::variant::Rendered;
use atelier_events::{
    Artwork, Blob, BlobError, Blobs, Consumer, Event, Log, Recorded, Variant, VariantEvent, VariantId, VariantState,
    keys,
};
use atelier_runtime::{Attempt, Job, Outcome};
use bytes::Bytes;

use crate::sets;
use crate::settings::Settings;
use crate::workers::{Done, Task, Workers};

/// Who the log says did it.
const ACTOR: &str = Consumer::Thumbnails.daemon();

/// Cuts the renditions of originals.
pub struct Renditions {
    log: Log,
    blobs: Blobs,
    settings: Settings,
    workers: Workers,
}

/// Where the original of a variant is.
enum Original {
    /// The owner put it there; its content is not known yet.
    Uploaded(String),
    /// At its immutable key.
    Kept(Blob),
}

/// An original as it was read.
struct Read {
    bytes: Bytes,
    /// The store's tag of it.
    etag: Option<String>,
}

impl Renditions {
    /// A job that writes to this log and bucket, and cuts in these workers.
    #[must_use]
    pub fn new(log: Log, blobs: Blobs, settings: Settings, workers: Workers) -> Self {
        Self { log, blobs, settings, workers }
    }

    async fn render(&self, attempt: &Attempt, event: &VariantEvent) -> anyhow::Result<Outcome> {
        let cause = &attempt.event;
        let events = self.log.read_stream(&cause.stream).await?;
        let artwork = Artwork::of(&events)?.context("the artwork is not in the log")?;
        let variant = artwork.variant(event.variant_id());
        let complete = variant.is_some_and(|variant| variant.state == VariantState::Completed);
        let original = match event {
            // Cut already: what came twice is no reason to cut it again.
            VariantEvent::Uploaded(_) | VariantEvent::Generated(_) if complete => {
                return Ok(Outcome::Completed(Vec::new()));
            }
            VariantEvent::Uploaded(uploaded) => Some(Original::Uploaded(uploaded.upload_key.clone())),
            VariantEvent::Generated(generated) => Some(Original::Kept(generated.original.clone())),
            VariantEvent::RecutRequested(_) => variant.and_then(|variant| original_of(variant, &events)),
            VariantEvent::Requested(_)
            | VariantEvent::Started(_)
            | VariantEvent::Rendered(_)
            | VariantEvent::Restored(_)
            | VariantEvent::Failed(_) => None,
        };
        let Some(original) = original else {
            return Ok(Outcome::Discarded(format!("{} has no original", cause.event_type)));
        };
        let present = variant.and_then(|variant| variant.rendered.as_ref());
        // Nobody has cut an original that is new.
        let may_be_there = !attempt.is_first || matches!(event, VariantEvent::RecutRequested(_));
        match self.set(&artwork, event.variant_id(), original, present, may_be_there).await? {
            Ok(rendered) if present == Some(&rendered) => Ok(Outcome::Completed(Vec::new())),
            Ok(rendered) => {
                let rendered = Event::Variant(VariantEvent::Rendered(rendered));
                Ok(Outcome::Completed(vec![Write::answer(cause, ACTOR, rendered)]))
            }
            Err(refused) => Ok(Outcome::Discarded(refused)),
        }
    }

    /// The set by the recipe of today: found where it is there, and cut otherwise. Or why it can never be.
    async fn set(
        &self,
        artwork: &Artwork,
        variant: VariantId,
        original: Original,
        present: Option<&Rendered>,
        may_be_there: bool,
    ) -> anyhow::Result<Result<Rendered, String>> {
        let recipe = self.settings.recipe_hash(&artwork.owner);
        let set = RenditionSet { owner: &artwork.owner, variant, original: "", recipe: &recipe };
        let (Original::Uploaded(key) | Original::Kept(Blob { key, .. })) = &original;
        if may_be_there
            && let Original::Kept(blob) = &original
            && let Some(found) =
                sets::find(&self.blobs, &RenditionSet { original: &blob.sha256, ..set }, present).await?
        {
            return Ok(Ok(found));
        }
        let read = match self.read(key).await {
            Ok(read) => read,
            Err(gone @ (BlobError::NotFound { .. } | BlobError::TooLarge { .. })) => return Ok(Err(gone.to_string())),
            Err(error) => return Err(error.into()),
        };
        let digest = sha256(&read.bytes);
        let set = RenditionSet { original: &digest, ..set };
        // Only now it is known what was uploaded.
        if may_be_there
            && let Original::Uploaded(_) = &original
            && let Some(found) = sets::find(&self.blobs, &set, present).await?
        {
            return Ok(Ok(found));
        }
        self.cut(artwork, &set, original, read).await
    }

    async fn read(&self, key: &str) -> Result<Read, BlobError> {
        let download = self.blobs.stream(key).await?;
        let etag = download.etag().map(str::to_owned);
        Ok(Read { bytes: download.whole(self.settings.thumbnails.limits.max_bytes).await?, etag })
    }

    async fn cut(
        &self,
        artwork: &Artwork,
        set: &RenditionSet<'_>,
        original: Original,
        read: Read,
    ) -> anyhow::Result<Result<Rendered, String>> {
        let caption = self.settings.watermark.caption(&artwork.owner, &artwork.details);
        let task = Task { policy: self.settings.thumbnails.clone(), caption };
        let Done { outcome, cost } = self.workers.render(&read.bytes, &task).await?;
        tracing::debug!(render.cpu_ms = cost.cpu.as_millis(), render.peak_bytes = cost.peak_bytes, "rendered");
        let cut = match outcome {
            Ok(cut) => cut,
            Err(refused) => return Ok(Err(refused.to_string())),
        };
        let media_type = cut.source.media_type.clone().into_owned();
        let original = async {
            match original {
                Original::Kept(blob) => Ok(blob),
                Original::Uploaded(key) => self.keep(artwork, set, &key, read, media_type).await,
            }
        };
        Ok(Ok(sets::put(&self.blobs, set, cut, original).await?))
    }

    /// Brings an upload to an immutable key: its own can be written again while its URL lasts. The store copies it, if it
    /// is still what was read; otherwise it is sent there.
    async fn keep(
        &self,
        artwork: &Artwork,
        set: &RenditionSet<'_>,
        uploaded: &str,
        read: Read,
        media_type: String,
    ) -> anyhow::Result<Blob> {
        let key = keys::original(&artwork.owner, set.variant, keys::extension(&media_type));
        let copied = match &read.etag {
            Some(etag) => self.blobs.copy(uploaded, etag, &key, &media_type).await.unwrap_or_else(|error| {
                tracing::debug!(error = &error as &dyn std::error::Error, "the store copies no upload; sending it");
                false
            }),
            None => false,
        };
        let sha256 = set.original.to_owned();
        if copied {
            return Ok(Blob { key, sha256, media_type, length: read.bytes.len() as u64 });
        }
        Ok(self.blobs.put_hashed(&key, read.bytes, sha256, &media_type).await?)
    }
}

/// Of a variant that was complete, its original; of one that was refused, what its owner put there.
fn original_of(variant: &Variant, events: &[Recorded]) -> Option<Original> {
    if let Some(original) = &variant.original {
        return Some(Original::Kept(original.clone()));
    }
    events.iter().rev().find_map(|recorded| match recorded.event() {
        Ok(Event::Variant(VariantEvent::Uploaded(uploaded))) if uploaded.variant_id == variant.id => {
            Some(Original::Uploaded(uploaded.upload_key))
        }
        _ => None,
    })
}

impl Job for Renditions {
    const CONSUMER: Consumer = Consumer::Thumbnails;

    async fn run(&self, attempt: &Attempt) -> anyhow::Result<Outcome> {
        match attempt.event.event()? {
            Event::Variant(event) => self.render(attempt, &event).await,
            other => Ok(Outcome::Discarded(format!("{} has no original", other.type_name()))),
        }
    }
}
