//! `atelier tail`: what happens, as it happens.

mod content;

use std::io::Write;
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use atelier_events::log::{Filter, READ_LIMIT};
use atelier_events::{Event, Log, Position, Recorded, Stream};
use atelier_runtime::Connections;

use crate::table;

/// How many events are shown when it is said neither from where nor how many.
const LAST: usize = 20;

/// How often the log is looked at when nothing hints that it has grown.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Shows events in the order of the log.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// From the event after this position; without it, the last 20.
    #[arg(long, value_name = "POSITION")]
    pub after: Option<i64>,
    /// So many at the most; when it is not said after which position, the last ones.
    #[arg(long, short = 'n', value_name = "COUNT")]
    pub limit: Option<usize>,
    /// Of one stream, such as `artwork-<id>`.
    #[arg(long)]
    pub stream: Option<String>,
    /// Of this type, such as `variant.failed`; may be given several times.
    #[arg(long = "type", value_name = "TYPE", value_parser = Event::known_type)]
    pub types: Vec<&'static str>,
    /// The last one first.
    #[arg(long, short)]
    pub reverse: bool,
    /// Go on as the log grows, until Ctrl-C.
    #[arg(long, short, conflicts_with_all = ["reverse", "limit"])]
    pub follow: bool,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// What to tell of.
#[derive(Clone, Debug, Default)]
pub struct Extent {
    /// Only what comes after it.
    pub after: Option<Position>,
    /// So many at the most.
    pub limit: Option<usize>,
    /// The last one first.
    pub reverse: bool,
    /// And everything that comes from then on, without end.
    pub follow: bool,
}

/// Shows them.
pub async fn run(args: Args, connections: &Connections) -> anyhow::Result<ExitCode> {
    let print = |event: &Recorded| print(event, args.json);
    let filter =
        Filter { stream: args.stream.map(Stream::from), types: args.types.into_iter().map(str::to_owned).collect() };
    let extent =
        Extent { after: args.after.map(Position), limit: args.limit, reverse: args.reverse, follow: args.follow };
    match tail(&connections.log, &filter, &extent, print).await {
        // Whoever read along has seen enough (`atelier tail --follow | head`).
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        ended => ended.map(|()| ExitCode::SUCCESS),
    }
}

/// Tells of every event after a position, or of the last ones, and, when following, of every one that comes: without
/// end then, in the order of the log and without a gap.
pub async fn tail(
    log: &Log,
    filter: &Filter,
    extent: &Extent,
    mut on_event: impl FnMut(&Recorded) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    // Asked for before the first read: what is appended in between wakes us.
    let mut grown = log.grown();
    // What is there now is looked up; what comes later is read along.
    let head = log.head().await.context("reading the log")?;
    let limit = extent.limit.unwrap_or(if extent.after.is_none() { LAST } else { usize::MAX });
    match extent.after {
        Some(after) if !extent.reverse => forward(log, filter, after..=head, limit, &mut on_event).await?,
        after => {
            let mut events = backward(log, filter, after.unwrap_or_default()..=head, limit).await?;
            if !extent.reverse {
                events.reverse();
            }
            events.iter().try_for_each(&mut on_event)?;
        }
    }
    if !extent.follow {
        return Ok(());
    }
    let mut position = head.max(extent.after.unwrap_or_default());
    loop {
        grown.mark_unchanged();
        loop {
            let events = log.read(position, READ_LIMIT).await.context("reading the log")?;
            let Some(last) = events.last() else { break };
            position = last.position;
            events.iter().filter(|event| filter.takes(event)).try_for_each(&mut on_event)?;
        }
        // A hint that comes too late or never only costs the interval.
        drop(tokio::time::timeout(POLL_INTERVAL, grown.changed()).await);
    }
}

async fn forward(
    log: &Log,
    filter: &Filter,
    range: RangeInclusive<Position>,
    mut limit: usize,
    on_event: &mut impl FnMut(&Recorded) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut after = *range.start();
    while limit > 0 {
        let events = log.find(filter, after, page(limit)).await.context("reading the log")?;
        let Some(last) = events.last().filter(|_| after < *range.end()) else { return Ok(()) };
        after = last.position;
        limit -= events.len();
        events.iter().filter(|event| event.position <= *range.end()).try_for_each(&mut *on_event)?;
    }
    Ok(())
}

/// The last of those after the start and up to the end, the last one first.
async fn backward(
    log: &Log,
    filter: &Filter,
    range: RangeInclusive<Position>,
    limit: usize,
) -> anyhow::Result<Vec<Recorded>> {
    let mut before = Position(range.end().0 + 1);
    let mut found = Vec::new();
    while found.len() < limit {
        let events = log.find_back(filter, before, page(limit - found.len())).await.context("reading the log")?;
        let read = events.len();
        found.extend(events.into_iter().take_while(|event| event.position > *range.start()));
        match found.last() {
            Some(last) if read > 0 && last.position < before => before = last.position,
            _ => break,
        }
    }
    Ok(found)
}

fn page(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(READ_LIMIT).min(READ_LIMIT)
}

fn print(event: &Recorded, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(event)?)?;
    } else {
        let Recorded { position, stream, event_type, occurred_at, .. } = event;
        let content = table::one_line(&content::of(event));
        writeln!(out, "{position:>8}  {}  {event_type:<18}  {stream}  {content}", table::time(*occurred_at))?;
    }
    // A reader at the other end of a pipe sees each event as it comes.
    Ok(out.flush()?)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
