#![doc = include_str!("../README.md")]

pub mod artwork;
pub mod blobs;
pub mod bus;
pub mod connect;
pub mod consumer;
pub mod data;
pub mod event;
pub mod export;
pub mod gallery_metadata;
pub mod given_up;
pub mod health;
pub mod id;
pub mod infrastructure;
pub mod jobs;
pub mod keys;
pub mod lead;
pub mod lifecycle;
pub mod log;
pub mod operations;
pub mod passed_over;
pub mod percent;
pub mod poison;
pub mod replays;
pub mod settings;
pub mod signal;
pub mod site;
pub mod stalls;
pub mod telemetry;
pub mod trace;
mod upcast;
pub mod variant;

pub use artwork::{Artwork, ArtworkEvent, Details, Status};
pub use blobs::{Blob, BlobError, Blobs};
pub use connect::Connections;
pub use consumer::Consumer;
pub use data::Data;
pub use event::{Context, Event, NewEvent, NoSuchType, Recorded, Unreadable};
pub use export::{Export, ExportEvent};
pub use id::{ArtworkId, ExportId, GenerationId, Position, Stream, VariantId, Version};
pub use log::{Append, AppendError, Appended, ExpectedVersion, Log};
pub use site::{Site, SiteEvent};
pub use variant::{
    Lineage, Look, Priority, Recipe, Relation, Rendition, RenditionKind, Stage, Swatch, Variant, VariantEvent,
    VariantState,
};
