//! `atelier recut`: renditions cut again by the recipe of today, and how far that is.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use atelier_events::jobs::{self, BULK_LIMIT};
use atelier_events::signal::Channel;
use atelier_events::{Append, ArtworkId, Connections, Consumer, Context, Position};
use atelier_producer::recut::{self, STATES, Selection, choose, requests};
use atelier_thumbnails::recipe::Recipes;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::command::Command;
use crate::jobs::{ACTOR, moment};

/// How often is looked at what has been cut, where nothing says that something has.
const PAUSE: Duration = Duration::from_millis(500);

/// Cuts renditions again.
#[derive(Clone, Debug, Default, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub struct Args {
    /// Of these artworks.
    #[arg(value_name = "ARTWORK")]
    pub artworks: Vec<ArtworkId>,
    /// Of one space: an owner's artworks.
    #[arg(long)]
    pub owner: Option<String>,
    /// In one state: completed, or failed (refused when they were cut).
    #[arg(long, default_value = STATES[0])]
    pub state: String,
    /// Cut by another recipe than the one that the settings of today make.
    #[arg(long)]
    pub outdated: bool,
    /// Of artworks added at this time or later, such as 2026-11-21T20:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Of artworks added before this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Every variant in the state.
    #[arg(long)]
    pub all: bool,
    /// Only count them, and tell the recipe of today.
    #[arg(long)]
    pub dry_run: bool,
    /// Wait until all have been cut.
    #[arg(long)]
    pub wait: bool,
    /// Print what came of it as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recut {
    /// Hash of the recipe of today, in spaces that have no watermark of their own.
    pub recipe_hash: String,
    /// Variants that match.
    pub matching: u64,
    /// Variants that were asked to be cut again.
    pub requested: u64,
    /// Of those, the ones that are done, where it was waited for them: cut, or found to be cut by this recipe already.
    pub done: u64,
    /// Of those, the ones that were given up or cancelled; what they had is still shown.
    pub given_up: u64,
    /// Of the last event that asks for it.
    pub position: Option<Position>,
}

/// Does it, and prints what came of it. Fails when some were given up.
pub async fn run(args: Args, with: Command) -> anyhow::Result<ExitCode> {
    let recipes = with.installation.thumbnails.recipes();
    let selection = args.selection(recipes.clone())?;
    with.connected(async |connections| {
        let bar = ProgressBar::no_length().with_style(style()?);
        let recut = recut(&selection, &args, recipes.everywhere.clone(), connections, &bar).await?;
        bar.finish_and_clear();
        print(&recut, &args)
    })
    .await
}

fn print(recut: &Recut, args: &Args) -> anyhow::Result<ExitCode> {
    let mut out = atelier_runtime::output();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(recut)?)?;
    } else {
        writeln!(out, "{}", recut.told(args))?;
    }
    Ok(if recut.given_up == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Args {
    fn selection(&self, today: Recipes) -> anyhow::Result<Selection> {
        let words = [&self.owner, &self.since, &self.until];
        if self.artworks.is_empty() && words.into_iter().all(Option::is_none) && !self.outdated && !self.all {
            bail!("name some artworks by their ids, --owner, --outdated, --since or --until, or give --all");
        }
        ensure!(
            STATES.contains(&self.state.as_str()),
            "variants that are {:?} cannot be cut again; there are: {}",
            self.state,
            STATES.join(", ")
        );
        let other_than = recut::Recipes { everywhere: today.everywhere, owners: today.spaces };
        Ok(Selection {
            artworks: (!self.artworks.is_empty()).then(|| self.artworks.clone()),
            owner: self.owner.clone(),
            state: Some(self.state.clone()),
            other_than: self.outdated.then_some(other_than),
            since: self.since.as_deref().map(moment).transpose()?,
            until: self.until.as_deref().map(moment).transpose()?,
        })
    }
}

async fn recut(
    selection: &Selection,
    args: &Args,
    recipe_hash: String,
    connections: &Connections,
    bar: &ProgressBar,
) -> anyhow::Result<Recut> {
    let pool = connections.log.pool();
    let mut recut = Recut { recipe_hash, ..Recut::default() };
    let context = Context::command(ACTOR);
    let mut asked: Vec<(Position, Position)> = Vec::new();
    let mut after = Position(0);
    bar.set_message("asking");
    loop {
        let chosen = choose(pool, selection, after, BULK_LIMIT).await.context("choosing the variants")?;
        let Some((first, last)) = chosen.first().zip(chosen.last()) else { break };
        recut.matching = recut.requested + first.matching.unsigned_abs();
        bar.set_length(recut.matching);
        if args.dry_run {
            return Ok(recut);
        }
        after = last.requested_position;
        let append = Append { key: None, writes: requests(&chosen, &context) };
        let Position(end) = connections.log.append(append).await.context("asking for them to be cut")?.position();
        let count = i64::try_from(chosen.len())?;
        asked.push((Position(end - count + 1), Position(end)));
        recut.requested += chosen.len() as u64;
        recut.position = Some(Position(end));
        bar.set_position(recut.requested);
    }
    if args.wait {
        bar.reset();
        bar.set_message("cutting");
        wait(&asked, connections, &mut recut, bar).await?;
    }
    Ok(recut)
}

/// Follows the jobs to their ends, an order of at most a thousand after the other.
async fn wait(
    asked: &[(Position, Position)],
    connections: &Connections,
    recut: &mut Recut,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let mut settled = connections.log.signals().subscribe(Channel::Settled);
    for (first, last) in asked {
        let (done_before, given_up_before) = (recut.done, recut.given_up);
        loop {
            settled.borrow_and_update();
            let counts = jobs::count_between(connections.log.pool(), Consumer::Thumbnails, *first, *last).await?;
            let in_state = |states: &[&str]| -> u64 {
                let counts = counts.iter().filter(|count| states.contains(&count.state.as_str()));
                counts.map(|count| count.jobs.unsigned_abs()).sum()
            };
            recut.done = done_before + in_state(&["completed"]);
            recut.given_up = given_up_before + in_state(&["discarded", "cancelled"]);
            bar.set_position(recut.done + recut.given_up);
            let ended = recut.done - done_before + recut.given_up - given_up_before;
            if i64::try_from(ended)? > last.0 - first.0 {
                break;
            }
            // What says that something has ended is a hint, and looking is the truth.
            drop(tokio::time::timeout(PAUSE, settled.changed()).await);
        }
    }
    Ok(())
}

impl Recut {
    fn told(&self, args: &Args) -> String {
        let Self { recipe_hash, matching, requested, done, given_up, position: _ } = self;
        if args.dry_run {
            return format!("{matching} variants match; the recipe of today is {recipe_hash}");
        }
        match (*requested, args.wait, *given_up) {
            (0, _, _) => "no variant matches".to_owned(),
            (_, false, _) => {
                format!("{requested} variants are going to be cut: `atelier status` tells how far that is")
            }
            (_, true, 0) => format!("{done} variants are cut by recipe {recipe_hash}"),
            (_, true, _) => format!(
                "{done} variants are cut by recipe {recipe_hash}, {given_up} were given up: `atelier dead --consumer \
                 thumbnails` tells why"
            ),
        }
    }
}

fn style() -> anyhow::Result<ProgressStyle> {
    Ok(ProgressStyle::with_template("{msg:7} {bar:40} {human_pos}/{human_len} variants, {per_sec}, {eta} left")?)
}
