//! Jobs: one row each, one worker at a time, and an end that counts once.

mod claims;
mod explained;
mod orders;
mod settlements;
mod time;

use atelier_e2e::Database;
use atelier_events::jobs::{self, Claimed, End, Filter, Job, Settlement};
use atelier_events::log::Write;
use atelier_events::variant::{Failed, VariantEvent};
use atelier_events::{Consumer, Event, Stage, VariantId};

use crate::bus::uploads;

pub(super) const LONG: i64 = 60_000;

/// A database with so many available jobs of `thumbnails`.
pub(super) async fn with_jobs(count: usize) -> anyhow::Result<Database> {
    let database = Database::create().await?;
    let events = uploads(&database, count).await?;
    let head = events.last().map(|event| event.position).unwrap_or_default();
    jobs::enlist(&database.pool, atelier_events::Position(0), head).await?;
    Ok(database)
}

/// Takes what there is, at most so many.
pub(super) async fn claim(database: &Database, limit: i64, lease_ms: i64) -> anyhow::Result<Vec<Claimed>> {
    Ok(jobs::claim(&database.pool, Consumer::Thumbnails, limit, "worker", lease_ms).await?)
}

pub(super) async fn claim_one(database: &Database) -> anyhow::Result<Claimed> {
    claim(database, 1, LONG).await?.pop().ok_or_else(|| anyhow::anyhow!("no job is available"))
}

/// All jobs, oldest first.
pub(super) async fn all(database: &Database) -> anyhow::Result<Vec<Job>> {
    let mut jobs = jobs::list(&database.pool, &Filter::default(), 1_000).await?;
    jobs.reverse();
    Ok(jobs)
}

pub(super) fn settlement(claimed: &Claimed, end: End) -> Settlement {
    Settlement { job: claimed.job, fence: claimed.fence, end, writes: Vec::new() }
}

/// An end together with an event on the stream of the job's artwork.
pub(super) fn with_event(claimed: &Claimed, end: End) -> Settlement {
    let failed = Event::Variant(VariantEvent::Failed(Failed {
        variant_id: VariantId::new(),
        stage: Stage::Renditions,
        error: "not an image".to_owned(),
    }));
    let writes = vec![Write::answer(&claimed.event, "worker", failed)];
    Settlement { writes, ..settlement(claimed, end) }
}
