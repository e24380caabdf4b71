//! An event: a fact in the past tense, proposed ([`NewEvent`]) or stored ([`Recorded`]).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::artwork::ArtworkEvent;
use crate::blobs::Blob;
use crate::data::Data;
use crate::export::{ExportEvent, Selection};
use crate::id::{Position, Stream, Version};
use crate::site::SiteEvent;
use crate::trace;
use crate::upcast;
use crate::variant::{Restored, VariantEvent};

/// Everything that can happen. Closed: a new event does not compile until every fold has answered it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// On the stream `artwork-<id>`.
    Artwork(ArtworkEvent),
    /// On the stream of its artwork.
    Variant(VariantEvent),
    /// On the stream `export-<id>`.
    Export(ExportEvent),
    /// On the stream `site-<name>`.
    Site(SiteEvent),
}

/// An event as its enum is written. The type comes first, so that what it says is read in one go and not kept until the type
/// is known.
#[derive(Serialize, Deserialize)]
struct Tagged<'a, D> {
    #[serde(rename = "type")]
    event_type: Cow<'a, str>,
    data: D,
}

/// Why a stored event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A newer version of Atelier wrote it, of a type or in a schema of its own: leave it for who knows it.
    #[error("event type {0:?}, or its schema, is not known to this version")]
    UnknownType(String),
    /// The type is known and the content does not fit: the log holds something no version ever wrote.
    #[error("event {event_type:?} of schema {schema} does not fit its type")]
    Content {
        /// The event's type.
        event_type: String,
        /// The schema it says it has.
        schema: i16,
        /// What does not fit.
        source: serde_json::Error,
    },
}

impl Event {
    /// The schema in which events of a type are written today. Older ones are upcast when read.
    #[must_use]
    pub fn schema_of(event_type: &str) -> i16 {
        upcast::newest(event_type)
    }

    /// The schema of its content as stored.
    #[must_use]
    pub fn schema(&self) -> i16 {
        upcast::newest(self.type_name())
    }

    /// The serialised name, which is also the routing key on the bus.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Artwork(event) => event.type_name(),
            Self::Variant(event) => event.type_name(),
            Self::Export(event) => event.type_name(),
            Self::Site(event) => event.type_name(),
        }
    }

    /// The content as stored.
    #[must_use]
    pub fn data(&self) -> Data {
        let tagged = match self {
            Self::Artwork(event) => serde_json::to_string(event),
            Self::Variant(event) => serde_json::to_string(event),
            Self::Export(event) => serde_json::to_string(event),
            Self::Site(event) => serde_json::to_string(event),
        };
        // Events hold strings, numbers and maps with string keys; none of these can fail to become JSON.
        let tagged: Tagged<'_, Data> = tagged
            .and_then(|tagged| serde_json::from_str(&tagged))
            .expect("an event is representable as JSON, with its type and its data");
        tagged.data
    }

    /// The blobs that it says are there.
    #[must_use]
    pub fn into_blobs(self) -> Vec<Blob> {
        match self {
            Self::Variant(VariantEvent::Generated(generated)) => vec![generated.original],
            Self::Variant(VariantEvent::Rendered(rendered)) => {
                let renditions = rendered.renditions.into_iter().map(|rendition| rendition.blob);
                [rendered.original].into_iter().chain(renditions).collect()
            }
            Self::Variant(VariantEvent::Restored(restored)) => {
                let Restored { original, rendered, .. } = *restored;
                let renditions = rendered.into_iter().flat_map(|rendered| rendered.renditions);
                original.into_iter().chain(renditions.map(|rendition| rendition.blob)).collect()
            }
            Self::Export(ExportEvent::Completed(completed)) => vec![completed.archive],
            Self::Export(ExportEvent::Requested(requested)) => match requested.selection {
                Selection::Listed(list) => vec![list],
                Selection::All(_) | Selection::Artworks(_) => Vec::new(),
            },
            Self::Artwork(_)
            | Self::Variant(
                VariantEvent::Requested(_)
                | VariantEvent::Uploaded(_)
                | VariantEvent::Started(_)
                | VariantEvent::RecutRequested(_)
                | VariantEvent::Failed(_),
            )
            | Self::Export(ExportEvent::Failed(_) | ExportEvent::Expired(_))
            | Self::Site(_) => Vec::new(),
        }
    }

    /// Reads a stored event, whichever schema it was written in.
    pub fn parse(event_type: &str, schema: i16, data: &Data) -> Result<Self, Unreadable> {
        // Whatever a newer schema means, it may mean something else even where it fits today's.
        let newest = Self::schema_of(event_type);
        if schema > newest {
            return Err(Unreadable::UnknownType(event_type.to_owned()));
        }
        let raised = (schema < newest).then(|| upcast::raise(event_type, schema, data));
        let tagged = Tagged { event_type: event_type.into(), data: raised.as_ref().unwrap_or(data) };
        let parsed = serde_json::to_string(&tagged).and_then(|tagged| match event_type.split('.').next() {
            Some("artwork") => serde_json::from_str(&tagged).map(|event| Some(Self::Artwork(event))),
            Some("variant") => serde_json::from_str(&tagged).map(|event| Some(Self::Variant(event))),
            Some("export") => serde_json::from_str(&tagged).map(|event| Some(Self::Export(event))),
            Some("site") => serde_json::from_str(&tagged).map(|event| Some(Self::Site(event))),
            _ => Ok(None),
        });
        match parsed {
            Ok(Some(event)) => Ok(event),
            Err(source) if Self::TYPES.contains(&event_type) => {
                Err(Unreadable::Content { event_type: event_type.to_owned(), schema, source })
            }
            Ok(None) | Err(_) => Err(Unreadable::UnknownType(event_type.to_owned())),
        }
    }

    /// This type name, if it is one: a misspelt one would look like one that never happened.
    pub fn known_type(name: &str) -> Result<&'static str, NoSuchType> {
        Self::TYPES.iter().find(|known| **known == name).copied().ok_or_else(|| NoSuchType(name.to_owned()))
    }

    /// Every type name there is, as stored.
    pub const TYPES: &'static [&'static str] = &[
        "artwork.created",
        "artwork.published",
        "variant.requested",
        "variant.uploaded",
        "variant.started",
        "variant.generated",
        "variant.rendered",
        "variant.recut_requested",
        "variant.failed",
        "variant.restored",
        "export.requested",
        "export.completed",
        "export.failed",
        "export.expired",
        "site.deployed",
    ];
}

/// Nothing is called so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no event has the type {0:?}; there are: {types}", types = Event::TYPES.join(", "))]
pub struct NoSuchType(String);

/// Who and what made an event, and which trace it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Who asked: an API key's name or a daemon's.
    pub actor: String,
    /// The command that everything in this chain goes back to.
    pub correlation_id: Uuid,
    /// The event that this one answers.
    pub causation_id: Option<Uuid>,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

impl Context {
    /// The context of a command: the start of a chain.
    #[must_use]
    pub fn command(actor: &str) -> Self {
        Self { actor: actor.to_owned(), correlation_id: Uuid::now_v7(), causation_id: None, traceparent: None }
    }
}

/// An event that is proposed to the log.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// UUID v7, or derived from what caused it where a repetition must be recognised.
    pub id: Uuid,
    /// What happened.
    pub event: Event,
    /// Who and why.
    pub context: Context,
}

impl NewEvent {
    /// An event with a fresh id.
    #[must_use]
    pub fn new(event: Event, context: &Context) -> Self {
        Self { id: Uuid::now_v7(), event, context: context.clone() }
    }
}

/// An event as the log holds it. It also is the message on the bus and in the live feed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Recorded {
    /// Place in the whole log.
    pub position: Position,
    /// The thing it happened to.
    pub stream: Stream,
    /// Place in its stream.
    pub version: Version,
    /// The event's id.
    pub id: Uuid,
    /// The serialised name.
    #[serde(rename = "type")]
    #[sqlx(rename = "type")]
    pub event_type: String,
    /// The schema of `data`.
    pub schema: i16,
    /// The content; [`Recorded::event`] reads it.
    pub data: Data,
    /// Who asked.
    pub actor: String,
    /// The command at the start of the chain.
    pub correlation_id: Uuid,
    /// The event that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// When the log took it, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub occurred_at: OffsetDateTime,
}

impl Recorded {
    /// What happened.
    pub fn event(&self) -> Result<Event, Unreadable> {
        Event::parse(&self.event_type, self.schema, &self.data)
    }

    /// Whether this version knows its type. Otherwise a newer one wrote it, and it is left for who knows it.
    #[must_use]
    pub fn has_known_type(&self) -> bool {
        Event::TYPES.contains(&self.event_type.as_str())
    }

    /// Whether this version also knows what it says: its type, in a schema not newer than today's.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.has_known_type() && self.schema <= Event::schema_of(&self.event_type)
    }

    /// How long ago the log took it, by this machine's clock; nothing where that is behind the database's.
    #[must_use]
    pub fn age(&self) -> std::time::Duration {
        (OffsetDateTime::now_utc() - self.occurred_at).try_into().unwrap_or_default()
    }

    /// The context of an event that answers this one.
    #[must_use]
    pub fn caused(&self, actor: &str) -> Context {
        Context {
            actor: actor.to_owned(),
            correlation_id: self.correlation_id,
            causation_id: Some(self.id),
            // Of the attempt that runs, so that what follows hangs below it.
            traceparent: trace::current().or_else(|| self.traceparent.clone()),
        }
    }
}
