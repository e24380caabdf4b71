//! Packing: pictures from the bucket, one after the other, into a ZIP in the bucket.
//!
//! A file cannot be taken back out of a ZIP that is being written, and whether a picture is what its event says is
//! known only at its end. So packing trusts and compares: a picture that turns out to be another ends the pass; then
//! all are read through, and the next pass leaves out those that are wrong. Most exports take one pass.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use atelier_events::export::{Files, Missing};
use atelier_events::{Blob, BlobError, Blobs, Log, VariantId, keys};
use atelier_runtime::Progress;

use crate::ahead::{Ahead, Fetching, Piece};
use crate::archive::Archive;
use crate::contents::{Order, Picture, Survey, Turn, Turns};
use crate::manifest::{self, MANIFEST, ManifestEntry};
use crate::pages::{PAGE_PICTURES, Page, Shown, page_name};
use crate::zip::{Directory, File, Sum};

/// Passes before packing gives up, and with it the attempt: what was right when it was checked was wrong again when it
/// was packed, so the store or the way to it is at fault.
const PASSES: usize = 3;

/// How often progress is told.
const TELL_INTERVAL: Duration = Duration::from_millis(200);

/// A ZIP in the bucket.
pub(crate) struct Packed {
    pub(crate) archive: Blob,
    pub(crate) pictures: u64,
    pub(crate) missing: Vec<Missing>,
    /// No picture that should have been there was missing or another: whoever asks for the same gets the same.
    pub(crate) is_whole: bool,
}

/// Why a picture is not in the ZIP although the log knows it, by variant.
pub(crate) type Absent = BTreeMap<VariantId, String>;

/// How a pass ended.
enum Pass {
    Packed(Packed),
    /// Nothing was left to pack.
    Empty,
    /// This picture is not what its event says.
    Spoiled(String),
}

/// What became of one picture.
enum Written {
    Whole(Sum),
    NotThere(String),
    Spoiled,
}

/// What packs.
pub(crate) struct Packing<'a> {
    pub(crate) log: &'a Log,
    pub(crate) blobs: &'a Blobs,
    pub(crate) order: &'a Order,
    pub(crate) survey: &'a Survey,
    pub(crate) progress: &'a Progress,
}

impl Packing<'_> {
    /// Packs an export under its key; none when no picture could be packed. The same order gives the same bytes as long as
    /// the same pictures are there.
    pub(crate) async fn pack(&self) -> anyhow::Result<Option<Packed>> {
        let mut absent = Absent::new();
        for _ in 0..PASSES {
            match Box::pin(self.pass(absent)).await? {
                Pass::Packed(packed) => return Ok(Some(packed)),
                Pass::Empty => return Ok(None),
                Pass::Spoiled(key) => {
                    tracing::warn!(blob.key = key, "a picture is not what its event says; checking all of them");
                    absent = self.check().await?;
                }
            }
        }
        bail!("pictures that were right when they were checked were wrong when they were packed, {PASSES} times")
    }

    async fn pass(&self, mut absent: Absent) -> anyhow::Result<Pass> {
        let key = keys::export(self.order.export_id);
        let mut archive = Archive::begin(self.blobs, &key, self.survey.zip_bytes()).await?;
        let mut crcs: Vec<u32> = Vec::new();
        let (mut works, mut last) = (0, None);
        let mut ahead = Ahead::of(self.log, self.blobs, self.order);
        let (mut bytes, mut told) = (0, Instant::now());
        self.progress.tell(self.survey.progress(0, 0));
        while let Some((picture, mut fetching)) = ahead.next(&absent).await? {
            match write(&mut archive, &picture, &mut fetching).await? {
                Written::Whole(sum) => {
                    crcs.push(sum.crc32);
                    // The pictures of a work follow one another.
                    works += u64::from(last.replace(picture.artwork.id) != Some(picture.artwork.id));
                }
                Written::NotThere(reason) => drop(absent.insert(picture.variant().id, reason)),
                Written::Spoiled => return Ok(Pass::Spoiled(picture.blob.key)),
            }
            bytes += picture.blob.length;
            if told.elapsed() >= TELL_INTERVAL {
                self.progress.tell(self.survey.progress((crcs.len() + absent.len()) as u64, bytes));
                told = Instant::now();
            }
        }
        if crcs.is_empty() {
            return Ok(Pass::Empty);
        }
        self.progress.tell(self.survey.progress(self.survey.pictures, bytes));
        let pictures = crcs.len() as u64;
        let mut missing = self.order.selection.missing.clone();
        missing.extend(self.missing(&absent).await?);
        let shown = Shown { works, pictures, missing: missing.len() };
        let pages = self.write_pages(&mut archive, &absent, shown).await?;
        let manifest = self.write_manifest(&mut archive, &absent, &missing).await?;
        let archive = self.write_directory(archive, &absent, &crcs, &pages, manifest).await?;
        Ok(Pass::Packed(Packed { archive, pictures, missing, is_whole: absent.is_empty() }))
    }

    /// What of the selection's pictures is not in the ZIP.
    async fn missing(&self, absent: &Absent) -> anyhow::Result<Vec<Missing>> {
        let mut missing = Vec::new();
        if absent.is_empty() && self.order.files == Files::Originals {
            return Ok(missing);
        }
        let mut turns = Turns::of(self.log, self.order);
        while let Some(batch) = turns.next().await? {
            missing.extend(batch.into_iter().filter_map(|turn| match turn {
                Turn::Missing(missing) => Some(missing),
                Turn::Picture(picture) => {
                    let (artwork_id, variant_id) = (picture.artwork.id, picture.variant().id);
                    let missing =
                        |reason: &String| Missing { artwork_id, variant_id: Some(variant_id), reason: reason.clone() };
                    absent.get(&variant_id).map(missing)
                }
            }));
        }
        Ok(missing)
    }

    async fn write_pages(&self, archive: &mut Archive, absent: &Absent, shown: Shown) -> anyhow::Result<Vec<Sum>> {
        let mut pages = Vec::new();
        let mut page = Page::begin(1, shown);
        let mut left = PAGE_PICTURES;
        let mut present = Present::of(Turns::of(self.log, self.order), absent);
        while let Some(batch) = present.next().await? {
            for picture in batch {
                if left == 0 {
                    let full = std::mem::replace(&mut page, Page::begin(pages.len() as u64 + 2, shown));
                    pages.push(self.write_page(archive, pages.len(), full).await?);
                    left = PAGE_PICTURES;
                }
                page.add(&picture);
                left -= 1;
            }
        }
        pages.push(self.write_page(archive, pages.len(), page).await?);
        Ok(pages)
    }

    async fn write_page(&self, archive: &mut Archive, before: usize, page: Page) -> anyhow::Result<Sum> {
        let name = page_name(before as u64 + 1);
        archive.add(&self.made(&name, false), page.end()).await
    }

    async fn write_manifest(&self, archive: &mut Archive, absent: &Absent, missing: &[Missing]) -> anyhow::Result<Sum> {
        let file = self.manifest_file();
        archive.start(&file).await?;
        archive.write(manifest::head(self.order)?.into()).await?;
        let mut is_first = true;
        let mut present = Present::of(Turns::of(self.log, self.order), absent);
        while let Some(batch) = present.next().await? {
            for picture in batch {
                archive
                    .write(manifest::entry(&ManifestEntry::of(&picture, self.order.variants), is_first)?.into())
                    .await?;
                is_first = false;
            }
        }
        archive.write(manifest::tail(missing)?.into()).await?;
        archive.end(&file).await
    }

    async fn write_directory(
        &self,
        mut archive: Archive,
        absent: &Absent,
        crcs: &[u32],
        pages: &[Sum],
        manifest: Sum,
    ) -> anyhow::Result<Blob> {
        let begins_at = archive.length();
        let mut directory = Directory::default();
        let mut crcs = crcs.iter();
        let mut present = Present::of(Turns::of(self.log, self.order), absent);
        while let Some(batch) = present.next().await? {
            for picture in batch {
                let crc32 = *crcs.next().context("more pictures are present than were packed")?;
                let sum = Sum { length: picture.blob.length, crc32 };
                archive.enter(&mut directory, &file_of(&picture), sum).await?;
            }
        }
        ensure!(crcs.next().is_none(), "fewer pictures are present than were packed");
        for (number, sum) in (1..).zip(pages) {
            archive.enter(&mut directory, &self.made(&page_name(number), false), *sum).await?;
        }
        archive.enter(&mut directory, &self.manifest_file(), manifest).await?;
        Box::pin(archive.finish(&directory, begins_at)).await
    }

    fn manifest_file(&self) -> File<'static> {
        self.made(MANIFEST, File::may_be_large(self.survey.manifest_bytes))
    }

    /// A file that is made for the export.
    fn made<'n>(&self, name: &'n str, is_large: bool) -> File<'n> {
        File { name, modified: self.order.requested_at, is_large }
    }

    /// Reads every picture through and answers those that are not there or not what their event says.
    async fn check(&self) -> anyhow::Result<Absent> {
        let mut absent = Absent::new();
        let mut turns = Turns::of(self.log, self.order);
        while let Some(batch) = turns.next().await? {
            for turn in batch {
                let Turn::Picture(picture) = turn else { continue };
                let blob = &picture.blob;
                let reason = match self.blobs.digest(&blob.key).await? {
                    Some((sha256, length)) if sha256 == blob.sha256 && length == blob.length => continue,
                    Some((sha256, length)) => format!(
                        "blob {:?} has changed: its event says {} bytes with sha256 {}, the bucket has {length} bytes with \
                         sha256 {sha256}",
                        blob.key, blob.length, blob.sha256
                    ),
                    None => BlobError::NotFound { key: blob.key.clone() }.to_string(),
                };
                absent.insert(picture.variant().id, reason);
            }
        }
        Ok(absent)
    }
}

fn file_of(picture: &Picture) -> File<'_> {
    let is_large = File::may_be_large(picture.blob.length);
    File { name: &picture.name, modified: picture.artwork.created_at, is_large }
}

async fn write(archive: &mut Archive, picture: &Picture, fetching: &mut Fetching) -> anyhow::Result<Written> {
    let file = file_of(picture);
    let mut has_begun = false;
    loop {
        let piece = fetching.next().await.context("a picture's fetching ended without a word")?;
        // One that is not there has no header either.
        if !has_begun && matches!(piece, Piece::Bytes { .. } | Piece::End { .. }) {
            archive.start(&file).await?;
            has_begun = true;
        }
        match piece {
            Piece::Bytes { bytes, _waiting } => archive.write(bytes).await?,
            Piece::End { is_same: true } => return Ok(Written::Whole(archive.end(&file).await?)),
            Piece::End { is_same: false } => return Ok(Written::Spoiled),
            // It was there a moment ago, and a part of it is in the ZIP.
            Piece::NotThere(_) if has_begun => return Ok(Written::Spoiled),
            Piece::NotThere(reason) => return Ok(Written::NotThere(reason)),
            Piece::Failed(error) => return Err(error.into()),
        }
    }
}

/// The pictures that are in the ZIP, in order.
struct Present<'a> {
    turns: Turns<'a>,
    absent: &'a Absent,
}

impl<'a> Present<'a> {
    fn of(turns: Turns<'a>, absent: &'a Absent) -> Self {
        Self { turns, absent }
    }

    async fn next(&mut self) -> anyhow::Result<Option<Vec<Picture>>> {
        let batch = self.turns.next().await?;
        let present = |turn| match turn {
            Turn::Picture(picture) if !self.absent.contains_key(&picture.variant().id) => Some(*picture),
            Turn::Picture(_) | Turn::Missing(_) => None,
        };
        Ok(batch.map(|batch| batch.into_iter().filter_map(present).collect()))
    }
}
