//! The job: an original becomes renditions in the bucket, all of them or none.

use anyhow::Context as _;
use atelier_events::log::Write;
use atelier_events::variant::Rendered;
use atelier_events::{
    Artwork, Blob, BlobError, Blobs, Consumer, Event, Log, Recorded, Rendition, VariantEvent, VariantState, keys,
};
use atelier_runtime::{Attempt, Job, Outcome};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::settings::Settings;
use crate::workers::{Done, Task, Workers};

/// Who the log says did it.
const ACTOR: &str = Consumer::Thumbnails.daemon();
/// Renditions of one variant that are put at the same time.
const PUTS: usize = 4;

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
    /// A provider made it.
    Generated(Blob),
}

impl Renditions {
    /// A job that writes to this log and bucket, and cuts in these workers.
    #[must_use]
    pub fn new(log: Log, blobs: Blobs, settings: Settings, workers: Workers) -> Self {
        Self { log, blobs, settings, workers }
    }

    async fn render(&self, cause: &Recorded, event: &VariantEvent, original: Original) -> anyhow::Result<Outcome> {
        let artwork =
            Artwork::of(&self.log.read_stream(&cause.stream).await?)?.context("the artwork is not in the log")?;
        let variant_id = event.variant_id();
        if artwork.variant(variant_id).is_some_and(|variant| variant.state == VariantState::Completed) {
            return Ok(Outcome::Completed(Vec::new()));
        }
        let key = match &original {
            Original::Uploaded(key) => key,
            Original::Generated(blob) => &blob.key,
        };
        let bytes = match self.blobs.get(key, self.settings.thumbnails.limits.max_bytes).await {
            Ok(bytes) => bytes,
            Err(gone @ (BlobError::NotFound { .. } | BlobError::TooLarge { .. })) => {
                return Ok(Outcome::Discarded(gone.to_string()));
            }
            Err(error) => return Err(error.into()),
        };
        let caption = self.settings.watermark.caption(&artwork.owner, &artwork.details);
        let task = Task { policy: self.settings.thumbnails.clone(), caption };
        let Done { outcome, cost } = self.workers.render(&bytes, &task).await?;
        tracing::debug!(render.cpu_ms = cost.cpu.as_millis(), render.peak_bytes = cost.peak_bytes, "rendered");
        let set = match outcome {
            Ok(set) => set,
            Err(refused) => return Ok(Outcome::Discarded(refused.to_string())),
        };
        let original = match original {
            Original::Generated(blob) => blob,
            // An upload's key can be written again while its URL lasts; the original's cannot.
            Original::Uploaded(_) => {
                let media_type = &*set.source.media_type;
                let key = keys::original(&artwork.owner, variant_id, keys::extension(media_type));
                self.blobs.put(&key, bytes, media_type).await?
            }
        };
        let puts = set.renditions.into_iter().map(|picture| {
            let key = keys::rendition(&artwork.owner, variant_id, picture.kind);
            async move {
                let blob = self.blobs.put(&key, Bytes::from(picture.bytes), &picture.media_type).await?;
                anyhow::Ok(Rendition { kind: picture.kind, blob, width: picture.width, height: picture.height })
            }
        });
        let renditions: Vec<Rendition> = stream::iter(puts).buffered(PUTS).try_collect().await?;
        let rendered = Rendered {
            variant_id,
            original,
            width: set.source.width,
            height: set.source.height,
            renditions,
            look: set.look,
            palette: set.palette,
            placeholder: set.placeholder,
        };
        Ok(Outcome::Completed(vec![Write::answer(cause, ACTOR, Event::Variant(VariantEvent::Rendered(rendered)))]))
    }
}

impl Job for Renditions {
    const CONSUMER: Consumer = Consumer::Thumbnails;

    async fn run(&self, attempt: &Attempt) -> anyhow::Result<Outcome> {
        let event = match attempt.event.event()? {
            Event::Variant(event) => event,
            other => return Ok(Outcome::Discarded(format!("{} has no original", other.type_name()))),
        };
        let original = match &event {
            VariantEvent::Uploaded(uploaded) => Original::Uploaded(uploaded.upload_key.clone()),
            VariantEvent::Generated(generated) => Original::Generated(generated.original.clone()),
            VariantEvent::Requested(_)
            | VariantEvent::Started(_)
            | VariantEvent::Rendered(_)
            | VariantEvent::Failed(_) => {
                return Ok(Outcome::Discarded(format!("{} has no original", attempt.event.event_type)));
            }
        };
        self.render(&attempt.event, &event, original).await
    }
}
