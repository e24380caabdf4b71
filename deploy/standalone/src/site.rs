//! `atelier site`: the releases of the gallery and which of them the target has, deploys by hand, back to an earlier release,
//! and everything compared with what it should be.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use atelier_events::lifecycle::shutdown_signal;
use atelier_events::stalls::Stall;
use atelier_events::{Connections, Consumer, Position, jobs};
use atelier_site::publication::{Publication, Published};
use atelier_site::release::{DeployError, Identity, Release};
use atelier_site::replay;
use atelier_site::settings::SiteSettings;
use atelier_site::target::settings::TargetKind;
use atelier_site::target::{Change, Target};
use clap::Subcommand;
use serde::Serialize;

use crate::command::Command;
use crate::consumers;
use crate::installation::Installation;
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
    /// Lists the live release and those that can be gone back to, newest first, and says which one the target has, and what
    /// keeps the site consumer from bringing it the live one.
    Releases,
    /// Deploys what the log says, as the site consumer does by itself.
    Deploy {
        /// Only say what would change at the target.
        #[arg(long)]
        dry_run: bool,
    },
    /// Makes an earlier release live again, also at the target, and pauses the site consumer so that it stays so.
    Rollback {
        /// Its number; unless given, the one before the live one.
        number: Option<u64>,
    },
    /// Renders everything from the log again, compares it with every byte that is live, and makes good what differs, also at
    /// the target.
    Replay(replay::Args),
}

/// A release as it is listed.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    release: Release,
    live: bool,
    /// Whether it is the one that the target has.
    at_target: bool,
    /// Of the live one: why the site consumer does not go on from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    stall: Option<Stall>,
}

/// What came of a deploy.
#[derive(Serialize)]
struct Deployed {
    #[serde(flatten)]
    release: Release,
    changed: bool,
    target: &'static str,
    /// What was sent to the target and deleted there.
    target_files: u64,
    target_bytes: u64,
    target_deleted: u64,
}

/// What a deploy would change.
#[derive(Serialize)]
struct Planned {
    target: &'static str,
    files: u64,
    bytes: u64,
    deletes: u64,
    by_kind: Vec<Change>,
}

/// Does it, and prints what came of it.
pub async fn run(args: Args, with: Command) -> anyhow::Result<ExitCode> {
    let json = args.json;
    if matches!(args.order, Order::Releases) && with.installation.site.target.kind == TargetKind::Folder {
        let settings = settings(&with.installation, args.site_dir.as_deref());
        return list(&settings, &Target::folder(), None, json).await;
    }
    with.connected_installation(async |installation, connections| {
        let settings = settings(installation, args.site_dir.as_deref());
        let target = settings.target(&installation.producer.store)?;
        match args.order {
            Order::Releases => {
                let site = consumers::listed(connections, &[Consumer::Site]).await?.pop();
                let listed = list(&settings, &target, site.as_ref().and_then(|site| site.stall.as_ref()), json).await?;
                if !json && let Some(site) = site {
                    consumers::print_stall(&site)?;
                }
                Ok(listed)
            }
            Order::Rollback { number } => roll_back(number, &settings, target, connections, json).await,
            Order::Deploy { dry_run: true } => plan(&settings, target, connections, json).await,
            Order::Deploy { dry_run: false } => deploy(&settings, target, connections, json).await,
            Order::Replay(args) => {
                let Connections { log, blobs, .. } = connections.clone();
                let publication = Publication::new(log, blobs, settings)?.brought_to(target);
                replay::run(args, json, publication, shutdown_signal()?).await
            }
        }
    })
    .await
}

fn settings(installation: &Installation, dir: Option<&Path>) -> SiteSettings {
    let mut settings = installation.site.clone();
    if let Some(dir) = dir {
        dir.clone_into(&mut settings.dir);
    }
    settings
}

/// The gallery as the log says it up to a position.
async fn folded(
    settings: &SiteSettings,
    target: Target,
    connections: &Connections,
    up_to: Option<Position>,
) -> anyhow::Result<Publication> {
    let Connections { log, blobs, .. } = connections.clone();
    let mut publication = Publication::new(log, blobs, settings.clone())?.brought_to(target);
    publication.read(up_to).await?;
    Ok(publication)
}

async fn roll_back(
    number: Option<u64>,
    settings: &SiteSettings,
    target: Target,
    connections: &Connections,
    json: bool,
) -> anyhow::Result<ExitCode> {
    // First: what is deployed in between would be what is live after.
    jobs::pause(&connections.log, Consumer::Site, ACTOR).await.context("pausing the site consumer")?;
    let folder = settings.folder()?;
    let back = match folder.roll_back(number).await {
        Ok(back) => back.release,
        // It was gone back to before, and did not reach the target.
        Err(DeployError::Live(_)) if number.is_some() && !target.is_folder() => {
            folder.live()?.context("nothing has been deployed yet")?
        }
        Err(error) => {
            return Err(error).context("the site consumer is paused; `atelier resume site` lets it go on");
        }
    };
    let kind = target.kind();
    if !target.is_folder() {
        let up_to = Position(i64::try_from(back.position).context("a position fits")?);
        let mut publication = folded(settings, target, connections, Some(up_to)).await?;
        publication.bring_live().await.with_context(|| {
            format!("release {0} is live in the folder alone; `atelier site rollback {0}` tries again", back.number)
        })?;
    }
    if json {
        table::print_json(&[back])?;
        return Ok(ExitCode::SUCCESS);
    }
    let to = back.back_to.unwrap_or_default();
    writeln!(
        atelier_runtime::output(),
        "release {} is live ({kind}): it is release {to} again. The site consumer is paused so that it stays so; `atelier \
         resume site` publishes what is new",
        back.number
    )?;
    Ok(ExitCode::SUCCESS)
}

async fn plan(
    settings: &SiteSettings,
    target: Target,
    connections: &Connections,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let kind = target.kind();
    let difference = folded(settings, target, connections, None).await?.preview().await?;
    let ((files, bytes, deletes), by_kind) = (difference.totals(), difference.by_kind());
    if json {
        table::print_json(&[Planned { target: kind, files, bytes, deletes, by_kind }])?;
        return Ok(ExitCode::SUCCESS);
    }
    if difference.totals() == (0, 0, 0) {
        writeln!(atelier_runtime::output(), "nothing would change at the target ({kind})")?;
        return Ok(ExitCode::SUCCESS);
    }
    let columns = [("", Align::Left), ("put", Align::Right), ("bytes", Align::Right), ("deleted", Align::Right)];
    let row = |name: &str, [puts, bytes, deletes]: [u64; 3]| {
        vec![name.to_owned(), puts.to_string(), bytes.to_string(), deletes.to_string()]
    };
    let mut rows: Vec<Vec<String>> =
        by_kind.iter().map(|change| row(change.kind.name(), [change.puts, change.bytes, change.deletes])).collect();
    rows.push(row(kind, [files, bytes, deletes]));
    table::print(&columns, rows)?;
    Ok(ExitCode::SUCCESS)
}

async fn deploy(
    settings: &SiteSettings,
    target: Target,
    connections: &Connections,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let kind = target.kind();
    let Published { release, changed, brought, .. } =
        folded(settings, target, connections, None).await?.publish().await?;
    let (target_files, target_bytes, target_deleted) =
        brought.as_ref().map_or((0, 0, 0), |brought| (brought.files, brought.bytes, brought.deleted));
    if json {
        let deployed = Deployed { release, changed, target: kind, target_files, target_bytes, target_deleted };
        table::print_json(&[deployed])?;
        return Ok(ExitCode::SUCCESS);
    }
    let Release { number, files_written, files_removed, .. } = release;
    if changed {
        writeln!(
            atelier_runtime::output(),
            "release {number} is live: {files_written} files written, {files_removed} removed"
        )?;
    } else {
        writeln!(atelier_runtime::output(), "release {number} is live already")?;
    }
    if brought.is_some_and(|brought| brought.changed) {
        writeln!(
            atelier_runtime::output(),
            "the target ({kind}) has it: {target_files} files sent, {target_bytes} bytes; {target_deleted} deleted"
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(settings: &SiteSettings, target: &Target, stall: Option<&Stall>, json: bool) -> anyhow::Result<ExitCode> {
    let folder = settings.folder()?;
    let has = target.has(&folder).await.context("asking the target which release it has")?;
    let listed = folder.releases()?.into_iter().enumerate().map(|(index, release)| Listed {
        live: index == 0,
        stall: stall.filter(|_| index == 0).cloned(),
        at_target: has.as_ref() == Some(&Identity::from(&release)),
        release,
    });
    let listed: Vec<Listed> = listed.collect();
    if json {
        table::print_json(&listed)?;
        return Ok(ExitCode::SUCCESS);
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
    let rows = listed.iter().map(|Listed { release, live, at_target, .. }| {
        let live = live.then(|| "live".to_owned());
        let there = (*at_target && !target.is_folder()).then(|| format!("at the target ({})", target.kind()));
        let back = release.back_to.map(|to| format!("release {to} again"));
        vec![
            release.number.to_string(),
            table::time(release.made_at),
            release.position.to_string(),
            release.artworks.to_string(),
            release.files.to_string(),
            release.files_written.to_string(),
            release.files_removed.to_string(),
            live.into_iter().chain(there).chain(back).collect::<Vec<_>>().join(", "),
        ]
    });
    table::print(&columns, rows.collect())?;
    if !target.is_folder() && !listed.iter().any(|listed| listed.at_target) {
        let what = has.map_or_else(
            || "none that is known".to_owned(),
            |has| format!("release {} of {}, which is not listed", has.number, table::time(has.made_at)),
        );
        writeln!(atelier_runtime::output(), "the target ({}) has {what}", target.kind())?;
    }
    Ok(ExitCode::SUCCESS)
}
