//! What is folded, as rows of the read model: each struct has the columns of its table. A batch of them goes into
//! one statement as JSON, or, in a replay, as lines of a `COPY`.

use atelier_events::export::{self, Export, Files, Missing, Selection, Variants};
use atelier_events::{
    ArtworkId, Event, ExportId, GenerationId, Position, Recorded, Relation, Swatch, Variant, VariantId,
};
use serde::Serialize;
use serde_json::Value;
use time::{Date, OffsetDateTime};

use crate::copy::Document;
use crate::folded::{FoldedArtwork, FoldedVariant};

#[derive(Serialize)]
pub(crate) struct ArtworkRow<'a> {
    id: ArtworkId,
    owner: &'a str,
    title: &'a str,
    description: &'a str,
    artist: &'a str,
    materials: Option<&'a str>,
    dimensions: Option<&'a str>,
    created_on: Option<Date>,
    category: &'a str,
    tags: &'a [String],
    featured: bool,
    source_url: Option<&'a str>,
    video_url: Option<&'a str>,
    status: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    created_position: Position,
    updated_position: Position,
    ready_position: Option<Position>,
    shown_position: Option<Position>,
    #[serde(with = "time::serde::rfc3339::option")]
    shown_at: Option<OffsetDateTime>,
    cover_variant: Option<VariantId>,
    prompt: &'a str,
    published_position: Option<Position>,
}

impl<'a> ArtworkRow<'a> {
    pub(crate) fn of(folded: &'a FoldedArtwork) -> Self {
        let artwork = &folded.artwork;
        let details = &artwork.details;
        let made = artwork.variants.iter().filter(|variant| variant.recipe.is_some());
        let recipe = made.max_by_key(|variant| variant.requested_at).and_then(|variant| variant.recipe.as_ref());
        Self {
            id: artwork.id,
            owner: &artwork.owner,
            title: &details.title,
            description: &details.description,
            artist: &details.artist,
            materials: details.materials.as_deref(),
            dimensions: details.dimensions.as_deref(),
            // Written with a sign, a year before 0 would be no date to Postgres.
            created_on: details.created_on.filter(|day| day.year() > 0),
            category: &details.category,
            tags: &details.tags,
            featured: details.featured,
            source_url: details.source_url.as_deref(),
            video_url: details.video_url.as_deref(),
            status: artwork.status().as_str(),
            created_at: artwork.created_at,
            created_position: artwork.created_position,
            updated_position: folded.updated_position,
            ready_position: folded.ready_position,
            shown_position: folded.shown.map(|(position, _)| position),
            shown_at: folded.shown.map(|(_, time)| time),
            cover_variant: artwork.cover().map(|variant| variant.id),
            prompt: recipe.map(|recipe| recipe.prompt.as_str()).unwrap_or_default(),
            published_position: artwork.published.as_ref().map(|published| published.position),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct VariantRow<'a> {
    id: VariantId,
    artwork_id: ArtworkId,
    generation_id: Option<GenerationId>,
    state: &'static str,
    provider: Option<&'a str>,
    prompt: Option<&'a str>,
    seed: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    params: Option<Document<&'a Value>>,
    filename: Option<&'a str>,
    original_key: Option<&'a str>,
    original_sha256: Option<&'a str>,
    original_media_type: Option<&'a str>,
    original_length: Option<i64>,
    source_width: Option<u32>,
    source_height: Option<u32>,
    elapsed_ms: Option<i64>,
    cost_micros: Option<i64>,
    palette: Document<&'a [Swatch]>,
    placeholder: Option<&'a str>,
    recipe_hash: Option<&'a str>,
    failure_stage: Option<&'static str>,
    failure_error: Option<&'a str>,
    requested_position: Position,
    #[serde(with = "time::serde::rfc3339")]
    requested_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
}

impl<'a> VariantRow<'a> {
    pub(crate) fn of(folded: &FoldedVariant<'a>) -> Self {
        let FoldedVariant { artwork_id, variant, moments } = *folded;
        let recipe = variant.recipe.as_ref();
        let original = variant.original.as_ref();
        let rendered = variant.rendered.as_ref();
        let failure = variant.failure.as_ref();
        Self {
            id: variant.id,
            artwork_id,
            generation_id: variant.generation_id,
            state: variant.state.as_str(),
            provider: recipe.map(|recipe| recipe.provider.as_str()),
            prompt: recipe.map(|recipe| recipe.prompt.as_str()),
            seed: recipe.map(|recipe| recipe.seed.to_string()),
            width: recipe.map(|recipe| recipe.width),
            height: recipe.map(|recipe| recipe.height),
            params: recipe.map(|recipe| Document(&recipe.params)),
            filename: variant.filename.as_deref(),
            original_key: original.map(|blob| blob.key.as_str()),
            original_sha256: original.map(|blob| blob.sha256.as_str()),
            original_media_type: original.map(|blob| blob.media_type.as_str()),
            original_length: original.map(|blob| bigint(blob.length)),
            source_width: rendered.map(|rendered| rendered.width),
            source_height: rendered.map(|rendered| rendered.height),
            elapsed_ms: variant.elapsed_ms.map(bigint),
            cost_micros: moments.cost_micros.map(bigint),
            palette: Document(rendered.map_or(&[], |rendered| rendered.palette.as_slice())),
            placeholder: rendered.map(|rendered| rendered.placeholder.as_str()),
            recipe_hash: rendered.and_then(|rendered| rendered.recipe_hash.as_deref()),
            failure_stage: failure.map(|failure| failure.stage.as_str()),
            failure_error: failure.map(|failure| failure.error.as_str()),
            requested_position: moments.requested_position,
            requested_at: variant.requested_at,
            started_at: moments.started_at,
            finished_at: moments.finished_at,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct LineageRow {
    variant_id: VariantId,
    parent: VariantId,
    relation: Relation,
}

impl LineageRow {
    /// Where a variant comes from, each said once.
    pub(crate) fn of(variant: &Variant) -> impl Iterator<Item = Self> {
        let lineage = variant.lineage.iter().enumerate();
        let first = lineage.filter(|(at, lineage)| !variant.lineage[..*at].contains(lineage));
        first.map(|(_, lineage)| Self { variant_id: variant.id, parent: lineage.parent, relation: lineage.relation })
    }
}

#[derive(Serialize)]
pub(crate) struct RenditionRow<'a> {
    variant_id: VariantId,
    kind: &'static str,
    key: &'a str,
    sha256: &'a str,
    media_type: &'a str,
    length: i64,
    width: u32,
    height: u32,
}

impl<'a> RenditionRow<'a> {
    /// The renditions of a variant, one of each kind: of two, the first, as [`Variant::rendition`] has it.
    pub(crate) fn of(variant: &'a Variant) -> impl Iterator<Item = Self> {
        let renditions = variant.rendered.iter().flat_map(|rendered| &rendered.renditions);
        let first = move |rendition: &&atelier_events::Rendition| variant.rendition(rendition.kind) == Some(rendition);
        renditions.filter(first).map(move |rendition| Self {
            variant_id: variant.id,
            kind: rendition.kind.as_str(),
            key: &rendition.blob.key,
            sha256: &rendition.blob.sha256,
            media_type: &rendition.blob.media_type,
            length: bigint(rendition.blob.length),
            width: rendition.width,
            height: rendition.height,
        })
    }
}

/// An export with when it was asked for and when it ended.
#[derive(Debug)]
pub(crate) struct FoldedExport {
    requested: export::Requested,
    position: Position,
    requested_at: OffsetDateTime,
    pub(crate) ended_at: Option<OffsetDateTime>,
    pub(crate) export: Export,
}

impl FoldedExport {
    /// The next state. Pure and total: what nobody asked for has no row, and an outcome that changes nothing no time.
    pub(crate) fn fold(state: Option<Self>, event: &Event, recorded: &Recorded) -> Option<Self> {
        let Some(mut folded) = state else {
            return match Export::apply(None, event) {
                Some(Export::Pending(requested)) => Some(Self::begun(requested, recorded)),
                Some(Export::Completed(_) | Export::Failed(_) | Export::Expired(_)) | None => None,
            };
        };
        let after = Export::apply(Some(folded.export.clone()), event);
        if let Some(after) = after.filter(|after| *after != folded.export) {
            // It ended when it was written, not when its ZIP was deleted.
            if !matches!(after, Export::Expired(_)) {
                folded.ended_at = Some(recorded.occurred_at);
            }
            folded.export = after;
        }
        Some(folded)
    }

    fn begun(requested: export::Requested, recorded: &Recorded) -> Self {
        Self {
            requested: requested.clone(),
            position: recorded.position,
            requested_at: recorded.occurred_at,
            ended_at: None,
            export: Export::Pending(requested),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct ExportRow<'a> {
    id: ExportId,
    state: &'static str,
    selection: Document<&'a Selection>,
    files: Document<&'a Files>,
    variants: Variants,
    archive_key: Option<&'a str>,
    archive_sha256: Option<&'a str>,
    archive_media_type: Option<&'a str>,
    archive_length: Option<i64>,
    pictures: Option<i64>,
    missing: Option<Document<&'a [Missing]>>,
    error: Option<&'a str>,
    #[serde(with = "time::serde::rfc3339")]
    requested_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    kept_until: Option<OffsetDateTime>,
    position: Position,
}

impl<'a> ExportRow<'a> {
    pub(crate) fn of(folded: &'a FoldedExport) -> Self {
        let (state, completed, error) = match &folded.export {
            Export::Pending(_) => ("pending", None, None),
            Export::Completed(completed) => ("completed", Some(completed), None),
            Export::Failed(failed) => ("failed", None, Some(failed.error.as_str())),
            Export::Expired(completed) => ("expired", Some(completed), None),
        };
        let archive = completed.map(|completed| &completed.archive);
        Self {
            id: folded.requested.export_id,
            state,
            selection: Document(&folded.requested.selection),
            files: Document(&folded.requested.files),
            variants: folded.requested.variants,
            archive_key: archive.map(|blob| blob.key.as_str()),
            archive_sha256: archive.map(|blob| blob.sha256.as_str()),
            archive_media_type: archive.map(|blob| blob.media_type.as_str()),
            archive_length: archive.map(|blob| bigint(blob.length)),
            pictures: completed.map(|completed| bigint(completed.pictures)),
            missing: completed.map(|completed| Document(completed.missing.as_slice())),
            error,
            requested_at: folded.requested_at,
            finished_at: folded.ended_at,
            kept_until: completed.and_then(|completed| completed.kept_until),
            position: folded.position,
        }
    }
}

/// No file and no duration of ours reaches 2^63; a number in an event might claim to.
pub(crate) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
