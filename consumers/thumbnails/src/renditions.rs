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

use crate::caption::Caption;
use crate::cut::{Cut, cut};
use crate::policy::Policy;
use crate::refused::Refused;

/// Who the log says did it.
const ACTOR: &str = Consumer::Thumbnails.daemon();
/// Renditions of one variant that are put at the same time.
const PUTS: usize = 4;

/// Cuts the renditions of originals.
pub struct Renditions {
    log: Log,
    blobs: Blobs,
    policy: Policy,
}

/// Where the original of a variant is.
enum Original {
    /// The owner put it there; its content is not known yet.
    Uploaded(String),
    /// A provider made it.
    Generated(Blob),
}

impl Renditions {
    /// A job that writes to this log and bucket.
    #[must_use]
    pub fn new(log: Log, blobs: Blobs, policy: Policy) -> Self {
        Self { log, blobs, policy }
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
        let bytes = match self.blobs.get(key, self.policy.limits.max_bytes).await {
            Ok(bytes) => bytes,
            Err(gone @ (BlobError::NotFound { .. } | BlobError::TooLarge { .. })) => {
                return Ok(Outcome::Discarded(gone.to_string()));
            }
            Err(error) => return Err(error.into()),
        };
        let set = match self.cut(bytes.clone(), Caption::of(&artwork.details.title, &artwork.details.artist)).await? {
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

    /// Cutting takes a core for as long as it lasts, so it runs where that blocks nobody.
    async fn cut(&self, bytes: Bytes, caption: Caption) -> anyhow::Result<Result<Cut, Refused>> {
        let policy = self.policy.clone();
        tokio::task::spawn_blocking(move || cut(&bytes, &caption, &policy)).await.context("cutting")
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
