//! `atelier bench`: what is measured, against what, in the same run.
//!
//! A number alone says more about the machine than about Atelier. Each is therefore measured in rounds that alternate
//! with those of a baseline, and told with the ratio of the two medians.

mod export;
mod folder;
mod jobs;
mod live;
mod log;
mod renditions;
mod replay;
mod rounds;
mod scratch;
mod site;
mod thumbnails;

use std::io::Write;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::ensure;
use atelier_events::lifecycle::shutdown_signal;
use clap::ValueEnum;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::installation::Installation;
use crate::table::{self, Align};
pub use export::Part;
use scratch::Scratch;

/// Pictures of a round of `thumbnails`.
const PICTURES: u32 = 100;

/// Measures, against a baseline in the same run.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to measure.
    pub name: Name,
    /// The pictures, for `renditions` and `thumbnails`.
    pub files: Vec<PathBuf>,
    /// How long a round is, in seconds; there are three of each.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// How many events are replayed.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(100..=100_000_000))]
    pub events: u32,
    /// How many pictures: of a round of `thumbnails` (100 unless set), or for one worker of `renditions`, whose memory is
    /// then looked at for growth.
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub images: Option<u32>,
    /// How much is exported, in GiB.
    #[arg(long, default_value_t = 2.0)]
    pub gib: f64,
    /// A part of `export`, as a process of its own.
    #[arg(long, hide = true)]
    pub part: Option<Part>,
    /// How many artworks the site of `site` has.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub artworks: u32,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Name {
    /// The log: appends and verification, on a database of its own.
    Log,
    /// The queue: enqueueing, draining, a job's whole life and how long one waits, on Postgres and on the RabbitMQ of
    /// bus.url.
    Jobs,
    /// The replay of the index, over a log of its own.
    Replay,
    /// What cutting the renditions of pictures costs; without any service, and compared by whoever runs something else.
    Renditions,
    /// An export from its event to its ZIP, over the embedded bucket, against a plain copy of the same objects.
    Export,
    /// A picture of a megapixel from the command to its page on the disk, with everything in one process.
    Live,
    /// A release of the site: of everything, of one more artwork, and of nothing; without any service.
    Site,
    /// The thumbnails consumer from end to end, over the embedded bucket and a log of its own, against the cutting alone.
    Thumbnails,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// What.
    pub name: &'static str,
    /// How much: the median of the rounds.
    pub value: f64,
    /// Of what, such as `events/s`.
    pub unit: &'static str,
    /// What it is compared with.
    pub baseline: &'static str,
    /// How much that was in the same run.
    pub baseline_value: f64,
    /// `value / baseline_value`.
    pub ratio: f64,
}

/// A number as `--json` prints it.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    measured: &'a Measured,
    /// What it was measured on.
    on: &'a str,
}

/// Measures on the server of the settings, in a database that is dropped afterwards, and prints each result as it comes.
pub async fn run(args: Args, mut installation: Installation) -> anyhow::Result<ExitCode> {
    ensure!(args.seconds > 0.0 && args.seconds <= 3_600.0, "--seconds {}: more than 0 and at most 3600", args.seconds);
    ensure!(args.gib > 0.0 && args.gib <= 1_024.0, "--gib {}: more than 0 and at most 1024", args.gib);
    if let Some(part) = args.part {
        let connections = installation.connect(CancellationToken::new()).await?;
        export::run_part(part, &connections).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let length = Duration::from_secs_f64(args.seconds);
    if cfg!(debug_assertions) {
        writeln!(std::io::stderr(), "this is a build without optimisation: the numbers are lower than they need be")?;
    }
    if args.name == Name::Renditions {
        renditions::measure(&args.files, args.images, args.json).await?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.name == Name::Site {
        site::measure(args.artworks, args.json).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let pictures = args.name == Name::Thumbnails;
    ensure!(pictures || args.files.is_empty(), "only `bench renditions` and `bench thumbnails` take files");
    ensure!(pictures || args.images.is_none(), "--images is for `bench renditions` and `bench thumbnails`");
    let shutdown = shutdown_signal()?;
    let scratch = Scratch::create(&installation.producer.database).await?;
    let measured = tokio::select! {
        measured = measure(&args, &scratch, installation, length) => measured,
        () = shutdown.cancelled() => Err(anyhow::anyhow!("stopped before the end")),
    };
    scratch.drop_database().await?;
    let measured = measured?;
    if !args.json {
        print(&measured)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(
    args: &Args,
    scratch: &Scratch,
    installation: Installation,
    length: Duration,
) -> anyhow::Result<Vec<Measured>> {
    let Installation { producer, thumbnails: settings, consumer, .. } = installation;
    let json = args.json;
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let on = format!("{processors} processors, {}", scratch.server().await?);
    if !json {
        writeln!(atelier_runtime::output(), "{on}")?;
    }
    let mut all = Vec::new();
    let mut on_measured = |measured: Measured| {
        if json {
            writeln!(atelier_runtime::output(), "{}", serde_json::to_string(&Line { measured: &measured, on: &on })?)?;
        }
        all.push(measured);
        anyhow::Ok(())
    };
    match args.name {
        Name::Log => log::measure(scratch, length, &mut on_measured).await?,
        Name::Jobs => jobs::measure(scratch, &producer.bus, length, &mut on_measured).await?,
        Name::Export => Box::pin(export::measure(scratch, args.gib, &mut on_measured)).await?,
        Name::Live => Box::pin(live::measure(scratch, settings, &mut on_measured)).await?,
        Name::Replay => replay::measure(scratch, args.events, &mut on_measured).await?,
        Name::Thumbnails => {
            let images = args.images.unwrap_or(PICTURES);
            thumbnails::measure(scratch, (settings, consumer), &args.files, images, &mut on_measured).await?;
        }
        Name::Renditions | Name::Site => unreachable!("needs no database"),
    }
    Ok(all)
}

fn print(measured: &[Measured]) -> std::io::Result<()> {
    let columns = [
        ("measured", Align::Left),
        ("value", Align::Right),
        ("unit", Align::Left),
        ("baseline", Align::Left),
        ("baseline value", Align::Right),
        ("ratio", Align::Right),
    ];
    let rows = measured.iter().map(|one| {
        vec![
            one.name.to_owned(),
            rounded(one.value),
            one.unit.to_owned(),
            one.baseline.to_owned(),
            rounded(one.baseline_value),
            format!("{:.2}", one.ratio),
        ]
    });
    table::print(&columns, rows.collect())
}

/// Small numbers with their tenths.
fn rounded(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}
