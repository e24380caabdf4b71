//! `atelier status`, `pause` and `resume`: what each consumer is at, and whether it may begin anything.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use atelier_events::Consumer;
use atelier_events::jobs::{self, ConsumerStatus};
use atelier_runtime::Connections;

use crate::jobs::ACTOR;
use crate::table::{self, Align};

/// Shows what each consumer is at.
#[derive(Clone, Debug, clap::Args)]
pub struct StatusArgs {
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// Pauses consumers, or lets them go on.
#[derive(Clone, Debug, clap::Args)]
pub struct PauseArgs {
    /// Which: generate, thumbnails, exports, webhooks, sidecars, index or site.
    #[arg(required = true, value_name = "CONSUMER", value_parser = parse)]
    pub consumers: Vec<Consumer>,
    /// Print what each is at then as one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

fn parse(name: &str) -> Result<Consumer, String> {
    let names = Consumer::ALL.map(Consumer::name).join(", ");
    Consumer::from_name(name).ok_or_else(|| format!("there are: {names}"))
}

/// Shows them all.
pub async fn status(args: StatusArgs, connections: &Connections) -> anyhow::Result<ExitCode> {
    print(&listed(connections, &Consumer::ALL).await?, args.json)
}

/// Pauses them.
pub async fn pause(args: PauseArgs, connections: &Connections) -> anyhow::Result<ExitCode> {
    for consumer in &args.consumers {
        jobs::pause(&connections.log, *consumer, ACTOR).await.context("pausing it")?;
    }
    print(&listed(connections, &args.consumers).await?, args.json)
}

/// Lets them go on.
pub async fn resume(args: PauseArgs, connections: &Connections) -> anyhow::Result<ExitCode> {
    for consumer in &args.consumers {
        jobs::resume(&connections.log, *consumer).await.context("letting it go on")?;
    }
    print(&listed(connections, &args.consumers).await?, args.json)
}

pub(crate) async fn listed(connections: &Connections, which: &[Consumer]) -> anyhow::Result<Vec<ConsumerStatus>> {
    let all = jobs::consumers(connections.log.pool()).await.context("reading what the consumers are at")?;
    Ok(all.into_iter().filter(|status| which.iter().any(|one| one.name() == status.consumer)).collect())
}

fn print(statuses: &[ConsumerStatus], json: bool) -> anyhow::Result<ExitCode> {
    if json {
        table::print_json(statuses)?;
        return Ok(ExitCode::SUCCESS);
    }
    let columns = [
        ("consumer", Align::Left),
        ("available", Align::Right),
        ("scheduled", Align::Right),
        ("running", Align::Right),
        ("dead", Align::Right),
        ("daemons", Align::Right),
        ("concurrency", Align::Right),
        ("paused", Align::Left),
    ];
    let rows = statuses.iter().map(|status| {
        let paused = match (&status.paused_by, status.paused_at) {
            (Some(by), Some(at)) => format!("by {by} since {}", table::time(at)),
            _ => String::new(),
        };
        let numbers =
            [status.available, status.scheduled, status.running, status.discarded, status.workers, status.concurrency];
        // A projection has no jobs, and its daemon takes none.
        let has_jobs = jobs::consumer_names().contains(&status.consumer.as_str());
        let shown = numbers.map(|number| if has_jobs { number.to_string() } else { "-".to_owned() });
        [status.consumer.clone()].into_iter().chain(shown).chain([paused]).collect()
    });
    table::print(&columns, rows.collect())?;
    for status in statuses {
        print_stall(status)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A line that says why it does not go on, of one that cannot.
pub(crate) fn print_stall(status: &ConsumerStatus) -> anyhow::Result<()> {
    if let Some(stall) = &status.stall {
        writeln!(atelier_runtime::output(), "{} {}", status.consumer, table::one_line(&stall.to_string()))?;
    }
    Ok(())
}
