//! `atelier site`: the releases of the gallery, back to an earlier one, and everything compared with what it should be.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use atelier_events::log::READ_LIMIT;
use atelier_events::{Connections, Consumer, jobs};
use atelier_runtime::Projection as _;
use atelier_site::publication::Publication;
use atelier_site::release::Release;
use atelier_site::settings::SiteSettings;
use clap::Subcommand;
use serde::Serialize;

use crate::command::Command;
use crate::jobs::ACTOR;
use crate::table::{self, Align};

/// Shows and changes what is live.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub order: Order,
    /// The folder that is served, where it is not that of the data directory: site.dir of the site daemon.
    #[arg(long, global = true, value_name = "DIR")]
    pub site_dir: Option<PathBuf>,
    /// Print one JSON object a line.
    #[arg(long, global = true)]
    pub json: bool,
}

/// What can be done.
#[derive(Clone, Debug, Subcommand)]
pub enum Order {
    /// Lists the live release and those that can be gone back to, newest first.
    Releases,
    /// Makes an earlier release live again, and pauses the site consumer so that it stays so.
    Rollback {
        /// Its number; unless given, the one before the live one.
        number: Option<u64>,
    },
    /// Renders everything, compares it with every byte that is live, and makes good what differs.
    Rebuild,
}

#[derive(Serialize)]
struct Rebuilt {
    differing: u64,
    release: Release,
}

/// Does it, and prints what came of it.
pub async fn run(args: Args, with: Command) -> anyhow::Result<ExitCode> {
    let mut settings = with.installation.site.clone();
    settings.dir = args.site_dir.unwrap_or(settings.dir);
    let json = args.json;
    match args.order {
        Order::Releases => print(&settings.folder()?.releases()?, json)?,
        Order::Rollback { number } => {
            with.connected(async |connections| roll_back(number, &settings, connections, json).await).await?;
        }
        Order::Rebuild => {
            with.connected(async |connections| rebuild(settings, connections, json).await).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn roll_back(
    number: Option<u64>,
    settings: &SiteSettings,
    connections: &Connections,
    json: bool,
) -> anyhow::Result<ExitCode> {
    // First: what is deployed in between would be what is live after.
    jobs::pause(&connections.log, Consumer::Site, ACTOR).await.context("pausing the site consumer")?;
    let back = settings.folder()?.roll_back(number).await;
    let back = back.context("the site consumer is paused; `atelier resume site` lets it go on")?.release;
    if json {
        table::print_json(&[back])?;
        return Ok(ExitCode::SUCCESS);
    }
    let to = back.back_to.unwrap_or_default();
    writeln!(
        std::io::stdout(),
        "release {} is live: it is release {to} again. The site consumer is paused so that it stays so; `atelier resume site` \
         publishes what is new",
        back.number
    )?;
    Ok(ExitCode::SUCCESS)
}

async fn rebuild(settings: SiteSettings, connections: &Connections, json: bool) -> anyhow::Result<ExitCode> {
    let mut publication = Publication::new(connections.log.clone(), connections.blobs.clone(), settings)?;
    loop {
        let after = publication.checkpoint().await?;
        let events = connections.log.read(after, READ_LIMIT).await.context("reading the log")?;
        if events.is_empty() {
            break;
        }
        publication.apply(&events).await?;
    }
    let atelier_site::publication::Rebuilt { release, differing } = publication.rebuild().await?;
    if json {
        table::print_json(&[Rebuilt { differing, release }])?;
    } else if differing == 0 {
        writeln!(std::io::stdout(), "{} files are what they should be", release.files)?;
    } else {
        let Release { files, number, .. } = release;
        writeln!(std::io::stdout(), "{differing} of {files} files differed; release {number} is live without that")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(releases: &[Release], json: bool) -> anyhow::Result<()> {
    if json {
        return table::print_json(releases);
    }
    let columns = [
        ("release", Align::Right),
        ("made", Align::Left),
        ("position", Align::Right),
        ("artworks", Align::Right),
        ("files", Align::Right),
        ("written", Align::Right),
        ("removed", Align::Right),
        ("", Align::Left),
    ];
    let rows = releases.iter().enumerate().map(|(index, release)| {
        let live = (index == 0).then(|| "live".to_owned());
        let back = release.back_to.map(|to| format!("release {to} again"));
        vec![
            release.number.to_string(),
            table::time(release.made_at),
            release.position.to_string(),
            release.artworks.to_string(),
            release.files.to_string(),
            release.files_written.to_string(),
            release.files_removed.to_string(),
            live.into_iter().chain(back).collect::<Vec<_>>().join(", "),
        ]
    });
    Ok(table::print(&columns, rows.collect())?)
}
