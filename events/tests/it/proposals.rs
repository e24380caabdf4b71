//! Events and appends to propose.

use atelier_events::artwork::{Created, Details, default_category};
use atelier_events::log::Write;
use atelier_events::variant::{Look, Rendered, Requested, Uploaded};
use atelier_events::{
    Append, ArtworkEvent, ArtworkId, Blob, Context, Event, ExpectedVersion, GenerationId, NewEvent, Priority, Recipe,
    Stream, VariantEvent, VariantId,
};
use time::OffsetDateTime;

pub(crate) fn created(artwork_id: ArtworkId, title: &str) -> Event {
    Event::Artwork(ArtworkEvent::Created(Created::new(
        artwork_id,
        "ada".to_owned(),
        Details {
            title: title.to_owned(),
            description: String::new(),
            artist: String::new(),
            materials: None,
            dimensions: None,
            created_on: None,
            category: default_category(),
            tags: Vec::new(),
            featured: false,
            source_url: None,
            video_url: None,
        },
    )))
}

pub(crate) fn uploaded(artwork_id: ArtworkId) -> Event {
    uploaded_with(artwork_id, Priority::Interactive)
}

pub(crate) fn uploaded_with(artwork_id: ArtworkId, priority: Priority) -> Event {
    Event::Variant(VariantEvent::Uploaded(Uploaded {
        artwork_id,
        variant_id: VariantId::new(),
        upload_key: "uploads/1/sea.png".to_owned(),
        filename: "sea.png".to_owned(),
        length: 70_000,
        recipe: None,
        lineage: Vec::new(),
        requested_at: None,
        priority,
    }))
}

/// A variant to be generated, not before some time, and its artwork.
pub(crate) fn requested(not_before: Option<OffsetDateTime>) -> (ArtworkId, Event) {
    let artwork_id = ArtworkId::new();
    let recipe = Recipe {
        provider: "sketch".to_owned(),
        prompt: "the sea".to_owned(),
        seed: 1,
        width: 64,
        height: 64,
        params: serde_json::Value::Null,
    };
    let requested = Requested {
        artwork_id,
        variant_id: VariantId::new(),
        generation_id: GenerationId::new(),
        recipe,
        lineage: Vec::new(),
        priority: Priority::Interactive,
        not_before,
    };
    (artwork_id, Event::Variant(VariantEvent::Requested(requested)))
}

/// A variant whose renditions are there.
pub(crate) fn rendered() -> Event {
    let original = Blob {
        key: "originals/1.png".to_owned(),
        sha256: "0".repeat(64),
        media_type: "image/png".to_owned(),
        length: 1,
    };
    Event::Variant(VariantEvent::Rendered(Rendered {
        variant_id: VariantId::new(),
        original,
        width: 1,
        height: 1,
        renditions: Vec::new(),
        look: Look::Photo,
        palette: Vec::new(),
        placeholder: String::new(),
        recipe_hash: None,
    }))
}

pub(crate) fn write(stream: &Stream, expected: ExpectedVersion, events: Vec<Event>) -> Write {
    let context = Context::command("ada");
    Write {
        stream: stream.clone(),
        expected,
        events: events.into_iter().map(|event| NewEvent::new(event, &context)).collect(),
    }
}

pub(crate) fn append(stream: &Stream, expected: ExpectedVersion, events: Vec<Event>) -> Append {
    Append { key: None, writes: vec![write(stream, expected, events)] }
}

/// A new artwork of so many events.
pub(crate) fn new_artwork(events: usize) -> Append {
    let id = ArtworkId::new();
    let mut proposed = vec![created(id, "The sea")];
    proposed.resize_with(events, || uploaded(id));
    append(&Stream::artwork(id), ExpectedVersion::NoStream, proposed)
}
