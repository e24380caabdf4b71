//! Every blob that an event names: is it there, and is it what the event says?

use std::collections::HashMap;

use anyhow::Context;
use atelier_events::log::READ_LIMIT;
use atelier_events::{Artwork, Blob, BlobError, Export, Position, Recorded, Unreadable};
use atelier_runtime::Connections;
use futures::StreamExt;
use time::OffsetDateTime;

use super::{Flaw, Progress};

/// Blobs read through at the same time.
const CONCURRENCY: usize = 4;

/// What has been read through.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checked {
    /// Blobs.
    pub(super) checked: u64,
    /// Their bytes.
    pub(super) bytes: u64,
}

/// Walks the log after a position and reads every blob through, the first time that its key is named.
pub(super) async fn verify(
    connections: &Connections,
    mut after: Position,
    flaws: &mut Vec<Flaw>,
    mut progress: impl FnMut(Progress),
) -> anyhow::Result<Checked> {
    // Per key the digest that it was first named with: some 150 bytes of memory for each.
    let mut seen: HashMap<String, String> = HashMap::new();
    let mut done = Checked::default();
    loop {
        let events = connections.log.read(after, READ_LIMIT).await.context("reading the log")?;
        let Some(last) = events.last() else { return Ok(done) };
        after = last.position;
        let mut new = Vec::new();
        for event in &events {
            for blob in named(event, flaws) {
                match seen.get(&blob.key) {
                    None => {
                        seen.insert(blob.key.clone(), blob.sha256.clone());
                        new.push((event, blob));
                    }
                    Some(digest) if *digest == blob.sha256 => {}
                    Some(_) => flaws.push(flaw(&blob.key, event.position, "was said before to have another content")),
                }
            }
        }
        let mut checks = futures::stream::iter(new)
            .map(|(event, blob)| check(connections, event, blob))
            .buffer_unordered(CONCURRENCY);
        while let Some(checked) = checks.next().await {
            let (length, found) = checked?;
            done.checked += 1;
            done.bytes += length;
            flaws.extend(found);
            progress(Progress::Blobs { checked: done.checked, named: seen.len() as u64 });
        }
    }
}

/// The blobs that an event says are there. An event that cannot be read is a flaw: nobody knows what it names;
/// one that a newer version wrote is not.
fn named(event: &Recorded, flaws: &mut Vec<Flaw>) -> Vec<Blob> {
    match event.event() {
        Ok(event) => event.into_blobs(),
        // No flaw of the log's: whoever wrote it can read it.
        Err(Unreadable::UnknownType(_)) => {
            let (event_type, position) = (&event.event_type, event.position);
            tracing::warn!(%event_type, %position, "a newer version wrote this event: its blobs are not checked");
            Vec::new()
        }
        Err(error) => {
            flaws.push(Flaw::new("log", format!("the event at position {} cannot be read: {error}", event.position)));
            Vec::new()
        }
    }
}

/// The bytes read and what is wrong. A store that cannot be reached is an error: that says nothing about the blob.
async fn check(connections: &Connections, event: &Recorded, blob: Blob) -> anyhow::Result<(u64, Option<Flaw>)> {
    let position = event.position;
    Ok(match connections.blobs.digest(&blob.key).await {
        Ok(Some((sha256, length))) if sha256 == blob.sha256 && length == blob.length => (length, None),
        Ok(Some((_, length))) => {
            (length, Some(flaw(&blob.key, position, "was changed: its content has another digest")))
        }
        Ok(None) if superseded(connections, event, &blob.key).await? => (0, None),
        Ok(None) => (0, Some(flaw(&blob.key, position, "is missing"))),
        Err(BlobError::Invalid { reason, .. }) => {
            (0, Some(flaw(&blob.key, position, &format!("cannot be there: {reason}"))))
        }
        Err(error) => return Err(error).with_context(|| format!("reading the blob {:?}", blob.key)),
    })
}

/// Whether the blob was a rendition that others have taken the place of, which `atelier sweep` deletes, or of an export whose
/// time is over.
async fn superseded(connections: &Connections, event: &Recorded, key: &str) -> anyhow::Result<bool> {
    let events = connections.log.read_stream(&event.stream).await.context("reading the log")?;
    if let Ok(Some(export)) = events.iter().try_fold(None, Export::fold) {
        return Ok(match export {
            Export::Expired(_) => true,
            Export::Completed(completed) => completed.kept_until.is_some_and(|until| until < OffsetDateTime::now_utc()),
            Export::Pending(_) | Export::Failed(_) => false,
        });
    }
    let Ok(Some(artwork)) = Artwork::of(&events) else { return Ok(false) };
    let present = artwork.variants.iter().flat_map(|variant| {
        let renditions = variant.rendered.iter().flat_map(|rendered| &rendered.renditions);
        renditions.map(|rendition| &rendition.blob).chain(&variant.original)
    });
    Ok(present.into_iter().all(|blob| blob.key != key))
}

fn flaw(key: &str, position: Position, what: &str) -> Flaw {
    Flaw::new("blob", format!("{key:?}, named by the event at position {position}, {what}"))
}
