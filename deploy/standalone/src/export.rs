//! `atelier export`: artworks as one ZIP on this machine, by the API as any client would do it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use atelier_events::ArtworkId;
use tempfile::NamedTempFile;

use crate::client::{Client, Export, NewExport};

/// How long one look waits; there is another as long as the ZIP is being packed.
const LOOK: Duration = Duration::from_secs(30);

/// Packs artworks into a ZIP and fetches it.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// These artworks; everything when none is named.
    #[arg(value_name = "ARTWORK")]
    pub artworks: Vec<ArtworkId>,
    /// Which variants of each: the one that stands for it, or all that are complete. When nothing is said, all of
    /// everything's originals, which is a backup, and the cover of anything else.
    #[arg(long, value_parser = ["cover", "all"])]
    pub variants: Option<String>,
    /// Which file of each: originals, or a kind of rendition such as display; originals when nothing is said, which
    /// `import` takes back in.
    #[arg(long, value_name = "KIND")]
    pub files: Option<String>,
    /// The file that the ZIP becomes; atelier-EXPORT.zip here when nothing is said.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print what came of it as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Exports, and prints what came of it. Fails when something that was asked for is not in the ZIP.
pub async fn run(args: Args, client: &Client) -> anyhow::Result<ExitCode> {
    let json = args.json;
    let (path, export) = export(client, args).await?;
    let mut out = atelier_runtime::output();
    let (pictures, length) = (export.pictures.unwrap_or_default(), export.length.unwrap_or_default());
    if json {
        let (id, sha256, missing) = (export.id, &export.sha256, &export.missing);
        let said = serde_json::json!({
            "id": id, "file": path, "pictures": pictures, "length": length, "sha256": sha256, "missing": missing,
        });
        writeln!(out, "{said}")?;
    } else {
        for missing in &export.missing {
            writeln!(out, "missing: {}", missing.reason)?;
        }
        writeln!(out, "{}: {pictures} pictures, {length} bytes, {} missing", path.display(), export.missing.len())?;
    }
    Ok(if export.missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks for a ZIP, waits until it is packed, and fetches it. A file that is there already gives way to a ZIP that is whole.
pub async fn export(client: &Client, args: Args) -> anyhow::Result<(PathBuf, Export)> {
    let asked = NewExport { files: args.files, variants: args.variants, ..NewExport::default() };
    let asked = match args.artworks {
        none if none.is_empty() => NewExport { all: true, ..asked },
        artworks => NewExport { artwork_ids: Some(artworks), ..asked },
    };
    // Who asks for the same again gets the ZIP that is there.
    let id = client.create_export(&asked, &uuid::Uuid::now_v7().to_string()).await?.id;
    let export = loop {
        let export = client.export(id, LOOK).await?;
        if export.state != "pending" {
            break export;
        }
    };
    let Some(url) = &export.download_url else {
        bail!("{}", export.error.unwrap_or_else(|| format!("the export is {}", export.state)))
    };
    let path = args.out.unwrap_or_else(|| format!("atelier-{id}.zip").into());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let part = NamedTempFile::new_in(folder).with_context(|| format!("there is no place in {}", folder.display()))?;
    let mut file = tokio::fs::File::from_std(part.reopen()?);
    let sha256 = client.fetch(url, &mut file).await.context("fetching the ZIP")?;
    ensure!(export.sha256.as_ref() == Some(&sha256), "the ZIP was damaged on its way: its sha256 is {sha256}");
    file.sync_all().await?;
    part.persist(&path).with_context(|| format!("naming it {}", path.display()))?;
    Ok((path, export))
}
