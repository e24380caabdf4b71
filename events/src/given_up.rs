//! What the log says when a job is given up: after its last attempt, at once because it can never succeed, or cancelled.
//! It stands here and with no consumer, because jobs are also cancelled where no consumer runs.

use crate::consumer::Consumer;
use crate::event::{Event, Recorded};
use crate::export::{self, ExportEvent};
use crate::log::Write;
use crate::variant::{self, Stage, VariantEvent};

/// The events that tell the owner why nothing comes of `event`; none for a job nobody waits for.
#[must_use]
pub fn given_up(consumer: Consumer, event: &Recorded, actor: &str, error: &str) -> Vec<Write> {
    let error = error.to_owned();
    let failed = match (consumer, event.event()) {
        (Consumer::Generate, Ok(Event::Variant(cause))) => failed_variant(&cause, Stage::Generate, error),
        (Consumer::Thumbnails, Ok(Event::Variant(cause))) => failed_variant(&cause, Stage::Renditions, error),
        (Consumer::Exports, Ok(Event::Export(ExportEvent::Requested(cause)))) => {
            Event::Export(ExportEvent::Failed(export::Failed { export_id: cause.export_id, error }))
        }
        // An event that cannot be read names nobody who could be told; who is to be told by a webhook cannot be told that it
        // does not work; sidecars are nobody's errand; projections have no jobs.
        (
            Consumer::Generate
            | Consumer::Thumbnails
            | Consumer::Exports
            | Consumer::Webhooks
            | Consumer::Sidecars
            | Consumer::Index
            | Consumer::Site,
            _,
        ) => return Vec::new(),
    };
    vec![Write::answer(event, actor, failed)]
}

fn failed_variant(cause: &VariantEvent, stage: Stage, error: String) -> Event {
    Event::Variant(VariantEvent::Failed(variant::Failed { variant_id: cause.variant_id(), stage, error }))
}
