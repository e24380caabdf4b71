//! What clients ask of an installation, again and again until it is answered.

use std::path::Path;
use std::time::{Duration, Instant};

use atelier_events::{ArtworkId, ExportId};
use atelier_standalone::client::{Client, NewArtwork, NewExport, NewGeneration, Refused};
use tempfile::TempDir;

/// How long a client goes on asking.
const PATIENCE: Duration = Duration::from_mins(1);

/// Sends a command until it is answered: what breaks off in between may have happened or not, and an idempotency key
/// makes that the same. A refusal is an answer.
pub(crate) async fn persistently<T>(command: impl AsyncFn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        match command().await {
            Ok(answer) => return Ok(answer),
            Err(error) if is_answer(&error) || began.elapsed() > PATIENCE => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// 503 says to come again. Any other refusal is an answer, and so is 500: a fault that nobody should be asked to repeat.
fn is_answer(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.status != 503)
}

/// Asks for sketches of this side, each an artwork of its own.
pub(crate) async fn sketches(client: &Client, name: &str, count: u32, side: u32) -> anyhow::Result<Vec<ArtworkId>> {
    let generation = NewGeneration {
        prompt: format!("a harbour at dusk, {name}"),
        count: Some(count),
        width: Some(side),
        height: Some(side),
        title: Some(format!("Sketch {name}")),
        ..NewGeneration::default()
    };
    let key = format!("sketches-{name}");
    let accepted = persistently(async || client.create_generation(&generation, &key).await).await?;
    Ok(accepted.artworks.iter().map(|artwork| artwork.artwork_id).collect())
}

/// Uploads a picture and makes an artwork of it.
pub(crate) async fn upload(client: &Client, name: &str, media_type: &str, bytes: &[u8]) -> anyhow::Result<ArtworkId> {
    let folder = tempfile::tempdir()?;
    let path = file(&folder, name, bytes)?;
    let length = u64::try_from(bytes.len())?;
    let slot_key = format!("slot-{name}");
    let slot =
        persistently(async || client.begin_upload(name, media_type, length, Some(slot_key.as_str())).await).await?;
    client.put(Path::new(&path), &slot).await?;
    let artwork = NewArtwork {
        upload_key: slot.key,
        title: format!("Upload {name}"),
        artist: Some("A. Artist".to_owned()),
        ..NewArtwork::default()
    };
    let key = format!("artwork-{name}");
    Ok(persistently(async || client.create_artwork(&artwork, &key).await).await?.id)
}

/// Asks for a ZIP of everything.
pub(crate) async fn export(client: &Client, name: &str) -> anyhow::Result<ExportId> {
    let key = format!("export-{name}");
    Ok(persistently(async || client.create_export(&NewExport::all(), &key).await).await?.id)
}

/// A file of this content.
pub(crate) fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> anyhow::Result<std::path::PathBuf> {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes)?;
    Ok(path)
}
