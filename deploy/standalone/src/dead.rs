//! `atelier dead`: the dead letters, that is the jobs that were given up: list, show, requeue and purge them.

use std::process::ExitCode;

use anyhow::ensure;
use atelier_runtime::Connections;

use crate::jobs::{self, Order, OrderArgs};
use crate::why;

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
}

/// Does it.
pub async fn run(args: Args, connections: &Connections) -> anyhow::Result<ExitCode> {
    match args.action.unwrap_or(Action::List(args.list)) {
        Action::List(mut list) => {
            dead(&mut list.which)?;
            jobs::run(list, connections).await
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
    }
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
