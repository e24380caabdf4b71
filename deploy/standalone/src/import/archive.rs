//! The ZIP of an export, taken back in: its pictures become what they were, under the ids they had.
//!
//! A picture is unpacked to a file of its own, and its digest compared with the manifest's, before anything of it is sent.
//! What a name in the ZIP says is only ever looked for in the ZIP, so it leads nowhere.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use atelier_events::ArtworkId;
use atelier_events::export::Files;
use atelier_exports::{MANIFEST, Manifest, ManifestEntry};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;
use zip::ZipArchive;
use zip::result::ZipError;

use super::Outcome;
use crate::client::{AcceptedArtwork, Client, NewArtwork, Refused, Restore, Until};

/// Bytes that are moved at a time.
const PIECE: usize = 256 * 1024;

/// An export whose manifest has been read, and in which there is what the manifest says.
pub(super) struct Archive {
    zip: ZipArchive<File>,
    /// In the order they were made, so that they are again.
    pub(super) entries: Vec<ManifestEntry>,
}

/// Whether a file is a ZIP, by its content.
pub(super) fn is_zip(path: &Path) -> bool {
    let mut start = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"PK\x03\x04"
}

impl Archive {
    pub(super) async fn open(path: &Path) -> anyhow::Result<Self> {
        let path = path.to_owned();
        spawn_blocking(move || Self::open_now(&path)).await?
    }

    fn open_now(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).context("it cannot be opened")?;
        let mut zip = ZipArchive::new(file).context("it is damaged, or no ZIP")?;
        let manifest = match zip.by_name(MANIFEST) {
            Ok(manifest) => Manifest::read(io::BufReader::new(manifest))?,
            Err(ZipError::FileNotFound) => bail!("it is no export of Atelier: it holds no {MANIFEST}"),
            Err(error) => return Err(error).with_context(|| format!("its {MANIFEST:?} cannot be read")),
        };
        ensure!(
            manifest.files == Files::Originals,
            "it holds renditions, and pictures are made again from originals alone: export with \"files\": \"originals\""
        );
        Ok(Self { zip, entries: manifest.artworks })
    }

    /// Unpacks a picture that is what the manifest says; answers the archive with it.
    pub(super) async fn unpack(mut self, entry: ManifestEntry) -> (Self, anyhow::Result<NamedTempFile>) {
        let unpacked = spawn_blocking(move || {
            let unpacked = unpack_now(&mut self.zip, &entry);
            (self, unpacked)
        });
        unpacked.await.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
    }
}

fn unpack_now(zip: &mut ZipArchive<File>, entry: &ManifestEntry) -> anyhow::Result<NamedTempFile> {
    let file = match zip.by_name(&entry.file) {
        Ok(file) => file,
        Err(ZipError::FileNotFound) => bail!("it is not in the ZIP, though {MANIFEST} names it"),
        Err(error) => return Err(error).context("it cannot be unpacked"),
    };
    let mut unpacked = NamedTempFile::new().context("there is no place to unpack it")?;
    let (mut sha256, mut length, mut piece) = (Sha256::new(), 0, vec![0; PIECE]);
    // No more than it should have, whatever it has.
    let mut file = file.take(entry.length + 1);
    loop {
        let read = file.read(&mut piece).context("it is damaged")?;
        if read == 0 {
            break;
        }
        sha256.update(&piece[..read]);
        length += read as u64;
        unpacked.write_all(&piece[..read]).context("it cannot be unpacked")?;
    }
    ensure!(length == entry.length, "it is damaged: {MANIFEST} says {} bytes, and it has others", entry.length);
    let hex: Vec<String> = sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let hex = hex.concat();
    ensure!(hex == entry.sha256, "it is damaged: its sha256 is {hex}, and {MANIFEST} says {}", entry.sha256);
    unpacked.flush().context("it cannot be unpacked")?;
    Ok(unpacked)
}

/// Makes one variant again, and with the first its artwork, unless they are there.
pub(super) async fn restore(client: &Client, entry: ManifestEntry, picture: &Path) -> anyhow::Result<Outcome> {
    let artwork_id = entry.id;
    if let Some(there) = find(client, &entry).await? {
        return Ok(there);
    }
    // Of this very content, so that the same command has the same place.
    let key = format!("restore-{}-{}", entry.variant, entry.sha256);
    let slot = client
        .begin_upload(entry.filename.as_deref().unwrap_or(&entry.file), &entry.media_type, entry.length, Some(&key))
        .await?;
    client.put(picture, &slot).await.context("putting it into the bucket")?;
    let artwork = NewArtwork {
        upload_key: slot.key,
        title: entry.title,
        artist: Some(entry.artist),
        description: Some(entry.description),
        source_url: entry.source_url,
        tags: entry.tags,
        priority: Some("bulk"),
        materials: entry.materials,
        dimensions: entry.dimensions,
        created_date: entry.created_on.map(|date| date.to_string()),
        category: Some(entry.category),
        featured: entry.featured,
        video_url: entry.video_url,
        restore: Some(Restore {
            artwork_id,
            variant_id: entry.variant,
            created_at: entry.created_at,
            requested_at: entry.requested_at,
            recipe: entry.recipe,
            lineage: entry.lineage,
            filename: entry.filename,
        }),
    };
    let AcceptedArtwork { id, page_url: url, .. } = client.create_artwork(&artwork, &key).await?;
    Ok(Outcome::Added { artwork_id: id, url })
}

/// What is there under the variant's id already.
async fn find(client: &Client, entry: &ManifestEntry) -> anyhow::Result<Option<Outcome>> {
    let artwork_id: ArtworkId = entry.id;
    let found = match client.artwork(artwork_id, std::time::Duration::ZERO, Until::Ready).await {
        Ok(found) => found,
        Err(error) if error.downcast_ref::<Refused>().is_some_and(|refused| refused.is("not-found")) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let Some(same) = found.variants.iter().find(|variant| variant.id == entry.variant) else { return Ok(None) };
    let sha256 = same.original.as_ref().and_then(|original| original.sha256.as_deref());
    ensure!(
        sha256.is_none_or(|sha256| sha256 == entry.sha256),
        "variant {} is there already, and its picture is another: {}",
        entry.variant,
        found.page_url
    );
    Ok(Some(Outcome::AlreadyThere { artwork_id, url: found.page_url }))
}
