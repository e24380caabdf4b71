//! `atelier tail`: what happens, as it happens.

mod content;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use atelier_events::log::READ_LIMIT;
use atelier_events::{Log, Position, Recorded, Stream};
use atelier_runtime::Connections;

use crate::table;

/// How many events are shown when it is not said from where.
const LAST: usize = 20;

/// How often the log is looked at when nothing hints that it has grown.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Shows events in the order of the log.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// From the event after this position; without it, the last 20.
    #[arg(long, value_name = "POSITION")]
    pub after: Option<i64>,
    /// Of one stream, such as `artwork-<id>`.
    #[arg(long)]
    pub stream: Option<String>,
    /// Go on as the log grows, until Ctrl-C.
    #[arg(long, short)]
    pub follow: bool,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// Shows them.
pub async fn run(args: Args, connections: &Connections) -> anyhow::Result<ExitCode> {
    let follow = args.follow;
    let print = |event: &Recorded| print(event, args.json);
    let stream = args.stream.map(Stream::from);
    match tail(&connections.log, args.after.map(Position), stream.as_ref(), follow, print).await {
        // Whoever read along has seen enough (`atelier tail --follow | head`).
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        ended => ended.map(|()| ExitCode::SUCCESS),
    }
}

/// Tells of every event after a position, or of the last ones, and, when following, of every one that comes: without
/// end then, in the order of the log and without a gap.
pub async fn tail(
    log: &Log,
    after: Option<Position>,
    stream: Option<&Stream>,
    follow: bool,
    mut on_event: impl FnMut(&Recorded) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    // Asked for before the first read: what is appended in between wakes us.
    let mut grown = log.grown();
    let mut position = match (after, stream) {
        (Some(after), _) => after,
        (None, Some(stream)) => show_last(log, stream, &mut on_event).await?,
        (None, None) => before_last(log.head().await?),
    };
    loop {
        grown.mark_unchanged();
        loop {
            let events = log.read(position, READ_LIMIT).await.context("reading the log")?;
            let Some(last) = events.last() else { break };
            position = last.position;
            for event in events.iter().filter(|event| stream.is_none_or(|stream| event.stream == *stream)) {
                on_event(event)?;
            }
        }
        if !follow {
            return Ok(());
        }
        // A hint that comes too late or never only costs the interval.
        drop(tokio::time::timeout(POLL_INTERVAL, grown.changed()).await);
    }
}

fn before_last(head: Position) -> Position {
    let last = i64::try_from(LAST).unwrap_or(i64::MAX);
    Position(head.0.saturating_sub(last).max(0))
}

/// Shows the last events of a stream and answers up to where the log has been seen.
async fn show_last(
    log: &Log,
    stream: &Stream,
    on_event: &mut impl FnMut(&Recorded) -> anyhow::Result<()>,
) -> anyhow::Result<Position> {
    // Before the events: one that is appended in between is shown by what follows, and not twice.
    let head = log.head().await.context("reading the log")?;
    let mut events = log.read_stream(stream).await.context("reading the stream")?;
    events.retain(|event| event.position <= head);
    for event in &events[events.len().saturating_sub(LAST)..] {
        on_event(event)?;
    }
    Ok(head)
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
