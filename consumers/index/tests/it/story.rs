//! A log with something in it: what a test tells, and what chance does.

use atelier_e2e::Database;
use atelier_events::artwork::{self, ArtworkEvent};
use atelier_events::export::{self, ExportEvent, Selection};
use atelier_events::keys::RenditionSet;
use atelier_events::site::{Deployed, SiteEvent};
use atelier_events::variant::{self, VariantEvent};
use atelier_events::{
    Append, ArtworkId, Blob, Context, Details, Event, ExpectedVersion, ExportId, GenerationId, Lineage, Log, Look,
    NewEvent, Position, Recipe, Relation, Rendition, RenditionKind, Stage, Stream, Swatch, VariantId, VariantState,
    keys,
};
use atelier_index::ReadModel;
use atelier_runtime::Projection;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::PgPool;

pub(crate) const OWNER: &str = "ann";
/// By which all sets are cut.
pub(crate) const RECIPE: &str = "5f2c9e01d7ab";

/// A database with a log and nothing in it.
pub(crate) struct Story {
    pub(crate) log: Log,
    pub(crate) database: Database,
}

impl Story {
    pub(crate) async fn begin() -> anyhow::Result<Self> {
        let database = Database::create().await?;
        Ok(Self { log: database.log(), database })
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.log.pool()
    }

    /// Appends events to a stream and answers the position of the last.
    pub(crate) async fn tell(&self, stream: Stream, events: Vec<Event>) -> anyhow::Result<Position> {
        let context = Context::command("test");
        let events = events.into_iter().map(|event| NewEvent::new(event, &context)).collect();
        let write = atelier_events::log::Write { stream, expected: ExpectedVersion::Any, events };
        Ok(self.log.append(Append { key: None, writes: vec![write] }).await?.position())
    }

    /// An uploaded artwork that is complete.
    pub(crate) async fn complete(&self, details: Details) -> anyhow::Result<(ArtworkId, VariantId)> {
        let (artwork, variant) = (ArtworkId::new(), VariantId::new());
        let events = vec![created(artwork, details), uploaded(artwork, variant), rendered(variant, 1)];
        self.tell(Stream::artwork(artwork), events).await?;
        Ok((artwork, variant))
    }

    /// A read model with everything applied.
    pub(crate) async fn read_model(&self) -> anyhow::Result<ReadModel> {
        let mut read_model = ReadModel::open(&self.log).await?;
        catch_up(&mut read_model, &self.log, 1_000).await?;
        Ok(read_model)
    }
}

/// Applies the log to its end, so many events at a time.
pub(crate) async fn catch_up(read_model: &mut ReadModel, log: &Log, batch: i64) -> anyhow::Result<()> {
    loop {
        let after = read_model.checkpoint().await?;
        let events = log.read(after, batch).await?;
        if events.is_empty() {
            return read_model.caught_up().await;
        }
        read_model.apply(&events).await?;
    }
}

pub(crate) fn titled(title: &str) -> Details {
    Details {
        title: title.to_owned(),
        description: String::new(),
        artist: "Ann".to_owned(),
        materials: None,
        dimensions: None,
        created_on: None,
        category: artwork::default_category(),
        tags: Vec::new(),
        featured: false,
        source_url: None,
        video_url: None,
    }
}

pub(crate) fn created(artwork_id: ArtworkId, details: Details) -> Event {
    Event::Artwork(ArtworkEvent::Created(artwork::Created::new(artwork_id, OWNER.to_owned(), details)))
}

pub(crate) fn uploaded(artwork_id: ArtworkId, variant_id: VariantId) -> Event {
    Event::Variant(VariantEvent::Uploaded(upload(artwork_id, variant_id)))
}

/// The same of one that was made in this year by a recipe for this, and is taken back in.
pub(crate) fn taken_back(artwork_id: ArtworkId, variant_id: VariantId, year: i32, prompt: &str) -> Event {
    let requested_at = time::macros::datetime!(2020-05-04 03:02:01.5 UTC).replace_year(year).ok();
    let upload = upload(artwork_id, variant_id);
    Event::Variant(VariantEvent::Uploaded(variant::Uploaded {
        requested_at,
        recipe: Some(recipe(prompt)),
        filename: String::new(),
        ..upload
    }))
}

fn upload(artwork_id: ArtworkId, variant_id: VariantId) -> variant::Uploaded {
    let (upload_key, filename) = (format!("uploads/{variant_id}/a.png"), "a.png".to_owned());
    variant::Uploaded {
        artwork_id,
        variant_id,
        upload_key,
        filename,
        length: 7,
        recipe: None,
        lineage: Vec::new(),
        requested_at: None,
        priority: atelier_events::Priority::default(),
    }
}

pub(crate) fn requested(artwork_id: ArtworkId, variant_id: VariantId, recipe: Recipe, lineage: Vec<Lineage>) -> Event {
    let generation_id = GenerationId::new();
    Event::Variant(VariantEvent::Requested(variant::Requested {
        artwork_id,
        variant_id,
        generation_id,
        recipe,
        lineage,
        priority: atelier_events::Priority::default(),
        not_before: None,
    }))
}

pub(crate) fn recipe(prompt: &str) -> Recipe {
    let params = serde_json::json!({ "style": "ink" });
    Recipe { provider: "sketch".to_owned(), prompt: prompt.to_owned(), seed: u64::MAX, width: 640, height: 480, params }
}

pub(crate) fn started(variant_id: VariantId) -> Event {
    Event::Variant(VariantEvent::Started(variant::Started { variant_id, attempt: 1 }))
}

pub(crate) fn generated(variant_id: VariantId) -> Event {
    let original = original(variant_id, 1);
    Event::Variant(VariantEvent::Generated(variant::Generated {
        variant_id,
        original,
        elapsed_ms: 12,
        cost_micros: 34,
        priority: atelier_events::Priority::default(),
    }))
}

pub(crate) fn original(variant_id: VariantId, length: u64) -> Blob {
    Blob {
        key: keys::original(OWNER, variant_id, "png"),
        sha256: "0a".repeat(32),
        media_type: "image/png".to_owned(),
        length,
    }
}

pub(crate) fn rendered(variant_id: VariantId, length: u64) -> Event {
    let kinds = [RenditionKind::Display, RenditionKind::Thumb, RenditionKind::Icon, RenditionKind::Preview];
    let original = original(variant_id, length);
    let set = RenditionSet { owner: OWNER, variant: variant_id, original: &original.sha256, recipe: RECIPE };
    let rendition =
        |kind| Rendition { kind, blob: Blob { key: set.rendition(kind), ..original.clone() }, width: 30, height: 20 };
    Event::Variant(VariantEvent::Rendered(variant::Rendered {
        variant_id,
        renditions: kinds.map(rendition).to_vec(),
        original,
        width: 300,
        height: 200,
        look: Look::Photo,
        palette: vec![
            Swatch { colour: "#102030".to_owned(), per_mille: 612 },
            Swatch { colour: "#a0b0c0".to_owned(), per_mille: 388 },
        ],
        placeholder: "3OcRJYB4d3h/iIeHeEh3eIhw+j2w".to_owned(),
        recipe_hash: Some(RECIPE.to_owned()),
    }))
}

pub(crate) fn recut_requested(variant_id: VariantId) -> Event {
    let priority = atelier_events::Priority::Bulk;
    Event::Variant(VariantEvent::RecutRequested(variant::RecutRequested { variant_id, priority }))
}

/// As another log knew it: complete, given up or begun, a while ago.
pub(crate) fn restored(artwork_id: ArtworkId, variant_id: VariantId, state: VariantState) -> Event {
    let at = |minutes| time::macros::datetime!(2020-05-04 03:02:01.5 UTC) + time::Duration::minutes(minutes);
    let (Event::Variant(VariantEvent::Rendered(rendered)), Event::Variant(VariantEvent::Failed(failure))) =
        (rendered(variant_id, 3), failed(variant_id, "it was no picture"))
    else {
        unreachable!("they are variants' events")
    };
    Event::Variant(VariantEvent::Restored(Box::new(variant::Restored {
        artwork_id,
        variant_id,
        generation_id: Some(GenerationId::new()),
        recipe: Some(recipe("as it was")),
        lineage: vec![Lineage { parent: VariantId::new(), relation: Relation::Derived }],
        filename: None,
        requested_at: at(0),
        started_at: Some(at(1)),
        finished_at: (state == VariantState::Completed || state == VariantState::Failed).then(|| at(2)),
        original: (state != VariantState::Pending).then(|| rendered.original.clone()),
        rendered: (state == VariantState::Completed).then_some(rendered),
        failure: (state == VariantState::Failed).then_some(failure),
        elapsed_ms: Some(12),
        cost_micros: Some(34),
    })))
}

pub(crate) fn failed(variant_id: VariantId, error: &str) -> Event {
    let error = error.to_owned();
    Event::Variant(VariantEvent::Failed(variant::Failed { variant_id, stage: Stage::Renditions, error }))
}

pub(crate) fn export_requested(export_id: ExportId, selection: Selection) -> Event {
    let (files, variants) = (export::Files::Originals, export::Variants::All);
    Event::Export(ExportEvent::Requested(export::Requested { export_id, selection, files, variants }))
}

pub(crate) fn export_completed(export_id: ExportId) -> Event {
    let archive = Blob { key: keys::export(export_id), ..original(VariantId::new(), 99) };
    Event::Export(ExportEvent::Completed(export::Completed {
        export_id,
        archive,
        pictures: 3,
        missing: Vec::new(),
        contents: None,
        kept_until: None,
    }))
}

pub(crate) fn export_expired(export_id: ExportId) -> Event {
    Event::Export(ExportEvent::Expired(export::Expired { export_id }))
}

pub(crate) fn export_failed(export_id: ExportId) -> Event {
    Event::Export(ExportEvent::Failed(export::Failed { export_id, error: "nothing to export".to_owned() }))
}

pub(crate) fn deployed(position: Position) -> Event {
    Event::Site(SiteEvent::Deployed(Deployed {
        position,
        artworks: 1,
        files: 10,
        files_written: 5,
        bytes_written: 500,
        url: "https://gallery.example".to_owned(),
    }))
}

pub(crate) fn published(artwork_id: ArtworkId, position: Position) -> Event {
    let url = format!("https://gallery.example/artworks/{artwork_id}/");
    Event::Artwork(ArtworkEvent::Published(artwork::Published { position, url }))
}

/// A log of so many appends in which everything happens in every order: outcomes that come late, twice or for nothing,
/// retries, releases that are overtaken. The same seed tells the same story.
pub(crate) async fn by_chance(story: &Story, seed: u64, appends: usize) -> anyhow::Result<Vec<ArtworkId>> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut artworks: Vec<(ArtworkId, Vec<VariantId>)> = Vec::new();
    let mut exports: Vec<ExportId> = Vec::new();
    for number in 0..appends {
        match chance.random_range(0..30) {
            die if die < 5 || artworks.is_empty() => {
                begun(story, number, &mut artworks).await?;
            }
            5..=6 => {
                let head = story.log.head().await?;
                let release = deployed(Position(chance.random_range(1..=head.0)));
                story.tell(Stream::site("gallery"), vec![release]).await?;
            }
            7..=9 => {
                let export = exports.first().copied().filter(|_| chance.random()).unwrap_or_else(ExportId::new);
                let event = match chance.random_range(0..4) {
                    0 => export_requested(export, Selection::All(Position(1))),
                    1 => export_completed(export),
                    2 => export_expired(export),
                    _ => export_failed(export),
                };
                story.tell(Stream::export(export), vec![event]).await?;
                exports.insert(0, export);
            }
            _ => {
                let at = chance.random_range(0..artworks.len());
                let (artwork, variants) = &mut artworks[at];
                let event = happening(&mut chance, *artwork, variants);
                story.tell(Stream::artwork(*artwork), vec![event]).await?;
            }
        }
    }
    Ok(artworks.into_iter().map(|(artwork, _)| artwork).collect())
}

async fn begun(story: &Story, number: usize, artworks: &mut Vec<(ArtworkId, Vec<VariantId>)>) -> anyhow::Result<()> {
    let artwork = ArtworkId::new();
    let details = Details { tags: vec!["sea".to_owned()], ..titled(&format!("Work {number}")) };
    story.tell(Stream::artwork(artwork), vec![created(artwork, details)]).await?;
    artworks.push((artwork, Vec::new()));
    Ok(())
}

fn happening(chance: &mut StdRng, artwork: ArtworkId, variants: &mut Vec<VariantId>) -> Event {
    if variants.is_empty() || chance.random_ratio(1, 4) {
        let variant = VariantId::new();
        let parent = variants.last().copied();
        variants.push(variant);
        let lineage = parent.map(|parent| Lineage { parent, relation: Relation::Refined });
        let state = [VariantState::Pending, VariantState::Processing, VariantState::Completed, VariantState::Failed]
            [chance.random_range(0..4)];
        return match chance.random_range(0..5) {
            0 => uploaded(artwork, variant),
            4 => taken_back(artwork, variant, chance.random_range(2000..2020), "a harbour of old"),
            3 => restored(artwork, variant, state),
            1 => requested(artwork, variant, recipe("a quiet harbour"), lineage.into_iter().collect()),
            // Something happens to a variant that nobody asked for.
            _ => started(variant),
        };
    }
    let variant = variants[chance.random_range(0..variants.len())];
    match chance.random_range(0..16) {
        13 => restored(artwork, variant, VariantState::Failed),
        // Also of what is not ready, and of releases that are older than what was told.
        14..=15 => published(artwork, Position(chance.random_range(1..1_000))),
        0..=2 => started(variant),
        3..=5 => generated(variant),
        6..=8 => rendered(variant, chance.random_range(1..100)),
        9 => recut_requested(variant),
        _ => failed(variant, "the file ends before the picture does"),
    }
}
