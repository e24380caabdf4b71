//! A job: the sidecar of an artwork, written beside its originals whenever a variant is complete, or given up.

use atelier_events::blobs::Blobs;
use atelier_events::{BlobError, Consumer, Log, Recorded, VariantId, keys};
use atelier_runtime::{Attempt, Job, Outcome};
use bytes::Bytes;

use crate::folded::FoldedArtwork;
use crate::found;
use crate::metadata::Sidecar;

/// Writes sidecars.
pub struct Sidecars {
    log: Log,
    blobs: Blobs,
}

impl Sidecars {
    /// For the artworks of this log, into this bucket.
    #[must_use]
    pub fn new(log: Log, blobs: Blobs) -> Self {
        Self { log, blobs }
    }
}

impl Sidecars {
    /// A variant of which, while an artwork is being restored, nothing tells but the sidecar that is there. When the log has
    /// been told of it, there is a job again.
    async fn only_in_the_bucket(
        &self,
        key: &str,
        events: &[Recorded],
        sidecar: &Sidecar,
    ) -> anyhow::Result<Option<VariantId>> {
        if events.iter().all(|event| event.event_type != "variant.restored") {
            return Ok(None);
        }
        let there = match found::read(&self.blobs, key).await {
            Ok(Ok(there)) => there,
            // What is damaged is written again.
            Ok(Err(_)) => return Ok(None),
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_known = |id| sidecar.variants.iter().any(|variant| variant.id == id);
        Ok(there.variants.iter().map(|variant| variant.id).find(|id| !is_known(*id)))
    }
}

fn is_absent(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(BlobError::NotFound { .. }))
}

impl Job for Sidecars {
    const CONSUMER: Consumer = Consumer::Sidecars;

    async fn run(&self, attempt: &Attempt) -> anyhow::Result<Outcome> {
        let stream = &attempt.event.stream;
        let mut events = self.log.read_stream(stream).await?;
        loop {
            let folded = FoldedArtwork::of(&events)?;
            let Some(sidecar) = folded.as_ref().and_then(Sidecar::of) else {
                // A variant was given up before another was complete: nothing is shown of the artwork.
                return Ok(Outcome::Completed(Vec::new()));
            };
            let key = keys::sidecar(&sidecar.owner, sidecar.id);
            if let Some(variant) = self.only_in_the_bucket(&key, &events, &sidecar).await? {
                tracing::warn!(
                    artwork = %sidecar.id,
                    %variant,
                    "the sidecar is left as it is: it tells of a variant that the log has not got. A restoration was not \
                     finished; repeat `atelier restore`"
                );
                return Ok(Outcome::Completed(Vec::new()));
            }
            let json = serde_json::to_vec_pretty(&sidecar)?;
            self.blobs.put_mutable(&key, Bytes::from(json), "application/json").await?;
            // Two variants that end together make two jobs, and the one that read first may write last. Whoever writes
            // last looks last, so what stays in the bucket is the newest.
            let since = self.log.read_stream(stream).await?;
            if since.len() == events.len() {
                return Ok(Outcome::Completed(Vec::new()));
            }
            events = since;
        }
    }
}
