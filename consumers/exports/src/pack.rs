//! Packing: originals from the bucket, one after the other, into a ZIP in the bucket.
//!
//! A file cannot be taken back out of a ZIP that is being written, and whether an original is what its event says is
//! known only at its end. So packing trusts and compares: an original that turns out to be another ends the pass; then
//! all are read through, and the next pass leaves out those that are wrong. Most exports take one pass.

use std::collections::BTreeMap;

use anyhow::bail;
use atelier_events::export::Missing;
use atelier_events::{Artwork, ArtworkId, Blob, BlobError, Blobs, ExportId, Log, Variant, keys};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::archive::Archive;
use crate::manifest::{self, MANIFEST, ManifestEntry};
use crate::name::file_name;
use crate::selection::{FOLD_LIMIT, Selected, fold};

/// Passes before packing gives up, and with it the attempt: what was right when it was checked was wrong again when it
/// was packed, so the store or the way to it is at fault.
const PASSES: usize = 3;

/// What to pack.
pub(crate) struct Order {
    pub(crate) export_id: ExportId,
    pub(crate) requested_at: OffsetDateTime,
    pub(crate) selection: Selected,
}

/// A ZIP in the bucket.
pub(crate) struct Packed {
    pub(crate) archive: Blob,
    pub(crate) pictures: u64,
    pub(crate) missing: Vec<Missing>,
}

/// Why an artwork is not in the ZIP although it has a picture, by artwork.
type Absent = BTreeMap<ArtworkId, String>;

/// How a pass ended.
enum Pass {
    Packed(Packed),
    /// Nothing was left to pack.
    Empty,
    /// This original is not what its event says.
    Spoiled(String),
}

/// What became of one original.
enum Written {
    Whole,
    NotThere(String),
    Spoiled,
}

/// Packs an export under its key; none when no original could be packed. The same order gives the same bytes as long as
/// the same originals are there.
pub(crate) async fn pack(log: &Log, blobs: &Blobs, order: &Order) -> anyhow::Result<Option<Packed>> {
    let mut absent = Absent::new();
    for _ in 0..PASSES {
        match Box::pin(write(log, blobs, order, absent)).await? {
            Pass::Packed(packed) => return Ok(Some(packed)),
            Pass::Empty => return Ok(None),
            Pass::Spoiled(key) => {
                tracing::warn!(blob.key = key, "an original is not what its event says; checking all of them");
                absent = check(log, blobs, order).await?;
            }
        }
    }
    bail!("originals that were right when they were checked were wrong when they were packed, {PASSES} times")
}

async fn write(log: &Log, blobs: &Blobs, order: &Order, mut absent: Absent) -> anyhow::Result<Pass> {
    let mut archive = Archive::begin(blobs, &keys::export(order.export_id))?;
    let mut pictures = 0;
    let mut turns = Turns::of(log, order);
    while let Some(batch) = turns.next().await? {
        for picture in batch {
            if absent.contains_key(&picture.artwork.id) {
                continue;
            }
            match store(blobs, &mut archive, &picture).await? {
                Written::Whole => pictures += 1,
                Written::NotThere(reason) => drop(absent.insert(picture.artwork.id, reason)),
                Written::Spoiled => return Ok(Pass::Spoiled(picture.original.key)),
            }
        }
    }
    if pictures == 0 {
        return Ok(Pass::Empty);
    }
    let missing = describe(log, order, &mut archive, absent).await?;
    Ok(Pass::Packed(Packed { archive: Box::pin(archive.finish()).await?, pictures, missing }))
}

/// Writes the manifest, and answers what it says is missing.
async fn describe(log: &Log, order: &Order, archive: &mut Archive, mut absent: Absent) -> anyhow::Result<Vec<Missing>> {
    let mut missing = order.selection.missing.clone();
    archive.start(MANIFEST, order.requested_at).await?;
    archive.write(manifest::head(order.export_id, order.selection.up_to).as_bytes()).await?;
    let mut first = true;
    let mut turns = Turns::of(log, order);
    while let Some(batch) = turns.next().await? {
        for picture in batch {
            let artwork_id = picture.artwork.id;
            if let Some(reason) = absent.remove(&artwork_id) {
                missing.push(Missing { artwork_id, reason });
            } else if let Some(entry) = ManifestEntry::of(picture.name, &picture.artwork, &picture.variant) {
                archive.write(manifest::entry(&entry, first)?.as_bytes()).await?;
                first = false;
            }
        }
    }
    archive.write(manifest::tail(&missing)?.as_bytes()).await?;
    Ok(missing)
}

async fn store(blobs: &Blobs, archive: &mut Archive, picture: &Picture) -> anyhow::Result<Written> {
    let original = &picture.original;
    let mut download = match blobs.stream(&original.key).await {
        Ok(download) => download,
        Err(gone @ BlobError::NotFound { .. }) => return Ok(Written::NotThere(gone.to_string())),
        Err(error) => return Err(error.into()),
    };
    archive.start(&picture.name, picture.artwork.created_at).await?;
    let (mut sha256, mut length) = (Sha256::new(), 0);
    while let Some(bytes) = download.chunk().await? {
        sha256.update(&bytes);
        length += bytes.len() as u64;
        archive.write(&bytes).await?;
    }
    let sha256 = format!("{:x}", Bytes::copy_from_slice(&sha256.finalize()));
    let same = length == original.length && sha256 == original.sha256;
    Ok(if same { Written::Whole } else { Written::Spoiled })
}

/// Reads every original through and answers those that are not there or not what their event says.
async fn check(log: &Log, blobs: &Blobs, order: &Order) -> anyhow::Result<Absent> {
    let mut absent = Absent::new();
    let mut turns = Turns::of(log, order);
    while let Some(batch) = turns.next().await? {
        for Picture { artwork, original, .. } in batch {
            let reason = match blobs.digest(&original.key).await? {
                Some((sha256, length)) if sha256 == original.sha256 && length == original.length => continue,
                Some((sha256, length)) => format!(
                    "blob {:?} has changed: its event says {} bytes with sha256 {}, the bucket has {length} bytes with \
                     sha256 {sha256}",
                    original.key, original.length, original.sha256
                ),
                None => BlobError::NotFound { key: original.key }.to_string(),
            };
            absent.insert(artwork.id, reason);
        }
    }
    Ok(absent)
}

/// A picture whose turn it is.
struct Picture {
    name: String,
    artwork: Artwork,
    variant: Variant,
    original: Blob,
}

/// The pictures of a selection in order, some at a time.
struct Turns<'a> {
    log: &'a Log,
    selection: &'a Selected,
    done: usize,
}

impl<'a> Turns<'a> {
    fn of(log: &'a Log, order: &'a Order) -> Self {
        Self { log, selection: &order.selection, done: 0 }
    }

    async fn next(&mut self) -> anyhow::Result<Option<Vec<Picture>>> {
        let rest = &self.selection.streams[self.done..];
        if rest.is_empty() {
            return Ok(None);
        }
        let streams = &rest[..rest.len().min(FOLD_LIMIT)];
        let folded = fold(self.log, streams, self.selection.up_to).await?;
        let pictures = (self.done + 1..).zip(folded).filter_map(|(number, (_, artwork))| {
            let artwork = artwork?;
            let variant = artwork.cover()?.clone();
            let original = variant.original.clone()?;
            let name = file_name(number, &artwork.details.title, keys::extension(&original.media_type));
            Some(Picture { name, artwork, variant, original })
        });
        self.done += streams.len();
        Ok(Some(pictures.collect()))
    }
}
