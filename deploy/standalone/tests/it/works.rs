//! Artworks whose originals, renditions and sidecars lie in the bucket, as the consumers would have left them.

use atelier_events::artwork::Created;
use atelier_events::variant::{Failed, Rendered, Requested, Uploaded};
use atelier_events::{
    ArtworkEvent, ArtworkId, Connections, Event, GenerationId, Lineage, Look, Position, Recipe, Recorded, Relation,
    Rendition, RenditionKind, Stage, Stream, Swatch, VariantEvent, VariantId, keys,
};
use atelier_index::Sidecars;
use atelier_runtime::{Attempt, Job as _};
use bytes::Bytes;

use crate::installation::{Installation, details};
use crate::store::bytes;

pub(crate) const OWNER: &str = "ann";

/// The stream of one artwork, told as its consumers would.
pub(crate) struct Work {
    pub(crate) id: ArtworkId,
    pub(crate) variants: Vec<VariantId>,
}

impl Work {
    async fn create(installation: &Installation, title: &str) -> Self {
        let id = ArtworkId::new();
        let created = Created::new(id, OWNER.to_owned(), details(title));
        installation.append(Stream::artwork(id), vec![Event::Artwork(ArtworkEvent::Created(created))]).await;
        Self { id, variants: Vec::new() }
    }

    async fn tell(&self, installation: &Installation, event: VariantEvent) {
        installation.append(Stream::artwork(self.id), vec![Event::Variant(event)]).await;
    }

    async fn upload(&mut self, installation: &Installation) -> VariantId {
        let variant_id = VariantId::new();
        self.variants.push(variant_id);
        let uploaded = Uploaded {
            artwork_id: self.id,
            variant_id,
            upload_key: format!("uploads/{variant_id}/a.png"),
            filename: "a.png".to_owned(),
            length: 4_000,
            recipe: None,
            lineage: Vec::new(),
            requested_at: None,
            priority: atelier_events::Priority::default(),
        };
        self.tell(installation, VariantEvent::Uploaded(uploaded)).await;
        variant_id
    }

    /// A further version, made from the last.
    async fn request(&mut self, installation: &Installation) -> VariantId {
        let variant_id = VariantId::new();
        let lineage = self.variants.last().map(|parent| Lineage { parent: *parent, relation: Relation::Refined });
        self.variants.push(variant_id);
        let params = serde_json::json!({ "strength": 0.5, "model": "ink" });
        let requested = Requested {
            artwork_id: self.id,
            variant_id,
            generation_id: GenerationId::new(),
            recipe: Recipe {
                provider: "sketch".to_owned(),
                prompt: "in the \"rain\" 雨".to_owned(),
                seed: u64::MAX,
                width: 64,
                height: 48,
                params,
            },
            lineage: lineage.into_iter().collect(),
            priority: atelier_events::Priority::default(),
            not_before: None,
        };
        self.tell(installation, VariantEvent::Requested(requested)).await;
        variant_id
    }

    /// Its original and two renditions, in the bucket and in the log.
    async fn render(&self, installation: &Installation, variant_id: VariantId) {
        let blobs = &installation.connections.blobs;
        let png: Bytes = [variant_id.0.as_bytes().as_slice(), &bytes(4_000)].concat().into();
        let original = blobs.put(&keys::original(OWNER, variant_id, "png"), png, "image/png").await.unwrap();
        let set = keys::RenditionSet { owner: OWNER, variant: variant_id, original: &original.sha256, recipe: "5f2c" };
        let mut renditions = Vec::new();
        for (kind, length) in [(RenditionKind::Display, 900), (RenditionKind::Icon, 90)] {
            let blob = blobs.put(&set.rendition(kind), bytes(length), "image/jpeg").await.unwrap();
            renditions.push(Rendition { kind, blob, width: 30, height: 20 });
        }
        blobs.put(&set.manifest(), Bytes::from_static(b"{}"), "application/json").await.unwrap();
        let rendered = Rendered {
            variant_id,
            original,
            width: 60,
            height: 40,
            renditions,
            look: Look::Flat,
            palette: vec![Swatch { colour: "#204060".to_owned(), per_mille: 1_000 }],
            placeholder: "3OcRJYB4d3h/iIeHeEh3eIhw+j2w".to_owned(),
            recipe_hash: Some("5f2c".to_owned()),
        };
        self.tell(installation, VariantEvent::Rendered(rendered)).await;
    }

    async fn fail(&self, installation: &Installation, variant_id: VariantId) {
        let failed = Failed { variant_id, stage: Stage::Generate, error: "the provider refused".to_owned() };
        self.tell(installation, VariantEvent::Failed(failed)).await;
    }

    pub(crate) fn sidecar(&self) -> String {
        keys::sidecar(OWNER, self.id)
    }
}

/// An upload that is complete.
pub(crate) async fn simple(installation: &Installation, title: &str) -> Work {
    let mut work = Work::create(installation, title).await;
    let variant = work.upload(installation).await;
    work.render(installation, variant).await;
    work
}

/// Three artworks: the first was created before the others, became ready between them, has a variant of each state that
/// lasts, and got another cover after them.
pub(crate) async fn gallery(installation: &Installation) -> [Work; 3] {
    let mut long = Work::create(installation, "Long in the making").await;
    let first = long.upload(installation).await;
    let second = simple(installation, "Second").await;
    long.render(installation, first).await;
    let refined = long.request(installation).await;
    let refused = long.request(installation).await;
    let third = simple(installation, "Third").await;
    long.render(installation, refined).await;
    long.fail(installation, refused).await;
    write_sidecars(&installation.connections).await;
    [long, second, third]
}

/// As the index daemon does.
pub(crate) async fn write_sidecars(connections: &Connections) {
    let job = Sidecars::new(connections.log.clone(), connections.blobs.clone());
    for event in history(connections).await {
        if atelier_events::Consumer::Sidecars.event_types().contains(&event.event_type.as_str()) {
            let attempt = Attempt::first(event);
            job.run(&attempt).await.unwrap();
        }
    }
}

pub(crate) async fn history(connections: &Connections) -> Vec<Recorded> {
    connections.log.read(Position(0), 1_000).await.unwrap()
}
