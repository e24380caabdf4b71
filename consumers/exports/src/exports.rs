//! The job: a selection of artworks becomes a ZIP in the bucket.

use atelier_events::export::{Completed, ExportEvent};
use atelier_events::log::Write;
use atelier_events::{Blobs, Consumer, Event, Log};
use atelier_runtime::{Attempt, Job, Outcome};

use crate::pack::{Order, pack};
use crate::selection::select;

/// Who the log says did it.
const ACTOR: &str = Consumer::Exports.daemon();

/// Packs exports.
pub struct Exports {
    log: Log,
    blobs: Blobs,
}

impl Exports {
    /// A job that reads this log, and reads and writes this bucket.
    #[must_use]
    pub fn new(log: Log, blobs: Blobs) -> Self {
        Self { log, blobs }
    }
}

impl Job for Exports {
    const CONSUMER: Consumer = Consumer::Exports;

    async fn run(&self, attempt: &Attempt) -> anyhow::Result<Outcome> {
        let Event::Export(ExportEvent::Requested(requested)) = attempt.event.event()? else {
            return Ok(Outcome::Discarded(format!("{} asks for no export", attempt.event.event_type)));
        };
        let selection = select(&self.log, &requested.selection, attempt.event.position).await?;
        if selection.streams.is_empty() {
            let error = match selection.missing.as_slice() {
                [] => "nothing to export: there is no artwork with a picture".to_owned(),
                [one] => format!("nothing to export: {}", one.reason),
                [one, others @ ..] => format!("nothing to export: {}, and {} more like it", one.reason, others.len()),
            };
            return Ok(Outcome::Discarded(error));
        }
        let order = Order { export_id: requested.export_id, requested_at: attempt.event.occurred_at, selection };
        let Some(packed) = Box::pin(pack(&self.log, &self.blobs, &order)).await? else {
            return Ok(Outcome::Discarded("nothing to export: every original is missing or has changed".to_owned()));
        };
        tracing::info!(export.pictures = packed.pictures, export.bytes = packed.archive.length, "packed");
        let completed = Completed {
            export_id: requested.export_id,
            archive: packed.archive,
            pictures: packed.pictures,
            missing: packed.missing,
        };
        Ok(Outcome::Completed(vec![Write::answer(
            &attempt.event,
            ACTOR,
            Event::Export(ExportEvent::Completed(completed)),
        )]))
    }
}
