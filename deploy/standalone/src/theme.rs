//! `atelier theme`: what somebody who makes a theme needs, one to begin with, what is wrong with theirs, and how it looks. None of it needs a
//! service, or leaves anything behind.

mod preview;

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use atelier_events::settings::load;
use atelier_site::check::{Checked, Finding, check};
use atelier_site::settings::{Settings, SiteSettings};
use clap::Subcommand;
use serde::Serialize;

use crate::table;

/// Begins, checks and shows a theme.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub order: Order,
}

/// What can be done.
#[derive(Clone, Debug, Subcommand)]
pub enum Order {
    /// Writes the built-in theme, with all that there is to know about templates, into a folder to begin from.
    New {
        /// The folder, which must be empty or not there.
        dir: PathBuf,
    },
    /// Renders a sample of every kind of work, and a gallery with nothing in it, and names what is wrong.
    Check {
        /// Which theme.
        #[command(flatten)]
        which: Which,
        /// Print one JSON object a line, for each thing that is wrong.
        #[arg(long)]
        json: bool,
    },
    /// Serves the sample in the theme as it is at every look, until Ctrl-C.
    Preview {
        /// Which theme.
        #[command(flatten)]
        which: Which,
        /// Where; port 0 takes any that is free.
        #[arg(long, default_value = "127.0.0.1:8083", value_name = "ADDRESS")]
        listen: SocketAddr,
    },
}

/// A theme.
#[derive(Clone, Debug, clap::Args)]
pub struct Which {
    /// Its folder; unless given, that of site.theme, or else the built-in one.
    pub dir: Option<PathBuf>,
}

#[derive(Serialize)]
struct Told<'a> {
    place: &'a str,
    line: Option<usize>,
    text: &'a str,
    what: &'a str,
    page: Option<&'a str>,
    pages: usize,
}

/// Does it.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.order {
        Order::New { dir } => begin(&dir),
        Order::Check { which, json } => {
            let settings = settings(which)?;
            let theme = settings.theme()?;
            print(&check(&settings.into_meta(), &theme)?, json)
        }
        Order::Preview { which, listen } => preview::run(settings(which)?, listen).await,
    }
}

fn settings(which: Which) -> anyhow::Result<SiteSettings> {
    let mut settings = load::<Settings>()?.site;
    settings.theme = which.dir.unwrap_or(settings.theme);
    Ok(settings)
}

fn begin(dir: &Path) -> anyhow::Result<ExitCode> {
    let is_empty = fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none());
    ensure!(is_empty, "{} holds something already", dir.display());
    for (path, bytes) in atelier_site::theme::files() {
        let path = dir.join(path);
        let folder = path.with_file_name("");
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
    }
    let dir = dir.display();
    writeln!(
        atelier_runtime::output(),
        "{dir} holds the built-in theme, and README.md what there is to know. Remove what you do not change: it is the \
         built-in theme's then. `atelier theme preview {dir}` shows it, site.theme = \"{dir}\" puts it into use"
    )?;
    Ok(ExitCode::SUCCESS)
}

fn print(checked: &Checked, json: bool) -> anyhow::Result<ExitCode> {
    let Checked { files, findings } = checked;
    if json {
        let lines: Vec<Told<'_>> = findings.iter().map(told).collect();
        table::print_json(&lines)?;
    } else {
        let mut out = atelier_runtime::output();
        for Finding { fault, page, pages } in findings {
            match page {
                Some(page) if *pages > 1 => writeln!(out, "{fault}\n    on \"{page}\" and {} more", pages - 1)?,
                Some(page) => writeln!(out, "{fault}\n    on \"{page}\"")?,
                None => writeln!(out, "{fault}")?,
            }
        }
        if findings.is_empty() {
            writeln!(out, "{files} files rendered, nothing wrong")?;
        }
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn told(finding: &Finding) -> Told<'_> {
    let Finding { fault, page, pages } = finding;
    Told {
        place: &fault.place,
        line: fault.line,
        text: &fault.text,
        what: &fault.what,
        page: page.as_deref(),
        pages: *pages,
    }
}
