//! `atelier import`: pictures on this machine become artworks, by the API as any client would do it.
//!
//! The command of a picture has a key made from its bytes and its title, so that importing a folder twice, or again
//! after it was broken off, adds what is missing and nothing else. The ZIP of an export is taken back in picture by picture,
//! each under the ids it had: the first of an artwork makes it again, and the others are added to it as its variants.

mod archive;
mod key;
mod pictures;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use atelier_events::ArtworkId;
use futures::StreamExt;
use serde::Serialize;

use crate::client::{AcceptedArtwork, Client, NewArtwork, Refused};
use pictures::Picture;

/// Pictures on their way at the same time.
const CONCURRENCY: usize = 4;

/// How long `--wait` waits for one artwork.
const WAIT_LIMIT: Duration = Duration::from_mins(10);

/// Adds pictures to the gallery.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Pictures (JPEG, PNG, WebP, GIF, AVIF), folders, which are searched for them, and ZIPs of exports, whose artworks are
    /// taken back in as they were.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// What is said about each.
    #[command(flatten)]
    pub details: Details,
    /// Wait until each artwork's page is live.
    #[arg(long)]
    pub wait: bool,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// What is said about every picture of an import.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Details {
    /// Title; the name of the file when none.
    #[arg(long)]
    pub title: Option<String>,
    /// Who made it, drawn as the watermark.
    #[arg(long)]
    pub artist: Option<String>,
    /// The page that inspired it.
    #[arg(long)]
    pub source_url: Option<String>,
    /// Tags, divided by commas.
    #[arg(long, value_delimiter = ',')]
    pub tags: Vec<String>,
}

/// What is to be imported.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Pictures and folders.
    pub paths: Vec<PathBuf>,
    /// What is said about each.
    pub details: Details,
    /// Whether each is waited for until its page is live.
    pub wait: bool,
}

/// What came of one file.
#[derive(Clone, Debug, Serialize)]
pub struct Imported {
    /// The file, or the path that was given and cannot be read.
    pub path: PathBuf,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What can come of a file.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It is an artwork now, or a variant of one.
    Added {
        /// Which.
        artwork_id: ArtworkId,
        /// Its page.
        url: String,
    },
    /// It was one before: of a picture, with the same title.
    AlreadyThere {
        /// Which.
        artwork_id: ArtworkId,
        /// Its page.
        url: String,
    },
    /// It is none.
    Failed {
        /// Why, in words.
        reason: String,
    },
}

/// What came of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Files that were added.
    pub added: usize,
    /// Files that were there before.
    pub already_there: usize,
    /// Files that could not be added.
    pub failed: usize,
}

/// Imports, and prints what came of each file as it comes.
pub async fn run(args: Args, client: &Client) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let options = Options { paths: args.paths, details: args.details, wait: args.wait };
    let mut printed = Ok(());
    let summary = import(client, options, |imported| {
        // What cannot be printed is imported all the same, and said at the end.
        if printed.is_ok() {
            printed = if args.json { print_json(imported) } else { print_line(imported) };
        }
    })
    .await?;
    printed?;
    if args.json {
        print_json(&summary)?;
    } else {
        let Summary { added, already_there, failed } = summary;
        let seconds = began.elapsed().as_secs_f64();
        writeln!(
            atelier_runtime::output(),
            "{added} added, {already_there} already there, {failed} failed, {seconds:.1} s"
        )?;
    }
    Ok(if summary.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Imports, and tells of each file as soon as it is known what came of it. An error only when nothing could be begun: a
/// file that fails does not disturb the others.
pub async fn import(client: &Client, options: Options, mut on_file: impl FnMut(&Imported)) -> anyhow::Result<Summary> {
    let Options { paths, details, wait } = options;
    let (zips, paths): (Vec<PathBuf>, Vec<PathBuf>) = paths.into_iter().partition(|path| archive::is_zip(path));
    let mut summary = Summary::default();
    let mut told = |imported: Imported| {
        match imported.outcome {
            Outcome::Added { .. } => summary.added += 1,
            Outcome::AlreadyThere { .. } => summary.already_there += 1,
            Outcome::Failed { .. } => summary.failed += 1,
        }
        on_file(&imported);
    };
    for zip in zips {
        if let Err(error) = import_zip(client, &zip, wait, &mut told).await {
            told(Imported { path: zip, outcome: Outcome::Failed { reason: format!("{error:#}") } });
        }
    }
    let found = tokio::task::spawn_blocking(move || pictures::find(&paths)).await?;
    let mut imports = futures::stream::iter(found)
        .map(|found| async {
            match found {
                Ok(path) => {
                    let outcome = outcome_of(client, &path, &details, wait).await;
                    Imported { path, outcome }
                }
                Err((path, error)) => {
                    let reason = error.to_string();
                    Imported { path, outcome: Outcome::Failed { reason } }
                }
            }
        })
        .buffer_unordered(CONCURRENCY);
    while let Some(imported) = imports.next().await {
        told(imported);
    }
    Ok(summary)
}

/// Takes the pictures of an export back in, one after the other in the order they were made. One that fails does not
/// disturb the others; an error is about the ZIP as a whole.
async fn import_zip(client: &Client, path: &Path, wait: bool, told: &mut impl FnMut(Imported)) -> anyhow::Result<()> {
    let mut archive = archive::Archive::open(path).await?;
    for entry in std::mem::take(&mut archive.entries) {
        let (artwork_id, variant_id, file) = (entry.id, entry.variant, path.join(&entry.file));
        let (back, unpacked) = archive.unpack(entry.clone()).await;
        archive = back;
        let restored = async {
            let outcome = archive::restore(client, entry, unpacked?.path()).await?;
            if wait {
                client.complete(artwork_id, variant_id, WAIT_LIMIT).await?;
                client.published(artwork_id, WAIT_LIMIT).await?;
            }
            anyhow::Ok(outcome)
        };
        let outcome = restored.await.unwrap_or_else(|error| Outcome::Failed { reason: format!("{error:#}") });
        told(Imported { path: file, outcome });
    }
    Ok(())
}

async fn outcome_of(client: &Client, path: &Path, details: &Details, wait: bool) -> Outcome {
    match import_one(client, path, details, wait).await {
        Ok(AcceptedArtwork { id, page_url, replayed: false, .. }) => Outcome::Added { artwork_id: id, url: page_url },
        Ok(AcceptedArtwork { id, page_url, replayed: true, .. }) => {
            Outcome::AlreadyThere { artwork_id: id, url: page_url }
        }
        Err(error) => Outcome::Failed { reason: format!("{error:#}") },
    }
}

async fn import_one(client: &Client, path: &Path, details: &Details, wait: bool) -> anyhow::Result<AcceptedArtwork> {
    let picture = Picture::open(path).await?;
    let title = details.title.clone().unwrap_or_else(|| picture.title());
    let key = key::of(path, &title).await?;
    let slot = client.begin_upload(&picture.filename(), picture.media_type, picture.length, Some(&key)).await?;
    let artwork = NewArtwork {
        upload_key: slot.key.clone(),
        title,
        artist: details.artist.clone(),
        description: None,
        source_url: details.source_url.clone(),
        tags: details.tags.clone(),
        // Whoever waits for one picture comes before a folder of them.
        priority: Some("bulk"),
        ..NewArtwork::default()
    };
    // Asked before the bytes are sent: what was imported before need not travel again.
    let accepted = match client.create_artwork(&artwork, &key).await {
        Err(error) if is_not_uploaded(&error) => {
            client.put(path, &slot).await.context("putting it into the bucket")?;
            client.create_artwork(&artwork, &key).await
        }
        answered => answered,
    }
    .map_err(explained)?;
    if wait {
        client.published(accepted.id, WAIT_LIMIT).await?;
    }
    Ok(accepted)
}

/// The API looks for the upload last: everything else about the request is right.
fn is_not_uploaded(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<Refused>();
    refused.is_some_and(|refused| refused.is("unprocessable") && refused.names("/upload_key"))
}

/// The bytes and the title are the same as before, so it is the rest of what is said about the picture that differs.
fn explained(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Refused>() {
        Some(refused) if refused.is("idempotency-key-reused") => {
            error.context("it was imported before under another file name, or with another artist, source or tags; another title makes it another artwork")
        }
        _ => error,
    }
}

fn print_json(value: &impl Serialize) -> std::io::Result<()> {
    writeln!(atelier_runtime::output(), "{}", serde_json::to_string(value)?)
}

fn print_line(Imported { path, outcome }: &Imported) -> std::io::Result<()> {
    let said = match outcome {
        Outcome::Added { url, .. } => url.clone(),
        Outcome::AlreadyThere { url, .. } => format!("{url} (already there)"),
        Outcome::Failed { reason } => format!("failed: {reason}"),
    };
    writeln!(atelier_runtime::output(), "{} -> {said}", path.display())
}
