//! A history for a replay to go through: many artworks at once, each uploaded, or made in one to three variants, with
//! exports and releases in between, as a gallery writes it that is used.

use std::collections::VecDeque;

use atelier_events::Priority;
use atelier_events::artwork::{ArtworkEvent, Created};
use atelier_events::export::{self, ExportEvent, Files, Selection, Variants};
use atelier_events::keys::RenditionSet;
use atelier_events::log::Write;
use atelier_events::site::{Deployed, SiteEvent};
use atelier_events::variant::{self, VariantEvent};
use atelier_events::{
    Append, ArtworkId, Blob, Context, Details, Event, ExpectedVersion, ExportId, GenerationId, Lineage, Log, Look,
    NewEvent, Position, Recipe, Relation, Rendition, RenditionKind, Stage, Stream, Swatch, VariantId, keys,
};
use serde_json::json;

/// Things that happen at the same time.
const AT_ONCE: usize = 500;

/// Events that happen to each of them before the next has its turn.
const TURN: usize = 2;

/// Events of one append, at the most: one transaction takes them, by the one way there is into the log.
const APPEND_EVENTS: usize = 1_000;

/// After so many artworks the site is deployed, and after as many more there is an export.
const RELEASE_EVERY: u64 = 1_000;

/// By which all sets are cut.
const RECIPE: &str = "5f2c9e01d7ab";

const WORDS: [&str; 8] = ["harbour", "dusk", "sea", "night", "boats", "city", "forest", "study"];

const PROMPT: &str = "a quiet harbour at dusk, three boats, lamps along the quay, green light at the edge of the water";

const DESCRIPTION: &str = "Painted from memory after an evening walk; the lamps were lit one after the other, and the \
                           water took on the last of the sky.";

/// What is still to happen on a stream.
struct Life {
    stream: Stream,
    ahead: VecDeque<Event>,
}

/// Writes a history; the same every time but for ids.
#[derive(Default)]
pub(super) struct History {
    begun: u64,
    lives: VecDeque<Life>,
}

impl History {
    /// Appends until the log has so many events.
    pub(super) async fn write(&mut self, log: &Log, events: i64) -> anyhow::Result<()> {
        let context = Context::command("bench");
        let mut head = log.head().await?;
        while head.0 < events {
            let limit = usize::try_from(events - head.0)?.min(APPEND_EVENTS);
            let writes = self.next(head, limit, &context);
            head = log.append(Append { key: None, writes }).await?.position();
        }
        Ok(())
    }

    /// What happens next: everything that is under way gets on a little, until there are so many events.
    fn next(&mut self, head: Position, limit: usize, context: &Context) -> Vec<Write> {
        let mut writes: Vec<Write> = Vec::new();
        let mut size = 0;
        // At most once round: a stream has one write in an append.
        for _ in 0..AT_ONCE {
            if size >= limit {
                break;
            }
            while self.lives.len() < AT_ONCE {
                self.begun += 1;
                self.lives.push_back(begin(self.begun, head));
            }
            let Some(mut life) = self.lives.pop_front() else { break };
            let turn = life.ahead.len().min(TURN).min(limit - size);
            let events = life.ahead.drain(..turn).map(|event| NewEvent::new(event, context)).collect();
            writes.push(Write { stream: life.stream.clone(), expected: ExpectedVersion::Any, events });
            size += turn;
            if !life.ahead.is_empty() {
                self.lives.push_back(life);
            }
        }
        writes
    }
}

fn begin(number: u64, head: Position) -> Life {
    match number % (2 * RELEASE_EVERY) {
        0 => release(head),
        RELEASE_EVERY => export(head),
        _ => artwork(number),
    }
}

fn release(head: Position) -> Life {
    let url = "https://gallery.example".to_owned();
    let deployed =
        Deployed { position: head, artworks: 100, files: 1_000, files_written: 50, bytes_written: 5_000_000, url };
    Life { stream: Stream::site("gallery"), ahead: [Event::Site(SiteEvent::Deployed(deployed))].into() }
}

fn export(head: Position) -> Life {
    let export_id = ExportId::new();
    let (selection, files, variants) = (Selection::All(head), Files::Originals, Variants::All);
    let requested = export::Requested { export_id, selection, files, variants };
    let archive = blob(keys::export(export_id), "application/zip", 9_000_000);
    let completed =
        export::Completed { export_id, archive, pictures: 100, missing: Vec::new(), contents: None, kept_until: None };
    let ahead = [ExportEvent::Requested(requested), ExportEvent::Completed(completed)];
    Life { stream: Stream::export(export_id), ahead: ahead.map(Event::Export).into() }
}

fn artwork(number: u64) -> Life {
    let artwork_id = ArtworkId::new();
    let word = |offset: u64| WORDS[usize::try_from((number / 3 + offset) % 8).unwrap_or(0)];
    let owner = format!("owner-{}", number % 20);
    let details = Details {
        title: format!("{} at {} {number}", word(0), word(1)),
        description: if number.is_multiple_of(2) { DESCRIPTION.to_owned() } else { String::new() },
        artist: owner.clone(),
        materials: None,
        dimensions: None,
        created_on: None,
        category: word(5).to_owned(),
        tags: vec![word(0).to_owned(), word(1).to_owned(), word(3).to_owned()],
        featured: number.is_multiple_of(50),
        source_url: None,
        video_url: None,
    };
    let created = Created::new(artwork_id, owner.clone(), details);
    let mut ahead: VecDeque<Event> = [Event::Artwork(ArtworkEvent::Created(created))].into();
    let mut happens = |event| ahead.push_back(Event::Variant(event));
    if number.is_multiple_of(4) {
        let (variant_id, filename) = (VariantId::new(), format!("IMG_{number}.jpg"));
        let upload_key = keys::upload(variant_id.0, &filename);
        let uploaded = variant::Uploaded {
            artwork_id,
            variant_id,
            upload_key,
            filename,
            length: 1_500_000,
            recipe: None,
            lineage: Vec::new(),
            requested_at: None,
            priority: Priority::Bulk,
        };
        happens(VariantEvent::Uploaded(uploaded));
        happens(rendered(&owner, variant_id));
    } else {
        let mut parent = None;
        for round in 0..=number % 3 {
            let variant_id = VariantId::new();
            let recipe = Recipe {
                provider: "sketch".to_owned(),
                prompt: format!("{PROMPT}, {} and {}, number {number}", word(2), word(4 + round)),
                seed: number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
                width: 1_024,
                height: 1_024,
                params: json!({ "style": "ink" }),
            };
            let lineage = parent.map(|parent| Lineage { parent, relation: Relation::Refined }).into_iter().collect();
            let generation_id = GenerationId::new();
            let requested = variant::Requested {
                artwork_id,
                variant_id,
                generation_id,
                recipe,
                lineage,
                priority: Priority::Bulk,
                not_before: None,
            };
            happens(VariantEvent::Requested(requested));
            happens(VariantEvent::Started(variant::Started { variant_id, attempt: 1 }));
            if number.is_multiple_of(37) {
                let error = "the provider answered 503 five times".to_owned();
                happens(VariantEvent::Failed(variant::Failed { variant_id, stage: Stage::Generate, error }));
                continue;
            }
            let original = blob(keys::original(&owner, variant_id, "png"), "image/png", 1_200_000);
            let generated = variant::Generated {
                variant_id,
                original,
                elapsed_ms: 4_000 + number,
                cost_micros: 0,
                priority: Priority::Bulk,
            };
            happens(VariantEvent::Generated(generated));
            happens(rendered(&owner, variant_id));
            parent = Some(variant_id);
        }
    }
    Life { stream: Stream::artwork(artwork_id), ahead }
}

fn rendered(owner: &str, variant_id: VariantId) -> VariantEvent {
    let kinds = [
        (RenditionKind::Display, "image/jpeg", 1_024),
        (RenditionKind::Thumb, "image/jpeg", 300),
        (RenditionKind::Icon, "image/jpeg", 128),
        (RenditionKind::Preview, "image/webp", 256),
        (RenditionKind::Card, "image/jpeg", 1_200),
    ];
    let original = blob(keys::original(owner, variant_id, "png"), "image/png", 1_200_000);
    let set = RenditionSet { owner, variant: variant_id, original: &original.sha256, recipe: RECIPE };
    let rendition = |(kind, media_type, side): (RenditionKind, &str, u32)| Rendition {
        kind,
        blob: blob(set.rendition(kind), media_type, u64::from(side) * 90),
        width: side,
        height: side,
    };
    VariantEvent::Rendered(variant::Rendered {
        variant_id,
        renditions: kinds.map(rendition).to_vec(),
        original,
        width: 1_024,
        height: 1_024,
        look: Look::Photo,
        palette: ["#102030", "#a0b0c0", "#405060", "#d0c0b0", "#203010"]
            .map(|colour| Swatch { colour: colour.to_owned(), per_mille: 200 })
            .to_vec(),
        placeholder: "3OcRJYB4d3h/iIeHeEh3eIhw+j2w".to_owned(),
        recipe_hash: Some(RECIPE.to_owned()),
    })
}

/// Its digest is as long as a real one, and as different from others.
fn blob(key: String, media_type: &str, length: u64) -> Blob {
    let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, key.as_bytes()).simple();
    Blob { sha256: format!("{id}{id}"), key, media_type: media_type.to_owned(), length }
}
