//! What the log and the tables beside it say has happened.

use std::collections::BTreeMap;
use std::time::Duration;

use atelier_e2e::until_within;
use atelier_events::{Log, Position, Recorded};

/// How long an installation may take to come to rest, or to get further.
const REST: Duration = Duration::from_mins(2);

/// The whole log.
pub(crate) async fn events(log: &Log) -> anyhow::Result<Vec<Recorded>> {
    events_after(log, Position(0)).await
}

/// The log after a position.
pub(crate) async fn events_after(log: &Log, position: Position) -> anyhow::Result<Vec<Recorded>> {
    let mut events: Vec<Recorded> = Vec::new();
    let mut after = position;
    loop {
        let more = log.read(after, atelier_events::log::READ_LIMIT).await?;
        let Some(last) = more.last() else { return Ok(events) };
        after = last.position;
        events.extend(more);
    }
}

/// How many events there are of each type.
pub(crate) fn counts(events: &[Recorded]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry(event.event_type.as_str()).or_default() += 1;
    }
    counts
}

/// Waits until this many variants have been rendered, whatever goes on besides. A database that is down has none.
pub(crate) async fn rendered(log: &Log, variants: i64) -> anyhow::Result<()> {
    let statement = "select count(*) from events where type = 'variant.rendered'";
    until_within(REST, &format!("{variants} variants are rendered"), || async {
        let rendered: i64 = sqlx::query_scalar(statement).fetch_one(log.pool()).await.unwrap_or_default();
        Ok(rendered >= variants)
    })
    .await
}

/// How many events the relay has not got confirmed.
pub(crate) async fn unpublished(log: &Log) -> anyhow::Result<i64> {
    let statement = "select h.position - c.position from checkpoints c, log_head h where c.name = 'relay'";
    Ok(sqlx::query_scalar(statement).fetch_one(log.pool()).await?)
}

/// The consumer of a daemon that runs jobs.
pub(crate) fn consumer(daemon: &str) -> Option<&'static str> {
    match daemon {
        "atelier-generate" => Some("generate"),
        "atelier-thumbnails" => Some("thumbnails"),
        "atelier-exports" => Some("exports"),
        "atelier-index" => Some("sidecars"),
        _ => None,
    }
}

/// Waits until a daemon has work in its hands.
pub(crate) async fn busy(log: &Log, daemon: &str) -> anyhow::Result<()> {
    let statement = match consumer(daemon) {
        Some(_) => "select exists (select from current_jobs where consumer = $1 and state = 'running')",
        // The producer has just taken commands that it has not published yet, or only now; the site has heard of
        // something to show, and waits for the burst to end or deploys.
        None => {
            "select $1::text is null and exists (select from events where type = 'variant.rendered' and position >
                coalesce((select max((data->>'position')::bigint) from events where type = 'site.deployed'), 0))"
        }
    };
    until_within(REST, &format!("{daemon} has work in its hands"), || async {
        Ok(sqlx::query_scalar(statement).bind(consumer(daemon)).fetch_one(log.pool()).await?)
    })
    .await
}

/// A job as its row tells it: consumer, position, state, attempts, and when it ended in microseconds.
pub(crate) type JobRow = (String, i64, String, i32, Option<i64>);

/// All jobs.
pub(crate) async fn jobs(log: &Log) -> anyhow::Result<Vec<JobRow>> {
    let statement = "select consumer, position, state::text, attempt, \
                     (extract(epoch from finished_at) * 1000000)::bigint from jobs order by consumer, position";
    Ok(sqlx::query_as(statement).fetch_all(log.pool()).await?)
}

/// Waits until this many variants have been rendered or given up, and nothing is left to do about any event: every job
/// has ended, the relay, the read model and the gallery are where the log is, and what it shows has been told. An error of the database counts as not yet.
pub(crate) async fn at_rest(log: &Log, variants: i64) -> anyhow::Result<()> {
    let statement = "select
        (select count(*) from events where type in ('variant.rendered', 'variant.failed')) >= $1
        and not exists (select from jobs where finished_at is null)
        and (select position from checkpoints where name = 'relay') = (select position from log_head)
        and (select position from read.checkpoint) = (select position from log_head)
        and coalesce((select max(position) from events where type = 'variant.rendered'), 0)
            <= coalesce((select max((data->>'position')::bigint) from events where type = 'site.deployed'), 0)
        and not exists (select from read.artworks where status = 'active' and published_position is null)";
    let what = format!("all is done about {variants} variants");
    let rested = until_within(REST, &what, || async {
        Ok(sqlx::query_scalar(statement).bind(variants).fetch_one(log.pool()).await.unwrap_or(false))
    });
    match rested.await {
        Ok(()) => Ok(()),
        Err(error) => Err(error.context(left(log).await)),
    }
}

/// What is not done yet, for whoever waited in vain.
async fn left(log: &Log) -> String {
    let statement = "select 'job ' || consumer || ' ' || state || ' attempt ' || attempt, count(*) from current_jobs \
                     where finished_at is null group by 1 \
                     union all select 'event ' || type, count(*) from events group by 1 \
                     union all select 'read model at', position from read.checkpoint \
                     union all select 'log at', position from log_head \
                     union all select name || ' at', position from checkpoints";
    let rows: Result<Vec<(String, i64)>, _> = sqlx::query_as(statement).fetch_all(log.pool()).await;
    match rows {
        Ok(rows) => {
            let lines: Vec<String> = rows.iter().map(|(what, number)| format!("{what}: {number}")).collect();
            lines.join("\n")
        }
        Err(error) => format!("the database does not say: {error}"),
    }
}
