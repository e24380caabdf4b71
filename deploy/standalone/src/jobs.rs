//! `atelier jobs`, `dead`, `cancel`, `requeue`, `purge`: how many jobs there are in which state, the newest of them, and
//! orders for those that a filter lets through.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};
use atelier_events::Stream;
use atelier_events::jobs::{self, Count, Filter, Job, Ordered, STATES, consumer_names};
use atelier_runtime::Connections;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::table::{self, Align};

/// Who gives the orders of this program, as the log and a pause say it.
pub(crate) const ACTOR: &str = "atelier";

/// Which jobs: those that everything given here is true of.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Which {
    /// These, by their ids.
    #[arg(value_name = "JOB")]
    pub ids: Vec<i64>,
    /// Of one consumer: generate, thumbnails, exports, webhooks or sidecars.
    #[arg(long)]
    pub consumer: Option<String>,
    /// In one state: available, scheduled, running, retryable, completed, cancelled or discarded.
    #[arg(long)]
    pub state: Option<String>,
    /// About one stream, such as `artwork-<id>`.
    #[arg(long)]
    pub stream: Option<String>,
    /// About artworks of one owner, or exports that they asked for.
    #[arg(long)]
    pub owner: Option<String>,
    /// Whose last error holds these words, whatever their case.
    #[arg(long, value_name = "WORDS")]
    pub error: Option<String>,
    /// That came into their state at this time or later, such as 2026-11-21T20:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// That came into their state before this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

/// Lists jobs, newest first, and counts them.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// Which.
    #[command(flatten)]
    pub which: Which,
    /// How many to list.
    #[arg(long, default_value_t = 20)]
    pub limit: u32,
    /// Print one JSON object a line: the jobs, and no counts.
    #[arg(long)]
    pub json: bool,
}

/// Carries an order out on jobs.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct OrderArgs {
    /// Which.
    #[command(flatten)]
    pub which: Which,
    /// Every job that the order can be carried out on.
    #[arg(long)]
    pub all: bool,
    /// Print what came of it as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Jobs that wait or run end here.
    Cancel,
    /// Discarded and cancelled jobs get all their attempts again.
    Requeue,
    /// Discarded and cancelled jobs are forgotten.
    Purge,
}

/// Lists them.
pub async fn run(args: Args, connections: &Connections) -> anyhow::Result<ExitCode> {
    let filter = args.which.filter()?;
    let pool = connections.log.pool();
    let listed = jobs::list(pool, &filter, i64::from(args.limit)).await.context("listing the jobs")?;
    if args.json {
        table::print_json(&listed)?;
    } else {
        print_counts(&jobs::count(pool).await.context("counting the jobs")?)?;
        print_jobs(&listed)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Carries it out, until no more jobs are left for it.
pub async fn order(order: Order, args: OrderArgs, connections: &Connections) -> anyhow::Result<ExitCode> {
    if args.which.names_nothing() && !args.all {
        bail!(
            "name some jobs by their ids, --consumer, --state, --stream, --owner, --error, --since or --until, or give --all"
        );
    }
    let filter = args.which.filter()?;
    let log = &connections.log;
    let mut done: Vec<i64> = Vec::new();
    loop {
        let ordered = match order {
            Order::Cancel => jobs::cancel(log, &filter, ACTOR).await?,
            Order::Requeue => jobs::requeue(log, &filter).await?,
            Order::Purge => jobs::purge(log, &filter).await?,
        };
        let Ordered { jobs, more, .. } = ordered;
        let stuck = jobs.is_empty();
        done.extend(jobs);
        if !more || stuck {
            break;
        }
    }
    let mut out = atelier_runtime::output();
    if args.json {
        writeln!(out, "{}", serde_json::json!({ "jobs": done }))?;
    } else {
        writeln!(out, "{}", order.told(&done))?;
    }
    // Who named jobs expects something to happen to them.
    let missed = done.len() < args.which.ids.len();
    if missed && !args.json {
        writeln!(out, "the others are in a state that does not allow it: `atelier why JOB` tells")?;
    }
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Order {
    fn told(self, done: &[i64]) -> String {
        let verb = match self {
            Self::Cancel => "cancelled",
            Self::Requeue => "requeued",
            Self::Purge => "purged",
        };
        match done {
            [] => format!("no job was {verb}: none that matches is in a state that allows it"),
            [one] => format!("{verb} job {one}"),
            many => format!("{verb} {} jobs", many.len()),
        }
    }
}

impl Which {
    pub(crate) fn names_nothing(&self) -> bool {
        let words = [&self.consumer, &self.state, &self.stream, &self.owner, &self.error, &self.since, &self.until];
        self.ids.is_empty() && words.into_iter().all(Option::is_none)
    }

    fn filter(&self) -> anyhow::Result<Filter> {
        known("state", self.state.as_deref(), &STATES)?;
        known("consumer", self.consumer.as_deref(), &consumer_names())?;
        Ok(Filter {
            consumer: self.consumer.clone(),
            state: self.state.clone(),
            stream: self.stream.clone().map(Stream::from),
            ids: (!self.ids.is_empty()).then(|| self.ids.clone()),
            owner: self.owner.clone(),
            error: self.error.clone(),
            since: self.since.as_deref().map(moment).transpose()?,
            until: self.until.as_deref().map(moment).transpose()?,
            ..Filter::default()
        })
    }
}

/// Refuses a word that is none of those there are.
pub(crate) fn known(what: &str, word: Option<&str>, there_are: &[&str]) -> anyhow::Result<()> {
    let unknown = word.filter(|word| !there_are.contains(word));
    unknown.map_or(Ok(()), |word| bail!("unknown {what} {word:?}; there are: {}", there_are.join(", ")))
}

pub(crate) fn moment(text: &str) -> anyhow::Result<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339)
        .with_context(|| format!("{text:?} is not a time such as 2026-11-21T20:00:00Z (RFC 3339)"))
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
        return writeln!(atelier_runtime::output(), "no jobs match");
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
            table::error(job.error.as_deref().unwrap_or_default()),
        ]
    });
    table::print(&columns, rows.collect())
}

/// When it came into its state, as nearly as its row tells.
fn since(job: &Job) -> OffsetDateTime {
    job.finished_at.or(job.attempted_at).unwrap_or(job.created_at)
}
