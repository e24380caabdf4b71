//! A job: the sidecar of an artwork, written beside its originals whenever a variant is complete, or given up.

use atelier_events::blobs::Blobs;
use atelier_events::{Consumer, Log, keys};
use atelier_runtime::{Attempt, Job, Outcome};
use bytes::Bytes;

use crate::folded::FoldedArtwork;
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
