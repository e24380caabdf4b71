//! Sets in the bucket: put whole, with a manifest as the last of them, and found again by it.
//!
//! A set without its manifest was broken off: it is put again, over the same keys. One with it need not be cut again, be it
//! that an attempt ended between the bucket and the log, or that a recipe came back.

use anyhow::Context as _;
use atelier_events::keys::RenditionSet;
use atelier_events::variant::Rendered;
use atelier_events::{Blob, BlobError, Blobs, Rendition};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, future, stream};

use crate::cut::Cut;

/// Requests about one set at the same time, as many as it has files: each waits for a disk or for the network.
const AT_ONCE: usize = 11;
/// The most that a manifest has.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// Puts a set while its original is put, and last of all its manifest.
pub(crate) async fn put(
    blobs: &Blobs,
    set: &RenditionSet<'_>,
    cut: Cut,
    original: impl Future<Output = anyhow::Result<Blob>>,
) -> anyhow::Result<Rendered> {
    let puts = cut.renditions.into_iter().map(|picture| {
        let key = set.rendition(picture.kind);
        async move {
            let blob = blobs.put(&key, Bytes::from(picture.bytes), &picture.media_type).await?;
            anyhow::Ok(Rendition { kind: picture.kind, blob, width: picture.width, height: picture.height })
        }
    });
    let renditions = stream::iter(puts).buffered(AT_ONCE).try_collect::<Vec<_>>();
    let (original, renditions) = future::try_join(original, renditions).await?;
    let rendered = Rendered {
        variant_id: set.variant,
        original,
        width: cut.source.width,
        height: cut.source.height,
        renditions,
        look: cut.look,
        palette: cut.palette,
        placeholder: cut.placeholder,
        recipe_hash: Some(set.recipe.to_owned()),
    };
    let manifest = serde_json::to_vec(&rendered).context("a set is representable as JSON")?;
    blobs.put(&set.manifest(), Bytes::from(manifest), "application/json").await?;
    Ok(rendered)
}

/// The set, when every file of it is there. `present` is what the log says of the variant: any other set may be about to be
/// swept as nobody's, so its manifest is made young again before the files are looked for.
pub(crate) async fn find(
    blobs: &Blobs,
    set: &RenditionSet<'_>,
    present: Option<&Rendered>,
) -> anyhow::Result<Option<Rendered>> {
    let manifest = match blobs.get(&set.manifest(), MAX_MANIFEST_BYTES).await {
        Ok(manifest) => manifest,
        Err(BlobError::NotFound { .. } | BlobError::TooLarge { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Ok(found) = serde_json::from_slice::<Rendered>(&manifest) else {
        tracing::warn!(blob.key = set.manifest(), "the manifest of a set cannot be read: cutting it again");
        return Ok(None);
    };
    // The keys name a part of the original's digest; the manifest names all of it.
    if found.variant_id != set.variant || found.original.sha256 != set.original {
        return Ok(None);
    }
    if present != Some(&found) {
        blobs.put(&set.manifest(), manifest, "application/json").await?;
    }
    let renditions = found.renditions.iter().map(|rendition| rendition.blob.clone());
    let files: Vec<Blob> = renditions.chain([found.original.clone()]).collect();
    let looks = files.into_iter().map(|blob| async move {
        let head = blobs.head(&blob.key).await?;
        anyhow::Ok(head.is_some_and(|head| head.length == blob.length))
    });
    let there: Vec<bool> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    Ok(there.into_iter().all(|there| there).then_some(found))
}
