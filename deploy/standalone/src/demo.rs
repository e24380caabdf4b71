//! `atelier demo`: the main job on real input. Sketches are generated and pictures imported, through the API like any
//! client's; the consumers do the rest; in the end there is a gallery, a ZIP and a table of what took how long.

mod timeline;
mod words;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use atelier_events::{ArtworkEvent, ArtworkId, Event, ExportId, Position, Recorded, VariantEvent, keys};
use tokio_util::sync::CancellationToken;

use crate::client::{Client, NewExport, NewGeneration};
use crate::home::{Home, Running};
use crate::import::{Details, Imported, Options, Outcome, import};
use timeline::{Timeline, Watched};

/// How long everything together may take before the demonstration is called failed.
const PATIENCE: Duration = Duration::from_mins(15);

/// Shows everything.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Pictures, and folders with pictures, to import beside the sketches.
    #[arg(value_name = "PATH")]
    pub pictures: Vec<PathBuf>,
    /// End when all is done; the exit status says whether all went well.
    #[arg(long)]
    pub once: bool,
    /// Run the daemons as processes of their own, with the programs beside this one; needs `bus.url` for RabbitMQ.
    #[arg(long)]
    pub daemons: bool,
    #[command(flatten)]
    pub listen: crate::up::Listen,
}

/// What the demonstration did.
pub struct Shown {
    artworks: BTreeMap<ArtworkId, Watched>,
    failures: Vec<String>,
    archive: Option<(ExportId, String)>,
    published_took: Duration,
    export_took: Duration,
}

/// Shows everything on an installation that runs.
pub async fn show(client: &Client, after: Position, pictures: Vec<PathBuf>) -> anyhow::Result<Shown> {
    let began = Instant::now();
    let mut timeline = Timeline::new(words::PROMPTS.len());
    let mut failures = Vec::new();
    for (prompt, title) in words::PROMPTS {
        let generation = NewGeneration {
            prompt: (*prompt).to_owned(),
            title: Some((*title).to_owned()),
            tags: vec!["sketch".to_owned(), "demo".to_owned()],
            ..NewGeneration::default()
        };
        let key = uuid::Uuid::now_v7().to_string();
        let accepted =
            client.create_generation(&generation, &key).await.with_context(|| format!("asking for {title:?}"))?;
        for generating in accepted.artworks {
            timeline.watch(generating.artwork_id, title);
        }
    }
    let options = Options {
        paths: pictures,
        details: Details { tags: vec!["import".into()], ..Details::default() },
        wait: false,
    };
    if !options.paths.is_empty() {
        import(client, options, |imported| note(imported, &mut timeline, &mut failures)).await?;
    }
    tokio::time::timeout(PATIENCE, follow(client, after, &mut timeline))
        .await
        .with_context(|| format!("not everything was published within {} s", PATIENCE.as_secs()))??;
    failures.extend(timeline.failures());
    let published_took = began.elapsed();
    let export_began = Instant::now();
    let archive = match export(client).await {
        Ok(archive) => Some(archive),
        Err(error) => {
            failures.push(format!("the export: {error:#}"));
            None
        }
    };
    Ok(Shown { artworks: timeline.finish(), failures, archive, published_took, export_took: export_began.elapsed() })
}

fn note(imported: &Imported, timeline: &mut Timeline, failures: &mut Vec<String>) {
    let name = imported.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match &imported.outcome {
        Outcome::Added { artwork_id, .. } => timeline.watch(*artwork_id, &name),
        Outcome::AlreadyThere { .. } => {}
        Outcome::Failed { reason } => failures.push(format!("{}: {reason}", imported.path.display())),
    }
}

/// Follows the log until every artwork that is watched has been published or has failed.
async fn follow(client: &Client, after: Position, timeline: &mut Timeline) -> anyhow::Result<()> {
    let mut feed = client.events(after);
    while !timeline.is_done() {
        let recorded = feed.next().await?;
        tell(timeline, &recorded)?;
    }
    Ok(())
}

fn tell(timeline: &mut Timeline, recorded: &Recorded) -> anyhow::Result<()> {
    let at = recorded.occurred_at;
    match (recorded.stream.artwork_id(), recorded.event()?) {
        (Some(id), Event::Variant(VariantEvent::Requested(_) | VariantEvent::Uploaded(_))) => timeline.asked(id, at),
        (Some(id), Event::Variant(VariantEvent::Generated(_))) => timeline.generated(id, at),
        (Some(id), Event::Variant(VariantEvent::Rendered(_))) => timeline.rendered(id, at),
        (Some(id), Event::Variant(VariantEvent::Failed(failed))) => timeline.failed(id, &failed.error),
        (Some(id), Event::Artwork(ArtworkEvent::Published(_))) => timeline.published(id, at),
        (_, Event::Artwork(_) | Event::Variant(_) | Event::Export(_) | Event::Site(_)) => {}
    }
    Ok(())
}

/// Packs everything and answers where the ZIP can be had.
async fn export(client: &Client) -> anyhow::Result<(ExportId, String)> {
    let accepted = client.create_export(&NewExport::all(), &uuid::Uuid::now_v7().to_string()).await?;
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let export = client.export(accepted.id, Duration::from_secs(30)).await?;
        match (export.state.as_str(), export.download_url, export.error) {
            ("completed", Some(url), _) => return Ok((accepted.id, url)),
            ("failed", _, error) => bail!("{}", error.unwrap_or_else(|| "failed without a word".to_owned())),
            _ => {}
        }
    }
    bail!("not complete within {} s", PATIENCE.as_secs())
}

/// Prints where to look and what took how long, and waits for Ctrl-C unless everything is to end.
pub async fn present(
    shown: Shown,
    running: &Running,
    home: &Home,
    once: bool,
    shutdown: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let mut out = atelier_runtime::output();
    writeln!(out)?;
    timeline::print(&shown.artworks)?;
    writeln!(
        out,
        "\n{} artworks published in {:.1} s, the ZIP of the whole gallery in {:.1} s.\n",
        shown.artworks.len(),
        shown.published_took.as_secs_f64(),
        shown.export_took.as_secs_f64()
    )?;
    if once {
        writeln!(out, "  gallery   {} (`atelier up` serves it)", home.site().join("index.html").display())?;
        if let (Some((id, _)), Some(_)) = (&shown.archive, &running.store_endpoint) {
            writeln!(out, "  ZIP       {}", home.blob(&keys::export(*id)).display())?;
        }
    } else {
        writeln!(out, "  gallery   {}/", running.site_url)?;
        writeln!(
            out,
            "  API       {}/v1/artworks, with the key in {}",
            running.api_url,
            home.api_key_file().display()
        )?;
        if let Some((_, url)) = &shown.archive {
            writeln!(out, "  ZIP       {url}")?;
        }
    }
    for failure in &shown.failures {
        writeln!(out, "  failed    {failure}")?;
    }
    if !once {
        writeln!(out, "\nServing until Ctrl-C.")?;
        out.flush()?;
        shutdown.cancelled().await;
    }
    Ok(if shown.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
