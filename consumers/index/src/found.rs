//! Sidecars as they are found in a bucket: a page at a time, and believed only where they lie where they say they belong and
//! name nothing but what is their artwork's own. Whoever can write one file must not get hold of another owner's.

use std::collections::HashSet;

use atelier_events::blobs::Blobs;
use atelier_events::keys::{self, RenditionSet};
use atelier_events::{BlobError, RenditionKind, VariantId, VariantState};
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use serde::Deserialize;

use crate::metadata::{SIDECAR_SCHEMA, Sidecar, SidecarVariant};

/// Where [`keys::sidecar`] puts them.
const ORIGINALS: &str = "originals/";

/// How their names end.
const SIDECAR: &str = ".json";

/// Sidecars read at the same time.
const READS_LIMIT: usize = 16;

/// The longest sidecar that is read, in bytes: an artwork with thousands of variants.
const SIDECAR_LIMIT: u64 = 16 * 1024 * 1024;

/// Why what lies under the key of a sidecar is not taken for one.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It is not what any version writes, or it is damaged.
    #[error("it is no sidecar, or a damaged one")]
    Foreign(#[from] serde_json::Error),
    /// A newer version wrote it.
    #[error("it has schema {0}, and this version knows {SIDECAR_SCHEMA}: a newer one can read it")]
    Newer(u32),
    /// No artwork has as much to say.
    #[error("it has more than {SIDECAR_LIMIT} bytes")]
    TooLarge,
    /// It speaks of an artwork or an owner whose sidecar lies elsewhere.
    #[error("it says that it belongs at {0:?}")]
    Elsewhere(String),
    /// It names a file that is not its artwork's own.
    #[error("variant {variant} names {key:?}, which is not among its own files")]
    Foreigner {
        /// Which variant.
        variant: VariantId,
        /// What it names.
        key: String,
    },
    /// What it says of a variant cannot be.
    #[error("variant {variant} {reason}")]
    Variant {
        /// Which.
        variant: VariantId,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Every sidecar of the bucket in the order of the keys, with its key. An error: the store does not answer.
pub fn all(blobs: &Blobs) -> impl Stream<Item = anyhow::Result<(String, Result<Sidecar, Unfit>)>> + '_ {
    let pages = stream::try_unfold(Some(None), move |next: Option<Option<String>>| async move {
        let Some(continuation) = next else { return anyhow::Ok(None) };
        let page = blobs.page(ORIGINALS, continuation).await?;
        let keys = page.entries.into_iter().map(|entry| entry.key).filter(|key| key.ends_with(SIDECAR));
        Ok(Some((stream::iter(keys).map(anyhow::Ok), page.next.map(Some))))
    });
    let read = move |key: String| async move {
        let sidecar = read(blobs, &key).await?;
        Ok((key, sidecar))
    };
    pages.try_flatten().map_ok(read).try_buffered(READS_LIMIT)
}

/// What lies under the key.
pub async fn read(blobs: &Blobs, key: &str) -> anyhow::Result<Result<Sidecar, Unfit>> {
    match blobs.get(key, SIDECAR_LIMIT).await {
        Ok(bytes) => Ok(parse(key, &bytes)),
        Err(BlobError::TooLarge { .. }) => Ok(Err(Unfit::TooLarge)),
        Err(error) => Err(error.into()),
    }
}

/// What these bytes say under this key.
pub fn parse(key: &str, bytes: &[u8]) -> Result<Sidecar, Unfit> {
    #[derive(Deserialize)]
    struct Written {
        schema: u32,
    }
    // Whatever else a newer version writes, this one need not be able to read.
    let Written { schema } = serde_json::from_slice(bytes)?;
    if schema > SIDECAR_SCHEMA {
        return Err(Unfit::Newer(schema));
    }
    let sidecar: Sidecar = serde_json::from_slice(bytes)?;
    let own = keys::sidecar(&sidecar.owner, sidecar.id);
    if own != key {
        return Err(Unfit::Elsewhere(own));
    }
    let mut seen = HashSet::new();
    for variant in &sidecar.variants {
        let unfit = |reason| Err(Unfit::Variant { variant: variant.id, reason });
        if !seen.insert(variant.id) {
            return unfit("is listed twice");
        }
        if let Some(key) = foreigner(&sidecar.owner, variant) {
            return Err(Unfit::Foreigner { variant: variant.id, key });
        }
        if (variant.state == VariantState::Completed) != variant.rendered.is_some() {
            return unfit("is complete without renditions, or the other way round");
        }
        let of_another = variant.rendered.as_ref().is_some_and(|rendered| {
            rendered.variant_id != variant.id || variant.original.as_ref() != Some(&rendered.original)
        });
        if of_another {
            return unfit("has the renditions of another");
        }
    }
    let cover = sidecar.variants.iter().find(|variant| variant.id == sidecar.cover);
    match cover {
        Some(SidecarVariant { state: VariantState::Completed, .. }) => Ok(sidecar),
        Some(_) | None => {
            Err(Unfit::Variant { variant: sidecar.cover, reason: "is to stand for it and is not complete" })
        }
    }
}

/// The first key that a variant of this owner names and that is not its own.
fn foreigner(owner: &str, variant: &SidecarVariant) -> Option<String> {
    let originals = variant.original.iter().map(|original| {
        let own = keys::original(owner, variant.id, keys::extension(&original.media_type));
        (original.key == own, &original.key)
    });
    let renditions = variant.rendered.iter().flat_map(|rendered| &rendered.renditions);
    let renditions = renditions.map(|rendition| {
        let key = &rendition.blob.key;
        (is_own_rendition(owner, variant.id, rendition.kind, key), key)
    });
    originals.chain(renditions).find(|(own, _)| !own).map(|(_, key)| key.clone())
}

/// Whether it lies in its kind's folder of the owner, under a name that begins with the variant's id.
fn is_own_rendition(owner: &str, variant: VariantId, kind: RenditionKind, key: &str) -> bool {
    let set = RenditionSet { owner, variant, original: "", recipe: "" };
    let own = set.rendition(kind);
    let folder = own.rsplit_once('/').map_or("", |(folder, _)| folder);
    let name = key.strip_prefix(folder).and_then(|name| name.strip_prefix('/'));
    name.is_some_and(|name| !name.contains('/') && name.starts_with(&variant.to_string()))
}
