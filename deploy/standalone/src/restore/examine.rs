//! Whether the bucket still has what a sidecar names, and what the log is to be told of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use atelier_events::artwork::Created;
use atelier_events::variant::{Failed, RecutRequested, Rendered, Restored};
use atelier_events::{Blob, BlobError, Blobs, Event, Priority, Stage, VariantEvent, VariantId, keys};
use atelier_index::metadata::{Sidecar, SidecarVariant};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

/// Files of a variant that are read at the same time.
const FILES: usize = 4;

/// A file that is not what the sidecar says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Of which variant.
    pub variant_id: VariantId,
    /// Its key.
    pub file: String,
    /// What is wrong with it, in words.
    pub what: String,
    /// What comes of that.
    pub then: Then,
}

/// What comes of a damaged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// A rendition: the whole set is cut again from the original.
    CutAgain,
    /// An original that nothing to be shown depends on: it stays gone.
    Gone,
    /// The variant is restored as failed.
    Failed,
}

impl Then {
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::CutAgain => "its variant is cut again",
            Self::Gone => "what is shown of its variant stays, and cannot be cut again",
            Self::Failed => "its variant is restored as failed",
        }
    }
}

/// What there is to say of an artwork.
pub(super) struct Examined {
    pub(super) sidecar: Sidecar,
    pub(super) created: Created,
    /// What there is to say of each variant: that it is restored, and where that is needed, that it is to be cut again.
    pub(super) variants: BTreeMap<VariantId, Vec<Event>>,
    pub(super) damaged: Vec<Damage>,
    /// Manifests of sets that are not whole.
    pub(super) broken_sets: BTreeSet<String>,
}

impl Examined {
    /// Whether it will have a variant that is complete: now, or when it has been cut again.
    pub(super) fn has_something_to_show(&self) -> bool {
        self.variants.values().flatten().any(|event| match event {
            Event::Variant(VariantEvent::Restored(restored)) => restored.rendered.is_some(),
            Event::Variant(VariantEvent::RecutRequested(_)) => true,
            _ => false,
        })
    }
}

/// Reads through what the sidecar names, or asks only for the lengths. An error: the store does not answer.
pub(super) async fn examine(blobs: &Blobs, sidecar: Sidecar, lengths_only: bool) -> anyhow::Result<Examined> {
    let created = Created {
        added_at: Some(sidecar.created_at),
        ready_at: Some(sidecar.ready_at),
        ..Created::new(sidecar.id, sidecar.owner.clone(), sidecar.details())
    };
    let mut variants = BTreeMap::new();
    let (mut damaged, mut broken_sets) = (Vec::new(), BTreeSet::new());
    for variant in &sidecar.variants {
        let original = match &variant.original {
            Some(original) => wrong(blobs, original, lengths_only).await?,
            None => None,
        };
        let renditions = wrong_renditions(blobs, variant.rendered.as_ref(), lengths_only).await?;
        let fate = Fate::of(variant, original.is_some(), !renditions.is_empty());
        let damage =
            |(blob, what): (&Blob, String), then| Damage { variant_id: variant.id, file: blob.key.clone(), what, then };
        broken_sets.extend(renditions.iter().filter_map(|(blob, _)| keys::manifest_of(&blob.key)));
        let then = if fate == Fate::CutAgain { Then::CutAgain } else { Then::Failed };
        damaged.extend(renditions.into_iter().map(|wrong| damage(wrong, then)));
        let then = if fate == Fate::AsItWas { Then::Gone } else { Then::Failed };
        damaged.extend(variant.original.iter().zip(original).map(|wrong| damage(wrong, then)));
        let mut told = vec![VariantEvent::Restored(Box::new(fate.restored(&sidecar, variant)))];
        if fate == Fate::CutAgain {
            let asked = RecutRequested { variant_id: variant.id, priority: Priority::Bulk };
            told.push(VariantEvent::RecutRequested(asked));
        }
        variants.insert(variant.id, told.into_iter().map(Event::Variant).collect());
    }
    Ok(Examined { sidecar, created, variants, damaged, broken_sets })
}

/// What becomes of a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    AsItWas,
    CutAgain,
    /// It was on its way to an original when the sidecar was written.
    Unfinished,
    /// It has no whole renditions, nor an original.
    Lost,
}

impl Fate {
    fn of(variant: &SidecarVariant, original_is_wrong: bool, renditions_are_wrong: bool) -> Self {
        let is_shown = variant.rendered.is_some() && !renditions_are_wrong;
        let has_original = variant.original.is_some() && !original_is_wrong;
        if is_shown || variant.failure.is_some() {
            Self::AsItWas
        } else if has_original {
            Self::CutAgain
        } else if variant.original.is_some() {
            Self::Lost
        } else {
            Self::Unfinished
        }
    }

    fn restored(self, sidecar: &Sidecar, variant: &SidecarVariant) -> Restored {
        let failed = |stage, error: &str| Some(Failed { variant_id: variant.id, stage, error: error.to_owned() });
        let was = Restored {
            artwork_id: sidecar.id,
            variant_id: variant.id,
            generation_id: variant.generation_id,
            recipe: variant.recipe.clone(),
            lineage: variant.lineage.clone(),
            filename: variant.filename.clone(),
            requested_at: variant.requested_at,
            started_at: variant.started_at,
            finished_at: variant.finished_at,
            original: variant.original.clone(),
            rendered: variant.rendered.clone(),
            failure: variant.failure.clone(),
            elapsed_ms: variant.elapsed_ms,
            cost_micros: variant.cost_usd_micros,
        };
        match self {
            Self::AsItWas => was,
            Self::CutAgain => Restored { rendered: None, finished_at: None, ..was },
            Self::Unfinished => Restored {
                failure: failed(Stage::Generate, "it was not finished when the gallery was lost: ask for it again"),
                ..was
            },
            // Cutting it again may succeed: once somebody has put its original back.
            Self::Lost => Restored {
                rendered: None,
                failure: failed(Stage::Renditions, "its original was missing or damaged when the gallery was restored"),
                ..was
            },
        }
    }
}

/// The renditions that are not what the set says.
async fn wrong_renditions<'a>(
    blobs: &Blobs,
    rendered: Option<&'a Rendered>,
    lengths_only: bool,
) -> anyhow::Result<Vec<(&'a Blob, String)>> {
    let renditions = rendered.into_iter().flat_map(|rendered| &rendered.renditions);
    let looks = stream::iter(renditions).map(|rendition| async {
        let blob = &rendition.blob;
        anyhow::Ok(wrong(blobs, blob, lengths_only).await?.map(|what| (blob, what)))
    });
    let found: Vec<_> = looks.buffered(FILES).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// What is wrong with a file, if anything is.
async fn wrong(blobs: &Blobs, blob: &Blob, lengths_only: bool) -> anyhow::Result<Option<String>> {
    let found = if lengths_only {
        blobs.head(&blob.key).await.map(|head| head.map(|head| (None, head.length)))
    } else {
        blobs.digest(&blob.key).await.map(|found| found.map(|(sha256, length)| (Some(sha256), length)))
    };
    Ok(match found {
        Ok(None) => Some("is missing".to_owned()),
        Ok(Some((_, length))) if length != blob.length => {
            Some(format!("has {length} bytes instead of {}", blob.length))
        }
        Ok(Some((Some(sha256), _))) if sha256 != blob.sha256 => Some("has another content".to_owned()),
        Ok(Some(_)) => None,
        Err(BlobError::Invalid { reason, .. }) => Some(format!("cannot be there: {reason}")),
        Err(error) => return Err(error).with_context(|| format!("reading {:?}", blob.key)),
    })
}
