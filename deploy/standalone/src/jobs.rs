//! `atelier jobs`: how many jobs there are in which state, and the newest of them.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use atelier_events::consumer::Kind;
use atelier_events::jobs::{self, Count, Filter, Job};
use atelier_events::{Consumer, Stream};
use atelier_runtime::Connections;
use time::OffsetDateTime;

use crate::table::{self, Align};

/// Every state of a job, in the order of its life.
const STATES: [&str; 7] = ["available", "scheduled", "running", "retryable", "completed", "cancelled", "discarded"];

/// The most of an error that a table shows, in characters; `--json` shows all of it.
const ERROR_CHARS: usize = 60;

/// Lists jobs, newest first, and counts them.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Of one consumer: generate, thumbnails, exports or sidecars.
    #[arg(long)]
    pub consumer: Option<String>,
    /// In one state: available, scheduled, running, retryable, completed, cancelled or discarded.
    #[arg(long)]
    pub state: Option<String>,
    /// About one stream, such as `artwork-<id>`.
    #[arg(long)]
    pub stream: Option<String>,
    /// How many to list.
    #[arg(long, default_value_t = 20)]
    pub limit: u32,
    /// Print one JSON object a line: the jobs, and no counts.
    #[arg(long)]
    pub json: bool,
}

/// Lists them.
pub async fn run(args: Args, connections: &Connections) -> anyhow::Result<ExitCode> {
    let limit = args.limit;
    let json = args.json;
    let filter = filter(args)?;
    let pool = connections.log.pool();
    let listed = jobs::list(pool, &filter, i64::from(limit)).await.context("listing the jobs")?;
    if json {
        let mut out = std::io::stdout().lock();
        for job in &listed {
            writeln!(out, "{}", serde_json::to_string(job)?)?;
        }
    } else {
        print_counts(&jobs::count(pool).await.context("counting the jobs")?)?;
        print_jobs(&listed)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn filter(args: Args) -> anyhow::Result<Filter> {
    if let Some(state) = &args.state {
        ensure!(STATES.contains(&state.as_str()), "unknown state {state:?}; there are: {}", STATES.join(", "));
    }
    if let Some(consumer) = &args.consumer {
        let with_jobs = Consumer::ALL.into_iter().filter(|consumer| consumer.kind() == Kind::Job);
        let names: Vec<&str> = with_jobs.map(Consumer::name).collect();
        ensure!(names.contains(&consumer.as_str()), "unknown consumer {consumer:?}; there are: {}", names.join(", "));
    }
    Ok(Filter {
        consumer: args.consumer,
        state: args.state,
        stream: args.stream.map(Stream::from),
        ..Filter::default()
    })
}

fn print_counts(counts: &[Count]) -> std::io::Result<()> {
    let mut columns = vec![("consumer", Align::Left)];
    columns.extend(STATES.map(|state| (state, Align::Right)));
    let mut consumers: Vec<&str> = counts.iter().map(|count| count.consumer.as_str()).collect();
    consumers.dedup();
    let rows = consumers.into_iter().map(|consumer| {
        let in_state = |state: &str| {
            let found = counts.iter().find(|count| count.consumer == consumer && count.state == state);
            found.map_or(0, |count| count.jobs).to_string()
        };
        [consumer.to_owned()].into_iter().chain(STATES.map(in_state)).collect()
    });
    table::print(&columns, rows.collect())
}

fn print_jobs(jobs: &[Job]) -> std::io::Result<()> {
    if jobs.is_empty() {
        return writeln!(std::io::stdout(), "no jobs match");
    }
    let columns = [
        ("job", Align::Right),
        ("consumer", Align::Left),
        ("state", Align::Left),
        ("attempt", Align::Right),
        ("position", Align::Right),
        ("stream", Align::Left),
        ("since", Align::Left),
        ("error", Align::Left),
    ];
    let rows = jobs.iter().map(|job| {
        vec![
            job.id.to_string(),
            job.consumer.clone(),
            job.state.clone(),
            job.attempt.to_string(),
            job.position.to_string(),
            job.stream.to_string(),
            table::time(since(job)),
            job.error.as_deref().unwrap_or_default().chars().take(ERROR_CHARS).collect(),
        ]
    });
    table::print(&columns, rows.collect())
}

/// When it came into its state, as nearly as its row tells.
fn since(job: &Job) -> OffsetDateTime {
    job.finished_at.or(job.attempted_at).unwrap_or(job.created_at)
}
