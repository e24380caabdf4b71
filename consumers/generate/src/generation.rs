//! The job: a requested variant becomes an original in the bucket.

use std::time::Instant;

use anyhow::Context as _;
use atelier_events::log::{Append, Write};
use atelier_events::variant::{Generated, Requested, Started};
use atelier_events::{Artwork, Blobs, Consumer, Event, Log, Stream, VariantEvent, VariantState, keys};
use atelier_runtime::{Attempt, Job, Outcome};
use tracing::Instrument;

use crate::provider::{ProviderError, Providers};

/// Who the log says did it.
const ACTOR: &str = Consumer::Generate.daemon();

/// Makes the pictures of requested variants.
pub struct Generation {
    log: Log,
    blobs: Blobs,
    providers: Providers,
}

impl Generation {
    /// A job that writes to this log and bucket.
    #[must_use]
    pub fn new(log: Log, blobs: Blobs, providers: Providers) -> Self {
        Self { log, blobs, providers }
    }

    async fn make(&self, attempt: &Attempt, requested: &Requested) -> anyhow::Result<Outcome> {
        let stream = Stream::artwork(requested.artwork_id);
        let artwork = Artwork::of(&self.log.read_stream(&stream).await?)?.context("the artwork is not in the log")?;
        if artwork.variant(requested.variant_id).is_some_and(|variant| variant.state == VariantState::Completed) {
            return Ok(Outcome::Completed(Vec::new()));
        }
        let provider = match self.providers.get(&requested.recipe.provider) {
            Ok(provider) => provider,
            Err(unknown) => return Ok(Outcome::Discarded(unknown)),
        };
        // Asked before anything is told or paid for: while there is no bucket this attempt is repeated again and again.
        self.blobs.ready().await?;
        let started = Started { variant_id: requested.variant_id, attempt: attempt.number };
        let started = Write::answer(&attempt.event, ACTOR, Event::Variant(VariantEvent::Started(started)));
        self.log.append(Append { key: None, writes: vec![started] }).await?;
        let began = Instant::now();
        let asking = tracing::debug_span!("provider", otel.kind = "client", provider.name = requested.recipe.provider);
        let made = match provider.make(&requested.recipe).instrument(asking).await {
            Ok(made) => made,
            Err(ProviderError::Refused(why)) => return Ok(Outcome::Discarded(why)),
            Err(ProviderError::Throttled(pause)) => return Ok(Outcome::Snoozed(pause)),
            Err(ProviderError::Failed(error)) => return Err(error),
        };
        let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let key = keys::original(&artwork.owner, requested.variant_id, keys::extension(made.media_type));
        let original = self.blobs.put(&key, made.bytes, made.media_type).await?;
        let generated = Generated {
            variant_id: requested.variant_id,
            original,
            elapsed_ms,
            cost_micros: made.cost_micros,
            priority: requested.priority,
        };
        Ok(Outcome::Completed(vec![Write::answer(
            &attempt.event,
            ACTOR,
            Event::Variant(VariantEvent::Generated(generated)),
        )]))
    }
}

impl Job for Generation {
    const CONSUMER: Consumer = Consumer::Generate;

    async fn run(&self, attempt: &Attempt) -> anyhow::Result<Outcome> {
        match attempt.event.event()? {
            Event::Variant(VariantEvent::Requested(requested)) => self.make(attempt, &requested).await,
            other => Ok(Outcome::Discarded(format!("{} asks for no picture", other.type_name()))),
        }
    }
}
