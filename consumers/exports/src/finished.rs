//! ZIPs that are there already: whoever asks for what has been packed gets the same ZIP.
//!
//! Beside each ZIP lies a note under the digest of its contents, written when the ZIP is there. An attempt that finds the
//! note of its contents has nothing to pack: it may be a second export of the same pictures, or the same one after a crash
//! between the ZIP and its event. Two exports that share a ZIP end at the same time, so that none deletes it under the
//! other; a ZIP whose time is half over is therefore packed anew.

use std::time::Duration;

use anyhow::Context as _;
use atelier_events::export::Completed;
use atelier_events::{BlobError, Blobs, ExportId, keys};
use time::OffsetDateTime;

/// The longest note that is read: it names what is missing.
const NOTE_BYTES: u64 = 64 << 20;

/// What an export of these contents, kept for so long, can take over.
pub(crate) async fn find(
    blobs: &Blobs,
    export_id: ExportId,
    contents: &str,
    keep: Option<Duration>,
) -> anyhow::Result<Option<Completed>> {
    let Some(found) = read(blobs, contents).await? else { return Ok(None) };
    let lasts = match (found.kept_until, keep) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(until), Some(keep)) => until - OffsetDateTime::now_utc() >= keep / 2,
    };
    if !lasts || blobs.head(&found.archive.key).await?.is_none_or(|head| head.length != found.archive.length) {
        return Ok(None);
    }
    Ok(Some(Completed { export_id, ..found }))
}

/// Leaves the note for the next.
pub(crate) async fn note(blobs: &Blobs, completed: &Completed) -> anyhow::Result<()> {
    let Some(contents) = &completed.contents else { return Ok(()) };
    let note = serde_json::to_vec(completed)?;
    blobs.put_mutable(&keys::export_contents(contents), note.into(), "application/json").await?;
    Ok(())
}

/// Deletes a ZIP with what belongs to it.
pub(crate) async fn delete(blobs: &Blobs, completed: &Completed) -> anyhow::Result<()> {
    if let Some(contents) = &completed.contents
        && read(blobs, contents).await?.is_some_and(|note| note.archive.key == completed.archive.key)
    {
        blobs.delete(&keys::export_contents(contents)).await?;
    }
    blobs.delete(&completed.archive.key).await?;
    Ok(blobs.delete(&keys::export_list(completed.export_id)).await?)
}

async fn read(blobs: &Blobs, contents: &str) -> anyhow::Result<Option<Completed>> {
    let key = keys::export_contents(contents);
    match blobs.get(&key, NOTE_BYTES).await {
        Ok(note) => serde_json::from_slice(&note).map(Some).with_context(|| format!("reading {key:?}")),
        Err(BlobError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
