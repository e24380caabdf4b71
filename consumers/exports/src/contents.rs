//! What is in an export, picture by picture in order, as the log tells it: read some at a time, as often as it is needed.

use atelier_events::export::{Files, Missing};
use atelier_events::{Artwork, Blob, ExportId, Log, RenditionKind, Variant, keys};
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::manifest::{self, ManifestEntry};
use crate::name::file_name;
use crate::selection::{FOLD_LIMIT, Selected, fold};

/// Counted up by whoever changes what a ZIP of the same pictures looks like: it is not the same content any more.
const FORMAT: &str = "atelier export 2";

/// What a file costs in a ZIP beside its bytes, at the most: header, descriptor and entry with its name, a page's row.
const AROUND_A_FILE: u64 = 2_500;

/// What to pack.
pub(crate) struct Order {
    pub(crate) export_id: ExportId,
    pub(crate) requested_at: OffsetDateTime,
    pub(crate) files: Files,
    pub(crate) selection: Selected,
}

/// A picture whose turn it is.
pub(crate) struct Picture {
    pub(crate) name: String,
    pub(crate) artwork: Artwork,
    pub(crate) variant: Variant,
    /// What is packed: the original, or a rendition of it.
    pub(crate) blob: Blob,
    /// Width and height in pixels.
    pub(crate) size: (u32, u32),
    pub(crate) rendition: Option<RenditionKind>,
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
    /// Pictures that had their turn.
    pictures: u64,
}

impl<'a> Turns<'a> {
    pub(crate) fn of(log: &'a Log, order: &'a Order) -> Self {
        Self { log, order, done: 0, pictures: 0 }
    }

    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Vec<Turn>>> {
        let rest = &self.order.selection.artworks[self.done..];
        if rest.is_empty() {
            return Ok(None);
        }
        let ids = &rest[..rest.len().min(FOLD_LIMIT)];
        self.done += ids.len();
        let folded = fold(self.log, ids, self.order.selection.up_to).await?;
        Ok(Some(folded.into_iter().flatten().filter_map(|artwork| self.turn(artwork)).collect()))
    }

    /// None of an artwork without a picture: among all it is not asked for, and among those named it is missing already.
    fn turn(&mut self, artwork: Artwork) -> Option<Turn> {
        let variant = artwork.cover()?.clone();
        let rendered = variant.rendered.as_ref()?;
        let (blob, size, rendition) = match self.order.files {
            Files::Originals => (variant.original.clone()?, (rendered.width, rendered.height), None),
            Files::Rendition(kind) => {
                let Some(rendition) = variant.rendition(kind) else {
                    let reason = format!("artwork {} has no rendition {:?}", artwork.id, kind.as_str());
                    return Some(Turn::Missing(Missing { artwork_id: artwork.id, reason }));
                };
                (rendition.blob.clone(), (rendition.width, rendition.height), Some(kind))
            }
        };
        self.pictures += 1;
        let name = file_name(self.pictures, &artwork.details.title, keys::extension(&blob.media_type));
        Some(Turn::Picture(Box::new(Picture { name, artwork, variant, blob, size, rendition })))
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
        sha256.update(serde_json::to_string(&(order.files, &order.selection.missing))?);
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
                        manifest::entry(&ManifestEntry::of(&picture), false)?
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
