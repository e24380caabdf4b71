//! `atelier dead`: the dead letters, that is the jobs that were given up: list, show, requeue and purge them; and, beside
//! them, the messages that were no job and that no consumer could take.

pub mod messages;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use atelier_events::poison::{self, Filter};
use atelier_runtime::Connections;

use crate::jobs::{self, Order, OrderArgs};
use crate::why;

/// Poison messages that are listed below the jobs.
const NEWEST: i64 = 5;

/// What to do with them; without a word, list them.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[group(id = "dead")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Option<Action>,
    /// Which to list.
    #[command(flatten)]
    pub list: jobs::Args,
}

/// What can be done with dead letters.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Action {
    /// Lists them, newest first.
    List(jobs::Args),
    /// Shows one whole: every error, every attempt, its event and its trace.
    Show(why::Args),
    /// Gives them all their attempts again.
    Requeue(OrderArgs),
    /// Forgets them. What the log says of them stays.
    Purge(OrderArgs),
    /// Lists, shows and purges messages that no consumer could take.
    Messages(messages::Args),
}

/// Does it.
pub async fn run(args: Args, connections: &Connections) -> anyhow::Result<ExitCode> {
    match args.action.unwrap_or(Action::List(args.list)) {
        Action::List(mut list) => {
            dead(&mut list.which)?;
            let alone = list.json;
            let code = jobs::run(list, connections).await?;
            if !alone {
                point_to_messages(connections).await?;
            }
            Ok(code)
        }
        Action::Show(args) => why::run(args, connections).await,
        Action::Requeue(mut args) => {
            dead(&mut args.which)?;
            jobs::order(Order::Requeue, meant(args), connections).await
        }
        Action::Purge(mut args) => {
            dead(&mut args.which)?;
            jobs::order(Order::Purge, meant(args), connections).await
        }
        Action::Messages(args) => messages::run(args, connections).await,
    }
}

/// Whoever looks for what has died sees that there is more of it, and where.
async fn point_to_messages(connections: &Connections) -> anyhow::Result<()> {
    let counts = poison::count(connections.log.pool()).await.context("counting the poison messages")?;
    let messages: i64 = counts.iter().map(|count| count.messages).sum();
    if messages > 0 {
        let newest = poison::list(connections.log.pool(), &Filter::default(), NEWEST).await;
        messages::print(&newest.context("listing the poison messages")?)?;
        writeln!(
            atelier_runtime::output(),
            "{messages} messages were no job: `atelier dead messages` lists, shows and purges them"
        )?;
    }
    Ok(())
}

fn dead(which: &mut jobs::Which) -> anyhow::Result<()> {
    let state = which.state.get_or_insert_with(|| "discarded".to_owned());
    ensure!(
        state == "discarded",
        "dead letters are discarded, not {state}: `atelier jobs --state {state}` lists those"
    );
    Ok(())
}

/// The state was given by us and not by the operator: it does not count as having named some.
fn meant(args: OrderArgs) -> OrderArgs {
    let named = jobs::Which { state: None, ..args.which.clone() };
    let which = if named.names_nothing() && !args.all { named } else { args.which };
    OrderArgs { which, ..args }
}
