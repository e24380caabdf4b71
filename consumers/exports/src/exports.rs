//! The job: a selection of artworks becomes a ZIP in the bucket, and what was kept for a time is deleted when that is over.

use std::time::Duration;

use atelier_events::export::{Completed, Expired, Export, ExportEvent, Requested, Selection};
use atelier_events::log::Write;
use atelier_events::{Blobs, Consumer, Event, ExportId, Log, Stream, keys};
use atelier_runtime::{Attempt, Job, Outcome};
use time::OffsetDateTime;
use tokio::runtime::Handle;

use crate::contents::{Order, Survey};
use crate::finished;
use crate::pack::Packing;
use crate::selection::select;
use crate::settings::ExportSettings;

/// Who the log says did it.
const ACTOR: &str = Consumer::Exports.daemon();

/// Packs exports.
pub struct Exports {
    log: Log,
    blobs: Blobs,
    settings: ExportSettings,
}

impl Exports {
    /// A job that reads this log, and reads and writes this bucket.
    #[must_use]
    pub fn new(log: Log, blobs: Blobs, settings: ExportSettings) -> Self {
        Self { log, blobs, settings }
    }

    async fn pack(&self, attempt: &Attempt, requested: Requested) -> anyhow::Result<Outcome> {
        let export_id = requested.export_id;
        let _abandoned = Abandoned { log: self.log.clone(), blobs: self.blobs.clone(), export_id };
        let selection = select(&self.log, &self.blobs, &requested.selection, attempt.event.position).await?;
        let (files, variants) = (requested.files, requested.variants);
        let order = Order { export_id, requested_at: attempt.event.occurred_at, files, variants, selection };
        let survey = Survey::of(&self.log, &order).await?;
        if survey.pictures == 0 {
            let error = match survey.missing {
                (1, Some(reason)) => format!("nothing to export: {reason}"),
                (count, Some(reason)) => format!("nothing to export: {reason}, and {} more like it", count - 1),
                (_, None) => "nothing to export: there is no artwork with a picture".to_owned(),
            };
            return Ok(Outcome::Discarded(error));
        }
        let keep = self.settings.keep();
        if let Some(completed) = finished::find(&self.blobs, export_id, &survey.digest, keep).await? {
            tracing::info!(blob.key = completed.archive.key, "the same has been packed already");
            return Ok(answer(attempt, ExportEvent::Completed(completed)));
        }
        let packing =
            Packing { log: &self.log, blobs: &self.blobs, order: &order, survey: &survey, progress: &attempt.progress };
        let Some(packed) = Box::pin(packing.pack()).await? else {
            give_up_upload(&self.blobs, export_id).await?;
            return Ok(Outcome::Discarded("nothing to export: every picture is missing or has changed".to_owned()));
        };
        tracing::info!(export.pictures = packed.pictures, export.bytes = packed.archive.length, "packed");
        let completed = Completed {
            export_id,
            archive: packed.archive,
            pictures: packed.pictures,
            missing: packed.missing,
            contents: packed.is_whole.then_some(survey.digest),
            kept_until: keep.map(|keep| whole_seconds(OffsetDateTime::now_utc()) + keep),
        };
        finished::note(&self.blobs, &completed).await?;
        Ok(answer(attempt, ExportEvent::Completed(completed)))
    }

    /// Waits until the time of a ZIP is over, as a job that is scheduled for then, and deletes it.
    async fn expire(&self, attempt: &Attempt, completed: &Completed) -> anyhow::Result<Outcome> {
        let Some(until) = completed.kept_until else { return Ok(Outcome::Completed(Vec::new())) };
        let left = Duration::try_from(until - OffsetDateTime::now_utc()).unwrap_or_default();
        if !left.is_zero() {
            return Ok(Outcome::Snoozed(left));
        }
        finished::delete(&self.blobs, completed).await?;
        Ok(answer(attempt, ExportEvent::Expired(Expired { export_id: completed.export_id })))
    }

    /// Deletes the list of a query whose export has failed, when the time of its ZIP would have been over: until then it may be
    /// requeued, and needs the list.
    async fn forget(&self, attempt: &Attempt) -> anyhow::Result<Outcome> {
        let events = self.log.read_stream(&attempt.event.stream).await?;
        let (mut list, mut export) = (None, None);
        for recorded in &events {
            let event = recorded.event()?;
            if let Event::Export(ExportEvent::Requested(Requested { selection: Selection::Listed(blob), .. })) = &event
            {
                list = Some(blob.key.clone());
            }
            export = Export::apply(export, &event);
        }
        // One that was completed after all has its list deleted with its ZIP.
        let (Some(list), Some(Export::Failed(_)), Some(keep)) = (list, export, self.settings.keep()) else {
            return Ok(Outcome::Completed(Vec::new()));
        };
        let left = keep.saturating_sub(attempt.event.age());
        if !left.is_zero() {
            return Ok(Outcome::Snoozed(left));
        }
        self.blobs.delete(&list).await?;
        Ok(Outcome::Completed(Vec::new()))
    }
}

impl Job for Exports {
    const CONSUMER: Consumer = Consumer::Exports;

    async fn run(&self, attempt: &Attempt) -> anyhow::Result<Outcome> {
        match attempt.event.event()? {
            Event::Export(ExportEvent::Requested(requested)) => Box::pin(self.pack(attempt, requested)).await,
            Event::Export(ExportEvent::Completed(completed)) => self.expire(attempt, &completed).await,
            Event::Export(ExportEvent::Failed(_)) => self.forget(attempt).await,
            _ => Ok(Outcome::Discarded(format!("{} asks for no export", attempt.event.event_type))),
        }
    }
}

fn answer(attempt: &Attempt, event: ExportEvent) -> Outcome {
    Outcome::Completed(vec![Write::answer(&attempt.event, ACTOR, Event::Export(event))])
}

/// As the event keeps it and whoever reads it says it.
fn whole_seconds(time: OffsetDateTime) -> OffsetDateTime {
    time.replace_nanosecond(0).expect("0 is a nanosecond")
}

/// Deletes what has been sent of a ZIP.
async fn give_up_upload(blobs: &Blobs, export_id: ExportId) -> anyhow::Result<()> {
    let key = keys::export(export_id);
    for upload in blobs.unfinished_uploads(&key).await?.iter().filter(|upload| upload.key == key) {
        blobs.abort_upload(&key, &upload.upload_id).await?;
    }
    Ok(())
}

/// An attempt that is under way. What it has sent is left to the next when it ends without a result, unless there will be
/// none: who cancels an export has written that to the log before the attempt is stopped.
struct Abandoned {
    log: Log,
    blobs: Blobs,
    export_id: ExportId,
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else { return };
        let Self { log, blobs, export_id } = self;
        let (log, blobs, export_id) = (log.clone(), blobs.clone(), *export_id);
        runtime.spawn(async move {
            let cleaned = async {
                let events = log.read_stream(&Stream::export(export_id)).await?;
                if let Some(Export::Failed(_)) = events.iter().try_fold(None, Export::fold)? {
                    give_up_upload(&blobs, export_id).await?;
                }
                anyhow::Ok(())
            };
            if let Err(error) = cleaned.await {
                tracing::warn!(%export_id, error = %error, "an upload could not be given up; `atelier sweep` will");
            }
        });
    }
}
