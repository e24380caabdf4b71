//! Events and appends to propose.

use atelier_events::artwork::{Created, Details, default_category};
use atelier_events::log::Write;
use atelier_events::variant::Uploaded;
use atelier_events::{
    Append, ArtworkEvent, ArtworkId, Context, Event, ExpectedVersion, NewEvent, Stream, VariantEvent, VariantId,
};

pub(crate) fn created(artwork_id: ArtworkId, title: &str) -> Event {
    Event::Artwork(ArtworkEvent::Created(Created {
        artwork_id,
        owner: "ada".to_owned(),
        details: Details {
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
    }))
}

pub(crate) fn uploaded(artwork_id: ArtworkId) -> Event {
    Event::Variant(VariantEvent::Uploaded(Uploaded {
        artwork_id,
        variant_id: VariantId::new(),
        upload_key: "uploads/1/sea.png".to_owned(),
        filename: "sea.png".to_owned(),
        length: 70_000,
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
