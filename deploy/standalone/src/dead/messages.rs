//! `atelier dead messages`: what the broker carried to a consumer and no consumer could take.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use atelier_events::Consumer;
use atelier_events::poison::{self, BODY_LIMIT, BULK_LIMIT, Filter, Poison};
use atelier_runtime::Connections;

use crate::jobs::{known, moment};
use crate::table::{self, Align, one_line};

/// Which messages: those that everything given here is true of.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Which {
    /// Those from one consumer's queue: generate, thumbnails, exports, webhooks, sidecars, index or site.
    #[arg(long)]
    pub consumer: Option<String>,
    /// Whose error holds these words, whatever their case.
    #[arg(long, value_name = "WORDS")]
    pub error: Option<String>,
    /// That came, last, at this time or later, such as 2026-11-21T20:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// That came, last, before this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

/// What to do with them; without a word, list them.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[group(id = "dead-messages")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Option<Action>,
    /// Which to list.
    #[command(flatten)]
    pub list: ListArgs,
}

/// What can be done with poison messages.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Action {
    /// Lists them, newest first.
    List(ListArgs),
    /// Shows one whole: its headers and the beginning of its body.
    Show(ShowArgs),
    /// Forgets them.
    Purge(PurgeArgs),
}

/// Lists them.
#[derive(Clone, Debug, clap::Args)]
pub struct ListArgs {
    /// Which.
    #[command(flatten)]
    pub which: Which,
    /// How many to list.
    #[arg(long, default_value_t = 20)]
    pub limit: u32,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// Shows one.
#[derive(Clone, Debug, clap::Args)]
pub struct ShowArgs {
    /// Its id, as the list has it.
    #[arg(value_name = "MESSAGE")]
    pub id: i64,
    /// Print the body alone, byte for byte.
    #[arg(long, conflicts_with = "json")]
    pub raw: bool,
    /// Print one JSON object, without the body.
    #[arg(long)]
    pub json: bool,
}

/// Forgets some.
#[derive(Clone, Debug, clap::Args)]
pub struct PurgeArgs {
    /// These, by their ids.
    #[arg(value_name = "MESSAGE")]
    pub ids: Vec<i64>,
    /// Which.
    #[command(flatten)]
    pub which: Which,
    /// Every one there is.
    #[arg(long)]
    pub all: bool,
    /// Print what was forgotten as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Does it.
pub async fn run(args: Args, connections: &Connections) -> anyhow::Result<ExitCode> {
    match args.action.unwrap_or(Action::List(args.list)) {
        Action::List(args) => list(args, connections).await,
        Action::Show(args) => show(args, connections).await,
        Action::Purge(args) => purge(args, connections).await,
    }
}

impl Which {
    fn filter(&self) -> anyhow::Result<Filter> {
        known("consumer", self.consumer.as_deref(), &Consumer::ALL.map(Consumer::name))?;
        Ok(Filter {
            consumer: self.consumer.clone(),
            error: self.error.clone(),
            since: self.since.as_deref().map(moment).transpose()?,
            until: self.until.as_deref().map(moment).transpose()?,
            ..Filter::default()
        })
    }
}

async fn list(args: ListArgs, connections: &Connections) -> anyhow::Result<ExitCode> {
    let filter = args.which.filter()?;
    let found = poison::list(connections.log.pool(), &filter, i64::from(args.limit)).await;
    let found = found.context("listing the messages")?;
    if args.json {
        table::print_json(&found)?;
    } else if found.is_empty() {
        writeln!(atelier_runtime::output(), "no messages match")?;
    } else {
        print(&found)?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn print(found: &[Poison]) -> std::io::Result<()> {
    let columns = [
        ("message", Align::Right),
        ("queue of", Align::Left),
        ("reason", Align::Left),
        ("times", Align::Right),
        ("bytes", Align::Right),
        ("last", Align::Left),
        ("error", Align::Left),
    ];
    let rows = found.iter().map(|message| {
        vec![
            message.id.to_string(),
            message.consumer.clone(),
            message.reason.clone(),
            message.times.to_string(),
            message.body_bytes.to_string(),
            table::time(message.last_at),
            table::error(&message.error),
        ]
    });
    table::print(&columns, rows.collect())
}

async fn show(args: ShowArgs, connections: &Connections) -> anyhow::Result<ExitCode> {
    let pool = connections.log.pool();
    let only = Filter { ids: Some(vec![args.id]), ..Filter::default() };
    let message = poison::list(pool, &only, 1).await.context("reading the message")?.pop();
    let body = poison::body(pool, args.id).await.context("reading its body")?;
    let (Some(message), Some(body)) = (message, body) else {
        bail!("there is no message {}: `atelier dead messages` lists them", args.id);
    };
    let mut out = atelier_runtime::output();
    if args.raw {
        out.write_all(&body)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&message)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in lines(&message) {
        writeln!(out, "{}", one_line(&line))?;
    }
    let shown = String::from_utf8_lossy(&body);
    let kept = if message.body_bytes > i64::try_from(BODY_LIMIT)? { "the beginning of its" } else { "its" };
    writeln!(out, "{kept} {} bytes:", message.body_bytes)?;
    for line in shown.lines() {
        writeln!(out, "{}", one_line(line))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(message: &Poison) -> Vec<String> {
    let mut lines = vec![
        format!("message {} in the queue of {}: {}", message.id, message.consumer, message.reason),
        message.error.clone(),
        format!(
            "came {} times, first {}, last {}",
            message.times,
            table::time(message.first_at),
            table::time(message.last_at)
        ),
    ];
    for (what, values) in [("property", &message.properties), ("header", &message.headers)] {
        for (name, value) in values.as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            lines.push(format!("{what} {name}: {value}"));
        }
    }
    lines
}

async fn purge(args: PurgeArgs, connections: &Connections) -> anyhow::Result<ExitCode> {
    let which = &args.which;
    let named = [&which.consumer, &which.error, &which.since, &which.until].into_iter().any(Option::is_some);
    ensure!(
        named || args.all || !args.ids.is_empty(),
        "name some messages by their ids, --consumer, --error, --since or --until, or give --all"
    );
    let filter = Filter { ids: (!args.ids.is_empty()).then(|| args.ids.clone()), ..which.filter()? };
    let mut purged: Vec<i64> = Vec::new();
    loop {
        let some = poison::purge(connections.log.pool(), &filter).await.context("purging the messages")?;
        let more = i64::try_from(some.len())? == BULK_LIMIT;
        purged.extend(some);
        if !more {
            break;
        }
    }
    purged.sort_unstable();
    let mut out = atelier_runtime::output();
    if args.json {
        writeln!(out, "{}", serde_json::json!({ "messages": purged }))?;
    } else {
        writeln!(out, "purged {} messages", purged.len())?;
    }
    let missed = purged.len() < args.ids.len();
    if missed && !args.json {
        writeln!(out, "there is no other that matches: `atelier dead messages` lists them")?;
    }
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
