//! `atelier why JOB`: why a job waits and when it will run, on one screen.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};
use atelier_events::jobs::{self, Explained};
use atelier_runtime::Connections;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::table::{self, Align, one_line};

/// Explains a job.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Its id, as `atelier jobs` lists it.
    #[arg(value_name = "JOB")]
    pub job: i64,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// An error as the job's row keeps it.
#[derive(Deserialize)]
struct Failure {
    attempt: i32,
    worker: Option<String>,
    error: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

/// Explains it.
pub async fn run(args: Args, connections: &Connections) -> anyhow::Result<ExitCode> {
    let explained = jobs::explain(connections.log.pool(), args.job).await.context("reading the job")?;
    let Some(explained) = explained else {
        bail!("there is no job {}: `atelier jobs` lists them", args.job);
    };
    let mut out = atelier_runtime::output();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&explained)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in lines(&explained) {
        writeln!(out, "{}", one_line(&line))?;
    }
    print_failures(&explained)?;
    Ok(ExitCode::SUCCESS)
}

fn lines(explained: &Explained) -> Vec<String> {
    let Explained { job, event_type, waiting } = explained;
    let mut lines = vec![
        format!("job {} of {}: {}, attempt {}", job.id, job.consumer, job.state, job.attempt),
        format!("about {event_type} at position {} of {}", job.position, job.stream),
        format!("enlisted {}", table::time(job.created_at)),
    ];
    if let Some(trace) = &job.trace_id {
        lines.push(format!("trace {trace}"));
    }
    if let Some(ended) = job.finished_at {
        let error = job.error.as_deref().filter(|_| job.state != "completed").map(|error| format!(": {error}"));
        lines.push(format!("{} {}{}", job.state, table::time(ended), error.unwrap_or_default()));
    }
    if matches!(job.state.as_str(), "discarded" | "cancelled") {
        lines.push(format!("it will not run again unless `atelier requeue {}` asks for it", job.id));
    }
    for reason in &waiting.reasons {
        lines.push(format!("because {}", reason.words()));
    }
    match waiting.runs_at {
        Some(time) if job.state == "running" => lines.push(format!("runs since {}", table::time(time))),
        Some(time) if time <= OffsetDateTime::now_utc() => lines.push("runs at any moment".to_owned()),
        Some(time) => lines.push(format!("runs at about {}", table::time(time))),
        None if job.finished_at.is_none() => lines.push("runs when that is done".to_owned()),
        None => {}
    }
    lines
}

fn print_failures(explained: &Explained) -> anyhow::Result<()> {
    let failures: Vec<Failure> =
        serde_json::from_value(explained.job.failures.clone()).context("reading its errors")?;
    if failures.is_empty() {
        return Ok(());
    }
    let columns = [("attempt", Align::Right), ("at", Align::Left), ("worker", Align::Left), ("error", Align::Left)];
    let rows = failures.into_iter().map(|failure| {
        vec![failure.attempt.to_string(), table::time(failure.at), failure.worker.unwrap_or_default(), failure.error]
    });
    Ok(table::print(&columns, rows.collect())?)
}
