//! Artworks whose originals lie in a bucket, and exports of them.

use std::io::Read;

use atelier_e2e::Database;
use atelier_events::artwork::{self, ArtworkEvent};
use atelier_events::export::{self, ExportEvent, Files, Selection, Variants};
use atelier_events::keys::RenditionSet;
use atelier_events::log::Write;
use atelier_events::variant::{self, VariantEvent};
use atelier_events::{
    Append, Artwork, ArtworkId, Blob, Context, Details, Event, ExpectedVersion, ExportId, GenerationId, Lineage, Log,
    Look, NewEvent, Position, Recipe, Recorded, Relation, Rendition, RenditionKind, Stream, VariantId, keys,
};
use atelier_exports::{ExportSettings, Exports, MANIFEST};
use atelier_runtime::{Attempt, Job, Outcome};
use bytes::Bytes;

use atelier_e2e::Bucket;

pub(crate) const OWNER: &str = "ann";
const ZIP_LIMIT: u64 = 64 << 20;

pub(crate) struct Story {
    pub(crate) database: Database,
    pub(crate) log: Log,
    pub(crate) bucket: Bucket,
}

/// A ZIP as it was unpacked: its bytes, and the files in order.
pub(crate) struct Unpacked {
    pub(crate) bytes: Bytes,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) manifest: serde_json::Value,
}

impl Story {
    pub(crate) async fn begin() -> anyhow::Result<Self> {
        let (database, bucket) = (Database::create().await?, Bucket::create().await?);
        Ok(Self { log: database.log(), database, bucket })
    }

    pub(crate) async fn tell(&self, stream: Stream, events: Vec<Event>) -> anyhow::Result<Position> {
        let context = Context::command("test");
        let events = events.into_iter().map(|event| NewEvent::new(event, &context)).collect();
        let write = Write { stream, expected: ExpectedVersion::Any, events };
        Ok(self.log.append(Append { key: None, writes: vec![write] }).await?.position())
    }

    /// An artwork without a picture.
    pub(crate) async fn begun(&self, title: &str) -> anyhow::Result<(ArtworkId, VariantId)> {
        let (artwork_id, variant_id) = (ArtworkId::new(), VariantId::new());
        let created = artwork::Created::new(artwork_id, OWNER.to_owned(), titled(title));
        let events = vec![Event::Artwork(ArtworkEvent::Created(created)), requested(artwork_id, variant_id, None)];
        self.tell(Stream::artwork(artwork_id), events).await?;
        Ok((artwork_id, variant_id))
    }

    /// One more variant of an artwork, without a picture, refined from the one that stands for it.
    pub(crate) async fn refined(&self, artwork_id: ArtworkId) -> anyhow::Result<(ArtworkId, VariantId)> {
        let (parent, variant_id) = (self.cover(artwork_id).await?, VariantId::new());
        self.tell(Stream::artwork(artwork_id), vec![requested(artwork_id, variant_id, Some(parent))]).await?;
        Ok((artwork_id, variant_id))
    }

    /// The variant that stands for an artwork.
    pub(crate) async fn cover(&self, artwork_id: ArtworkId) -> anyhow::Result<VariantId> {
        let artwork = Artwork::of(&self.log.read_stream(&Stream::artwork(artwork_id)).await?)?;
        let cover = artwork.as_ref().and_then(Artwork::cover).map(|cover| cover.id);
        cover.ok_or_else(|| anyhow::anyhow!("artwork {artwork_id} has no cover"))
    }

    /// Makes an artwork's variant complete, with this original.
    pub(crate) async fn finish(&self, begun: (ArtworkId, VariantId), original: Blob) -> anyhow::Result<Position> {
        self.finish_with(begun, original, Vec::new()).await
    }

    async fn finish_with(
        &self,
        (artwork, variant_id): (ArtworkId, VariantId),
        original: Blob,
        renditions: Vec<Rendition>,
    ) -> anyhow::Result<Position> {
        let rendered = variant::Rendered {
            variant_id,
            original,
            width: 30,
            height: 20,
            renditions,
            look: Look::Photo,
            palette: Vec::new(),
            placeholder: String::new(),
            recipe_hash: None,
        };
        self.tell(Stream::artwork(artwork), vec![Event::Variant(VariantEvent::Rendered(rendered))]).await
    }

    /// An artwork with a picture of these bytes.
    pub(crate) async fn complete(&self, title: &str, bytes: &[u8]) -> anyhow::Result<(ArtworkId, Blob)> {
        self.complete_with(title, bytes, &[]).await
    }

    /// The same with renditions of these bytes.
    pub(crate) async fn complete_with(
        &self,
        title: &str,
        bytes: &[u8],
        renditions: &[(RenditionKind, &[u8])],
    ) -> anyhow::Result<(ArtworkId, Blob)> {
        let begun = self.begun(title).await?;
        Ok((begun.0, self.paint(begun, bytes, renditions).await?))
    }

    /// One more variant of an artwork, with a picture of these bytes and such renditions.
    pub(crate) async fn refine(
        &self,
        artwork_id: ArtworkId,
        bytes: &[u8],
        renditions: &[(RenditionKind, &[u8])],
    ) -> anyhow::Result<(VariantId, Blob)> {
        let begun = self.refined(artwork_id).await?;
        Ok((begun.1, self.paint(begun, bytes, renditions).await?))
    }

    async fn paint(
        &self,
        begun: (ArtworkId, VariantId),
        bytes: &[u8],
        renditions: &[(RenditionKind, &[u8])],
    ) -> anyhow::Result<Blob> {
        let key = keys::original(OWNER, begun.1, "png");
        let blob = self.bucket.blobs.put(&key, Bytes::copy_from_slice(bytes), "image/png").await?;
        let set = RenditionSet { owner: OWNER, variant: begun.1, original: &blob.sha256, recipe: "0123456789ab" };
        let mut cut = Vec::new();
        for (kind, bytes) in renditions {
            let blob =
                self.bucket.blobs.put(&set.rendition(*kind), Bytes::copy_from_slice(bytes), "image/jpeg").await?;
            cut.push(Rendition { kind: *kind, blob, width: 3, height: 2 });
        }
        self.finish_with(begun, blob.clone(), cut).await?;
        Ok(blob)
    }

    /// Asks for an export of covers and answers the event.
    pub(crate) async fn request(&self, selection: Selection) -> anyhow::Result<Recorded> {
        self.request_of(selection, Files::Originals, Variants::Cover).await
    }

    /// The same of these files.
    pub(crate) async fn request_files(&self, selection: Selection, files: Files) -> anyhow::Result<Recorded> {
        self.request_of(selection, files, Variants::Cover).await
    }

    /// The same of these files of these variants.
    pub(crate) async fn request_of(
        &self,
        selection: Selection,
        files: Files,
        variants: Variants,
    ) -> anyhow::Result<Recorded> {
        let export_id = ExportId::new();
        let requested = ExportEvent::Requested(export::Requested { export_id, selection, files, variants });
        let position = self.tell(Stream::export(export_id), vec![Event::Export(requested)]).await?;
        let events = self.log.read(Position(position.0 - 1), 1).await?;
        events.into_iter().next().ok_or_else(|| anyhow::anyhow!("the event is not in the log"))
    }

    pub(crate) fn job(&self) -> Exports {
        self.job_with(ExportSettings::default())
    }

    pub(crate) fn job_with(&self, settings: ExportSettings) -> Exports {
        Exports::new(self.log.clone(), self.bucket.blobs.clone(), settings)
    }

    /// Runs the job once.
    pub(crate) async fn run(&self, event: &Recorded) -> anyhow::Result<Outcome> {
        let attempt = Attempt::first(event.clone());
        self.job().run(&attempt).await
    }

    /// Runs the job once and answers what it says to have completed.
    pub(crate) async fn export(&self, event: &Recorded) -> anyhow::Result<export::Completed> {
        completed(self.run(event).await?)
    }

    /// Fetches a ZIP and unpacks it.
    pub(crate) async fn unpack(&self, archive: &Blob) -> anyhow::Result<Unpacked> {
        let bytes = self.bucket.blobs.get(&archive.key, ZIP_LIMIT).await?;
        anyhow::ensure!(bytes.len() as u64 == archive.length, "the event says {archive:?}");
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes.clone()))?;
        let mut files = Vec::new();
        for index in 0..zip.len() {
            let mut file = zip.by_index(index)?;
            let mut content = Vec::new();
            file.read_to_end(&mut content)?;
            files.push((file.name()?.into_owned(), content));
        }
        let last = files.last().ok_or_else(|| anyhow::anyhow!("the ZIP is empty"))?;
        anyhow::ensure!(last.0 == MANIFEST, "the last file is {:?}", last.0);
        let manifest = serde_json::from_slice(&last.1)?;
        Ok(Unpacked { bytes, files, manifest })
    }
}

pub(crate) fn completed(outcome: Outcome) -> anyhow::Result<export::Completed> {
    let Outcome::Completed(writes) = outcome else { anyhow::bail!("{outcome:?}") };
    let events = writes.into_iter().flat_map(|write| write.events).map(|event| event.event);
    match events.collect::<Vec<_>>().as_slice() {
        [Event::Export(ExportEvent::Completed(completed))] => Ok(completed.clone()),
        other => anyhow::bail!("{other:?}"),
    }
}

fn requested(artwork_id: ArtworkId, variant_id: VariantId, parent: Option<VariantId>) -> Event {
    Event::Variant(VariantEvent::Requested(variant::Requested {
        artwork_id,
        variant_id,
        generation_id: GenerationId::new(),
        recipe: recipe(),
        lineage: parent.map(|parent| Lineage { parent, relation: Relation::Refined }).into_iter().collect(),
        priority: atelier_events::Priority::default(),
        not_before: None,
    }))
}

pub(crate) fn recipe() -> Recipe {
    let (provider, prompt) = ("sketch".to_owned(), "a harbour".to_owned());
    Recipe { provider, prompt, seed: u64::MAX, width: 30, height: 20, params: serde_json::json!({ "style": "ink" }) }
}

fn titled(title: &str) -> Details {
    Details {
        title: title.to_owned(),
        description: "Waves".to_owned(),
        artist: "Ann".to_owned(),
        materials: None,
        dimensions: None,
        created_on: None,
        category: artwork::default_category(),
        tags: vec!["sea".to_owned()],
        featured: false,
        source_url: Some("https://post.example/1".to_owned()),
        video_url: None,
    }
}
