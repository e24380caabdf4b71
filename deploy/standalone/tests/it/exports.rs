//! Exports over the embedded store: broken off and gone on with, cancelled, and taken back in.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use atelier_e2e::{Database, until};
use atelier_events::export::{Completed, ExportEvent, Failed, Files, Requested, Selection};
use atelier_events::settings::{BusSettings, DatabaseSettings};
use atelier_events::variant::{Rendered, Uploaded};
use atelier_events::{
    Append, Artwork, ArtworkEvent, ArtworkId, Blobs, Context, Event, ExpectedVersion, ExportId, Log, Look, NewEvent,
    Position, Recorded, Stream, VariantEvent, VariantId, artwork, keys, log,
};
use atelier_exports::{ExportSettings, Exports};
use atelier_runtime::{Attempt, Job as _, Outcome, Progress};
use atelier_standalone::client::{Client, NewExport};
use atelier_standalone::import::{Details, Imported, Options, Outcome as Came, Summary, import};
use atelier_standalone::installation::Installation;
use atelier_standalone::sweep::{self, Args};
use atelier_standalone::up::{self, Listen, Up};
use metrics_exporter_prometheus::PrometheusBuilder;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::installation::details;
use crate::store::{Store, bytes, eventually};

/// Three parts of an upload, and some.
const ORIGINAL: usize = 25 << 20;

struct Stage {
    log: Log,
    blobs: Blobs,
    store: Store,
    // Last, so that its connections are asked to end before it is dropped.
    _database: Database,
}

impl Stage {
    async fn start() -> anyhow::Result<Self> {
        let database = Database::create().await?;
        let (store, blobs) = Store::start().await;
        Ok(Self { log: database.log(), blobs, store, _database: database })
    }

    async fn tell(&self, stream: Stream, events: Vec<Event>) -> anyhow::Result<Position> {
        let events = events.into_iter().map(|event| NewEvent::new(event, &Context::command("test"))).collect();
        let write = log::Write { stream, expected: ExpectedVersion::Any, events };
        Ok(self.log.append(Append { key: None, writes: vec![write] }).await?.position())
    }

    /// An artwork whose original takes several parts, and an export of it.
    async fn requested(&self) -> anyhow::Result<(ExportId, Recorded)> {
        let (artwork_id, variant_id) = (ArtworkId::new(), VariantId::new());
        let original = self.blobs.put(&keys::original("test", variant_id, "png"), bytes(ORIGINAL), "image/png").await?;
        let created = artwork::Created::new(artwork_id, "test".to_owned(), details("Large"));
        let uploaded = Uploaded {
            artwork_id,
            variant_id,
            upload_key: "uploads/1/a.png".to_owned(),
            filename: "a.png".to_owned(),
            length: original.length,
            recipe: None,
            lineage: Vec::new(),
            priority: atelier_events::Priority::default(),
        };
        let rendered = Rendered {
            variant_id,
            original,
            width: 200,
            height: 100,
            renditions: Vec::new(),
            look: Look::Photo,
            palette: Vec::new(),
            placeholder: String::new(),
            recipe_hash: None,
        };
        let events = vec![
            Event::Artwork(ArtworkEvent::Created(created)),
            Event::Variant(VariantEvent::Uploaded(uploaded)),
            Event::Variant(VariantEvent::Rendered(rendered)),
        ];
        let head = self.tell(Stream::artwork(artwork_id), events).await?;
        let export_id = ExportId::new();
        let requested = Requested { export_id, selection: Selection::All(head), files: Files::Originals };
        let position =
            self.tell(Stream::export(export_id), vec![Event::Export(ExportEvent::Requested(requested))]).await?;
        let event = self.log.read(Position(position.0 - 1), 1).await?.pop().context("it is in the log")?;
        Ok((export_id, event))
    }

    async fn run(&self, event: &Recorded) -> anyhow::Result<Outcome> {
        let attempt = Attempt {
            event: event.clone(),
            number: 1,
            cancelled: CancellationToken::new(),
            progress: Progress::default(),
        };
        Exports::new(self.log.clone(), self.blobs.clone(), ExportSettings::default()).run(&attempt).await
    }

    fn parts(&self) -> usize {
        self.store.beside_the_bucket().iter().filter(|name| name.contains(".part-")).count()
    }

    /// Runs an attempt until it has sent a part, and drops it as the runtime does.
    async fn break_off(&self, event: &Recorded) {
        tokio::select! {
            ended = self.run(event) => panic!("it ended before a part was seen: {ended:?}"),
            () = eventually("a part", || self.parts() > 0) => {}
        }
    }
}

fn completed(outcome: Outcome) -> anyhow::Result<Completed> {
    let Outcome::Completed(writes) = outcome else { anyhow::bail!("{outcome:?}") };
    let events = writes.into_iter().flat_map(|write| write.events).map(|event| event.event);
    match events.collect::<Vec<_>>().as_slice() {
        [Event::Export(ExportEvent::Completed(completed))] => Ok(completed.clone()),
        other => anyhow::bail!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_broke_off_is_gone_on_with_under_the_same_upload() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let (_, event) = stage.requested().await?;
    stage.break_off(&event).await;
    let left = stage.blobs.unfinished_uploads(keys::EXPORTS).await?;
    assert_eq!(left.len(), 1);
    // The same again, and then to its end.
    stage.break_off(&event).await;
    assert_eq!(stage.blobs.unfinished_uploads(keys::EXPORTS).await?, left, "another upload was begun");
    let completed = completed(stage.run(&event).await?)?;
    let (sha256, length) = stage.blobs.digest(&completed.archive.key).await?.context("it is there")?;
    assert_eq!((sha256, length), (completed.archive.sha256, completed.archive.length));
    assert_eq!(stage.blobs.unfinished_uploads("").await?, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_of_a_cancelled_export_is_deleted() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let (export_id, event) = stage.requested().await?;
    let cancelled = Failed { export_id, error: "cancelled by ann".to_owned() };
    tokio::select! {
        ended = stage.run(&event) => anyhow::bail!("it ended before a part was seen: {ended:?}"),
        told = async {
            eventually("a part", || stage.parts() > 0).await;
            // Cancelling tells the log first, and stops the attempt then.
            stage.tell(Stream::export(export_id), vec![Event::Export(ExportEvent::Failed(cancelled))]).await
        } => drop(told?),
    }
    until("nothing of it is left", async || Ok(stage.blobs.unfinished_uploads("").await?.is_empty())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_aborts_what_nobody_will_finish() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let bus = BusSettings::default();
    let connections = atelier_runtime::Connections::open(stage.log.pool().clone(), &bus, &stage.store.settings).await?;
    let (export_id, event) = stage.requested().await?;
    stage.break_off(&event).await;
    let mut forgotten = stage.blobs.upload("forgotten.zip", "application/zip")?;
    forgotten.write(bytes(atelier_events::blobs::PART_BYTES)).await?;
    // As a process that is killed leaves it.
    std::mem::forget(forgotten);
    let args = Args { older_than: "24h".parse().map_err(anyhow::Error::msg)?, delete: true, json: true };
    let at = async |hours| {
        let now = OffsetDateTime::now_utc() + Duration::from_hours(hours);
        let (_, swept) = sweep::sweep(&args, &connections, now).await?;
        anyhow::Ok((swept.unfinished, swept.aborted))
    };
    assert_eq!(at(0).await?, (0, 0), "both may be under way");
    assert_eq!(at(25).await?, (1, 1), "an export that is pending is gone on with");
    let failed = Failed { export_id, error: "no paint".to_owned() };
    stage.tell(Stream::export(export_id), vec![Event::Export(ExportEvent::Failed(failed))]).await?;
    assert_eq!(at(25).await?, (1, 1));
    assert_eq!(stage.blobs.unfinished_uploads("").await?, []);
    Ok(())
}

async fn up(database: &Database, folder: &Path) -> anyhow::Result<Up> {
    let mut installation = Installation::load(folder)?;
    installation.worker_program = Some(env!("CARGO_BIN_EXE_atelier").into());
    let producer = &mut installation.producer;
    producer.database = DatabaseSettings { url: database.url.clone(), ..DatabaseSettings::default() };
    producer.bus = BusSettings::default();
    "127.0.0.1:0".clone_into(&mut producer.api.listen);
    let any = "127.0.0.1:0".parse()?;
    let listen = Listen { site_listen: any, bucket_listen: any };
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    up::start(installation, &listen, metrics, CancellationToken::new()).await
}

async fn take_in(client: &Client, path: &Path, details: Details) -> anyhow::Result<(Summary, Vec<Imported>)> {
    let mut told = Vec::new();
    let options = Options { paths: vec![path.to_owned()], details, wait: true };
    let summary = import(client, options, |imported| told.push(imported.clone())).await?;
    Ok((summary, told))
}

async fn artwork(up: &Up, id: ArtworkId) -> anyhow::Result<Artwork> {
    let events = up.connections.log.read_stream(&Stream::artwork(id)).await?;
    Artwork::of(&events)?.with_context(|| format!("there is no artwork {id}"))
}

const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pictures");

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_gallery_is_taken_back_in_elsewhere_as_it_was_and_once() -> anyhow::Result<()> {
    let (databases, folder) = ([Database::create().await?, Database::create().await?], tempfile::tempdir()?);
    let from = up(&databases[0], &folder.path().join("from")).await?;
    let client = Client::new(&from.running.api_url, &from.api_key)?;
    let mut ids = Vec::new();
    for picture in ["chelsea-the-cat.webp", "lighthouse-pixels.png"] {
        let details = Details { artist: Some("Ada".to_owned()), tags: vec!["sea".to_owned()], ..Details::default() };
        let (_, told) = take_in(&client, &Path::new(PICTURES).join(picture), details).await?;
        let Came::Added { artwork_id, .. } = told[0].outcome else { anyhow::bail!("{told:?}") };
        ids.push(artwork_id);
    }
    let asked = client.create_export(&NewExport::All(true), "all-of-it").await?;
    let export = client.export(asked.id, Duration::from_mins(1)).await?;
    let zip = from.connections.blobs.get(&keys::export(export.id), 1 << 30).await?;
    let path = folder.path().join("export.zip");
    std::fs::write(&path, &zip)?;

    let to = up(&databases[1], &folder.path().join("to")).await?;
    let client = Client::new(&to.running.api_url, &to.api_key)?;
    let (summary, told) = take_in(&client, &path, Details::default()).await?;
    assert_eq!(summary, Summary { added: 2, already_there: 0, failed: 0 }, "{told:?}");
    for id in &ids {
        let (was, is) = (artwork(&from, *id).await?, artwork(&to, *id).await?);
        assert_eq!((is.details, is.owner, is.created_at), (was.details, was.owner, was.created_at));
        let (was, is) = (&was.variants[0], &is.variants[0]);
        assert_eq!((is.id, &is.filename, &is.lineage, &is.recipe), (was.id, &was.filename, &was.lineage, &was.recipe));
        assert_eq!(is.original, was.original);
    }
    let before = to.connections.log.head().await?;
    let (summary, _) = take_in(&client, &path, Details::default()).await?;
    assert_eq!(summary, Summary { added: 0, already_there: 2, failed: 0 });
    // The site deploys by itself, and tells of it; whatever else is in the log was there.
    let since = to.connections.log.read(before, 100).await?;
    let by_itself = ["site.deployed", "artwork.published"];
    assert!(since.iter().all(|event| by_itself.contains(&event.event_type.as_str())), "{since:?}");
    from.stop().await?;
    to.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_foreign_zip_says_which_entry_and_why() -> anyhow::Result<()> {
    let (database, folder) = (Database::create().await?, tempfile::tempdir()?);
    let up = up(&database, &folder.path().join("data")).await?;
    let client = Client::new(&up.running.api_url, &up.api_key)?;
    let cat = Path::new(PICTURES).join("chelsea-the-cat.webp");
    take_in(&client, &cat, Details::default()).await?;
    let asked = client.create_export(&NewExport::All(true), "all-of-it").await?;
    let export = client.export(asked.id, Duration::from_mins(1)).await?;
    let zip = up.connections.blobs.get(&keys::export(export.id), 1 << 30).await?.to_vec();
    let failure = async |name: &str, bytes: &[u8]| -> anyhow::Result<(String, String)> {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes)?;
        let (summary, told) = take_in(&client, &path, Details::default()).await?;
        anyhow::ensure!(summary == Summary { added: 0, already_there: 0, failed: 1 }, "{told:?}");
        let Came::Failed { reason } = &told[0].outcome else { anyhow::bail!("{told:?}") };
        let path = told[0].path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok((path, reason.clone()))
    };
    let mut damaged = zip.clone();
    damaged[1_000] ^= 1;
    let (entry, reason) = failure("damaged.zip", &damaged).await?;
    assert_eq!(entry, "0001-chelsea-the-cat.webp");
    assert!(reason.starts_with("it is damaged"), "{reason}");
    let (_, reason) = failure("cut.zip", &zip[..zip.len() / 2]).await?;
    assert!(reason.starts_with("it is damaged, or no ZIP"), "{reason}");
    let mut foreign = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    foreign.start_file("holiday.jpg", stored)?;
    let (_, reason) = failure("foreign.zip", foreign.finish()?.get_ref()).await?;
    assert_eq!(reason, "it is no export of Atelier: it holds no manifest.json");
    up.stop().await
}
