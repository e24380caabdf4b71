//! What is in an export, picture by picture in order, as the log tells it: read some at a time, as often as it is needed.

use std::sync::Arc;

use atelier_events::export::{Files, Missing, Variants};
use atelier_events::{Artwork, Blob, ExportId, Log, RenditionKind, Variant, VariantState, keys};
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::manifest::{self, ManifestEntry};
use crate::name::file_name;
use crate::selection::{FOLD_LIMIT, Selected, fold};

/// Counted up by whoever changes what a ZIP of the same pictures looks like: it is not the same content any more.
const FORMAT: &str = "atelier export 3";

/// What a file costs in a ZIP beside its bytes, at the most: header, descriptor and entry with its name, a page's row.
const AROUND_A_FILE: u64 = 2_500;

/// What to pack.
pub(crate) struct Order {
    pub(crate) export_id: ExportId,
    pub(crate) requested_at: OffsetDateTime,
    pub(crate) files: Files,
    pub(crate) variants: Variants,
    pub(crate) selection: Selected,
}

/// A picture whose turn it is.
pub(crate) struct Picture {
    pub(crate) name: String,
    pub(crate) artwork: Arc<Artwork>,
    /// Which of the artwork's variants.
    at: usize,
    /// Whether that is the one that stands for the artwork.
    pub(crate) is_cover: bool,
    /// Its place among those of the artwork that were asked for, from 1, and how many they are.
    pub(crate) place: (usize, usize),
    /// What is packed: the original, or a rendition of it.
    pub(crate) blob: Blob,
    /// Width and height in pixels.
    pub(crate) size: (u32, u32),
    pub(crate) rendition: Option<RenditionKind>,
}

impl Picture {
    pub(crate) fn variant(&self) -> &Variant {
        &self.artwork.variants[self.at]
    }
}

/// What comes next.
pub(crate) enum Turn {
    Picture(Box<Picture>),
    /// It has no such file.
    Missing(Missing),
}

/// The pictures of a selection in order, some at a time.
pub(crate) struct Turns<'a> {
    log: &'a Log,
    order: &'a Order,
    /// Artworks that have been read.
    done: usize,
    /// Those of them that have a picture.
    works: u64,
}

impl<'a> Turns<'a> {
    pub(crate) fn of(log: &'a Log, order: &'a Order) -> Self {
        Self { log, order, done: 0, works: 0 }
    }

    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Vec<Turn>>> {
        let rest = &self.order.selection.artworks[self.done..];
        if rest.is_empty() {
            return Ok(None);
        }
        let ids = &rest[..rest.len().min(FOLD_LIMIT)];
        self.done += ids.len();
        let folded = fold(self.log, ids, self.order.selection.up_to).await?;
        Ok(Some(folded.into_iter().flatten().flat_map(|artwork| self.turns(artwork)).collect()))
    }

    /// None of an artwork without a picture: among all it is not asked for, and among those named it is missing already.
    fn turns(&mut self, artwork: Artwork) -> Vec<Turn> {
        let Some(cover) = artwork.cover().map(|cover| cover.id) else { return Vec::new() };
        let artwork = Arc::new(artwork);
        let asked = |variant: &Variant| match self.order.variants {
            Variants::Cover => variant.id == cover,
            Variants::All => variant.state == VariantState::Completed,
        };
        let asked: Vec<usize> = (0..artwork.variants.len()).filter(|at| asked(&artwork.variants[*at])).collect();
        let mut turns = Vec::with_capacity(asked.len());
        let work = self.works + 1;
        for (number, at) in (1..).zip(&asked) {
            let variant = &artwork.variants[*at];
            let (artwork_id, variant_id) = (artwork.id, variant.id);
            turns.extend(match file(variant, self.order.files) {
                Ok(file) => file.map(|File { blob, size, rendition }| {
                    self.works = work;
                    let name = file_name(work, &artwork.details.title, number, keys::extension(&blob.media_type));
                    let (place, is_cover) = ((number, asked.len()), variant_id == cover);
                    let artwork = Arc::clone(&artwork);
                    Turn::Picture(Box::new(Picture { name, artwork, at: *at, is_cover, place, blob, size, rendition }))
                }),
                Err(kind) => {
                    let kind = kind.as_str();
                    let reason = format!("artwork {artwork_id} has no rendition {kind:?} of variant {variant_id}");
                    Some(Turn::Missing(Missing { artwork_id, variant_id: Some(variant_id), reason }))
                }
            });
        }
        turns
    }
}

/// A file of a variant.
struct File {
    blob: Blob,
    size: (u32, u32),
    rendition: Option<RenditionKind>,
}

/// The file that is asked for; which rendition it is, when there is none of that kind. A variant that is not complete has
/// no file at all.
fn file(variant: &Variant, files: Files) -> Result<Option<File>, RenditionKind> {
    let (Some(rendered), Some(original)) = (&variant.rendered, &variant.original) else { return Ok(None) };
    match files {
        Files::Originals => {
            let size = (rendered.width, rendered.height);
            Ok(Some(File { blob: original.clone(), size, rendition: None }))
        }
        Files::Rendition(kind) => {
            let rendition = variant.rendition(kind).ok_or(kind)?;
            let size = (rendition.width, rendition.height);
            Ok(Some(File { blob: rendition.blob.clone(), size, rendition: Some(kind) }))
        }
    }
}

/// What there is to do, before it is begun.
pub(crate) struct Survey {
    pub(crate) pictures: u64,
    /// Of all pictures.
    pub(crate) bytes: u64,
    /// Of the manifest, at the most.
    pub(crate) manifest_bytes: u64,
    /// How many of the selection have no such file, and what is said of the first.
    pub(crate) missing: (usize, Option<String>),
    /// Two exports of the same digest have the same pictures under the same names, with the same said of them.
    pub(crate) digest: String,
}

impl Survey {
    pub(crate) async fn of(log: &Log, order: &Order) -> anyhow::Result<Self> {
        let mut sha256 = Sha256::new_with_prefix(FORMAT);
        sha256.update(serde_json::to_string(&(order.files, order.variants, &order.selection.missing))?);
        let (mut pictures, mut bytes, mut manifest_bytes) = (0, 0, 4_096);
        let mut missing = (0, None);
        let mut count = |one: &Missing| {
            missing.0 += 1;
            missing.1.get_or_insert_with(|| one.reason.clone());
            manifest::bytes_of(one)
        };
        for one in &order.selection.missing {
            manifest_bytes += count(one);
        }
        let mut turns = Turns::of(log, order);
        while let Some(batch) = turns.next().await? {
            for turn in batch {
                let said = match turn {
                    Turn::Picture(picture) => {
                        pictures += 1;
                        bytes += picture.blob.length;
                        manifest::entry(&ManifestEntry::of(&picture, order.variants), false)?
                    }
                    Turn::Missing(one) => {
                        manifest_bytes += count(&one);
                        serde_json::to_string(&one)?
                    }
                };
                // Were it missing when it is packed, a reason would stand in its place.
                manifest_bytes += (said.len() as u64).max(AROUND_A_FILE);
                sha256.update(said);
            }
        }
        let digest = format!("{:x}", bytes::Bytes::copy_from_slice(&sha256.finalize()));
        Ok(Self { pictures, bytes, manifest_bytes, missing, digest })
    }

    /// Bytes of the ZIP, at the most.
    pub(crate) fn zip_bytes(&self) -> u64 {
        self.bytes + self.manifest_bytes + self.pictures * AROUND_A_FILE + (1 << 20)
    }

    /// How far it has come, as whoever waits reads it.
    pub(crate) fn progress(&self, pictures: u64, bytes: u64) -> Value {
        serde_json::json!({
            "pictures": pictures,
            "total_pictures": self.pictures,
            "bytes": bytes,
            "total_bytes": self.bytes,
        })
    }
}
