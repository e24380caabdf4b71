//! Exports over the embedded store: broken off and gone on with, cancelled, and taken back in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use atelier_e2e::{Database, until};
use atelier_events::blobs::sha256;
use atelier_events::export::{Completed, ExportEvent, Failed, Files, Requested, Selection, Variants};
use atelier_events::settings::{BusSettings, DatabaseSettings};
use atelier_events::variant::{Rendered, Uploaded};
use atelier_events::{
    Append, Artwork, ArtworkEvent, ArtworkId, Blobs, Context, Event, ExpectedVersion, ExportId, Log, Look, NewEvent,
    Position, Recorded, Stream, Variant, VariantEvent, VariantId, artwork, keys, log,
};
use atelier_exports::{ExportSettings, Exports};
use atelier_runtime::{Attempt, Job as _, Outcome};
use atelier_standalone::client::{Client, Export, NewExport};
use atelier_standalone::export;
use atelier_standalone::import::{Details, Imported, Options, Outcome as Came, Summary, import};
use atelier_standalone::installation::Installation;
use atelier_standalone::sweep::{self, Args};
use atelier_standalone::up::{self, Listen, Up};
use metrics_exporter_prometheus::PrometheusBuilder;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::installation::details;
use crate::store::{Store, bytes, eventually};

/// Two of them are three parts of an upload, and some.
const ORIGINAL: usize = 25 << 19;

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

    /// An artwork of two variants whose originals take several parts, and an export of it.
    async fn requested(&self) -> anyhow::Result<(ExportId, Recorded)> {
        let artwork_id = ArtworkId::new();
        let created = artwork::Created::new(artwork_id, "test".to_owned(), details("Large"));
        let mut events = vec![Event::Artwork(ArtworkEvent::Created(created))];
        for _ in 0..2 {
            events.extend(self.variant(artwork_id).await?.map(Event::Variant));
        }
        let head = self.tell(Stream::artwork(artwork_id), events).await?;
        let (export_id, selection) = (ExportId::new(), Selection::All(head));
        let requested = Requested { export_id, selection, files: Files::Originals, variants: Variants::All };
        let position =
            self.tell(Stream::export(export_id), vec![Event::Export(ExportEvent::Requested(requested))]).await?;
        let event = self.log.read(Position(position.0 - 1), 1).await?.pop().context("it is in the log")?;
        Ok((export_id, event))
    }

    async fn variant(&self, artwork_id: ArtworkId) -> anyhow::Result<[VariantEvent; 2]> {
        let variant_id = VariantId::new();
        let original = self.blobs.put(&keys::original("test", variant_id, "png"), bytes(ORIGINAL), "image/png").await?;
        let uploaded = Uploaded {
            artwork_id,
            variant_id,
            upload_key: "uploads/1/a.png".to_owned(),
            filename: "a.png".to_owned(),
            length: original.length,
            recipe: None,
            lineage: Vec::new(),
            requested_at: None,
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
        Ok([VariantEvent::Uploaded(uploaded), VariantEvent::Rendered(rendered)])
    }

    async fn run(&self, event: &Recorded) -> anyhow::Result<Outcome> {
        let attempt = Attempt::first(event.clone());
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
    assert_eq!((completed.pictures, completed.missing.len()), (2, 0));
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

/// A gallery of an upload that was refined twice, by a work of its own beside it.
struct Gallery {
    client: Client,
    /// The work of three variants, and the one of one.
    works: [ArtworkId; 2],
}

impl Gallery {
    async fn open(up: &Up) -> anyhow::Result<Self> {
        let client = Client::new(&up.running.api_url, &up.api_key)?;
        let mut works = Vec::new();
        for picture in ["chelsea-the-cat.webp", "lighthouse-pixels.png"] {
            let details =
                Details { artist: Some("Ada".to_owned()), tags: vec!["sea".to_owned()], ..Details::default() };
            let (_, told) = take_in(&client, &Path::new(PICTURES).join(picture), details).await?;
            let Came::Added { artwork_id, .. } = told[0].outcome else { anyhow::bail!("{told:?}") };
            works.push(artwork_id);
        }
        let [cat, lighthouse] = works[..] else { anyhow::bail!("{works:?}") };
        for prompt in ["a cat in ink", "a cat in oil"] {
            let parent = artwork(up, cat).await?.cover().context("it has a cover")?.id;
            let refined = serde_json::json!({
                "prompt": prompt, "artwork_id": cat, "parent": parent, "width": 96, "height": 96, "seed": u64::MAX,
            });
            let request = reqwest::Client::new().post(format!("{}/v1/generations", up.running.api_url));
            let answer = request.bearer_auth(&up.api_key).json(&refined).send().await?.error_for_status()?;
            let answer: serde_json::Value = answer.json().await?;
            let variant = answer["artworks"][0]["variant_id"].as_str().context("it names a variant")?.parse()?;
            until("it is complete", async || {
                let events = up.connections.log.read_stream(&Stream::artwork(cat)).await?;
                let artwork = Artwork::of(&events)?;
                Ok(artwork.as_ref().and_then(Artwork::cover).is_some_and(|cover| cover.id == variant))
            })
            .await?;
        }
        Ok(Self { client, works: [cat, lighthouse] })
    }

    /// Exports into a file of this name, by the command.
    async fn export(&self, folder: &Path, name: &str, args: export::Args) -> anyhow::Result<(PathBuf, Export)> {
        export::export(&self.client, export::Args { out: Some(folder.join(name)), ..args }).await
    }
}

/// What is to be the same of a variant wherever it is: all but which request it was part of, and what was cut from it when.
fn past(variant: Variant) -> Variant {
    Variant { generation_id: None, elapsed_ms: None, rendered: None, ..variant }
}

/// Compares artworks with those they were exported from.
async fn check_alike(from: &Up, to: &Up, works: &[ArtworkId]) -> anyhow::Result<()> {
    for id in works {
        let (was, is) = (artwork(from, *id).await?, artwork(to, *id).await?);
        assert_eq!(is.cover().map(|cover| cover.id), was.cover().map(|cover| cover.id));
        assert_eq!((is.details, is.owner, is.created_at), (was.details, was.owner, was.created_at));
        let [mut was, mut is] = [was.variants, is.variants];
        // The log of the one may have learned of them in another order than that of the other.
        for variants in [&mut was, &mut is] {
            variants.sort_by_key(|variant| variant.requested_at);
        }
        assert_eq!(is.into_iter().map(past).collect::<Vec<_>>(), was.into_iter().map(past).collect::<Vec<_>>());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_gallery_is_taken_back_in_elsewhere_with_all_its_variants_as_it_was_and_once() -> anyhow::Result<()>
{
    let (databases, folder) = ([Database::create().await?, Database::create().await?], tempfile::tempdir()?);
    let from = up(&databases[0], &folder.path().join("from")).await?;
    let gallery = Gallery::open(&from).await?;
    let (path, export) = gallery.export(folder.path(), "all.zip", export::Args::default()).await?;
    assert_eq!((export.pictures, export.missing.len()), (Some(4), 0), "everything's originals are all variants");
    let whole = std::fs::read(&path)?;
    assert_eq!((export.length, export.sha256), (Some(whole.len() as u64), Some(sha256(&whole))));

    let to = up(&databases[1], &folder.path().join("to")).await?;
    let client = Client::new(&to.running.api_url, &to.api_key)?;
    let (summary, told) = take_in(&client, &path, Details::default()).await?;
    assert_eq!(summary, Summary { added: 4, already_there: 0, failed: 0 }, "{told:?}");
    check_alike(&from, &to, &gallery.works).await?;
    let order = async |up: &Up| {
        let variants = artwork(up, gallery.works[0]).await?.variants;
        anyhow::Ok(variants.into_iter().map(|variant| variant.id).collect::<Vec<_>>())
    };
    assert_eq!(order(&to).await?, order(&from).await?);
    assert!(artwork(&to, gallery.works[0]).await?.variants[2].recipe.is_some());
    let before = to.connections.log.head().await?;
    let (summary, _) = take_in(&client, &path, Details::default()).await?;
    assert_eq!(summary, Summary { added: 0, already_there: 4, failed: 0 });
    // The site deploys by itself, and tells of it; whatever else is in the log was there.
    let since = to.connections.log.read(before, 100).await?;
    let by_itself = ["site.deployed", "artwork.published"];
    assert!(since.iter().all(|event| by_itself.contains(&event.event_type.as_str())), "{since:?}");
    from.stop().await?;
    to.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_export_of_covers_has_not_comes_with_one_of_all_variants_and_no_cover_changes() -> anyhow::Result<()> {
    let (databases, folder) = ([Database::create().await?, Database::create().await?], tempfile::tempdir()?);
    let from = up(&databases[0], &folder.path().join("from")).await?;
    let gallery = Gallery::open(&from).await?;
    let covers = export::Args { variants: Some("cover".to_owned()), ..export::Args::default() };
    let (covers, export) = gallery.export(folder.path(), "export.zip", covers).await?;
    assert_eq!(export.pictures, Some(2));

    let to = up(&databases[1], &folder.path().join("to")).await?;
    let client = Client::new(&to.running.api_url, &to.api_key)?;
    let (summary, told) = take_in(&client, &covers, Details::default()).await?;
    assert_eq!(summary, Summary { added: 2, already_there: 0, failed: 0 }, "{told:?}");
    let cat = gallery.works[0];
    let cover = artwork(&from, cat).await?.cover().map(|cover| cover.id);
    assert_eq!(artwork(&to, cat).await?.variants.iter().map(|variant| Some(variant.id)).collect::<Vec<_>>(), [cover]);

    // A file that is there gives way to the new one.
    let of_cat = export::Args { artworks: vec![cat], variants: Some("all".to_owned()), ..export::Args::default() };
    let (all, export) = gallery.export(folder.path(), "export.zip", of_cat).await?;
    assert_eq!((&all, export.pictures), (&covers, Some(3)));
    let (summary, told) = take_in(&client, &all, Details::default()).await?;
    assert_eq!(summary, Summary { added: 2, already_there: 1, failed: 0 }, "{told:?}");
    check_alike(&from, &to, &gallery.works).await?;

    let display = export::Args { files: Some("display".to_owned()), ..export::Args::default() };
    let (display, export) = gallery.export(folder.path(), "display.zip", display).await?;
    assert_eq!(export.pictures, Some(2), "renditions are to look at: of each work its cover");
    let (summary, told) = take_in(&client, &display, Details::default()).await?;
    assert_eq!(summary, Summary { added: 0, already_there: 0, failed: 1 });
    assert!(
        matches!(&told[0].outcome, Came::Failed { reason } if reason.starts_with("it holds renditions")),
        "{told:?}"
    );
    let unknown = export::Args { artworks: vec![ArtworkId::new()], ..export::Args::default() };
    let refused = gallery.export(folder.path(), "none.zip", unknown).await;
    assert!(refused.is_err() && !folder.path().join("none.zip").exists());
    from.stop().await?;
    to.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_lacks_a_picture_is_fetched_names_it_and_fails() -> anyhow::Result<()> {
    let (database, folder) = (Database::create().await?, tempfile::tempdir()?);
    let data = folder.path().join("data");
    let up = up(&database, &data).await?;
    let client = Client::new(&up.running.api_url, &up.api_key)?;
    let mut works = Vec::new();
    for picture in ["chelsea-the-cat.webp", "lighthouse-pixels.png"] {
        let (_, told) = take_in(&client, &Path::new(PICTURES).join(picture), Details::default()).await?;
        let Came::Added { artwork_id, .. } = told[0].outcome else { anyhow::bail!("{told:?}") };
        works.push(artwork_id);
    }
    let export = async |name: &str| -> anyhow::Result<(Option<i32>, String)> {
        let out = folder.path().join(name);
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_atelier"));
        let output = command.arg("--data-dir").arg(&data).arg("export").arg("--out").arg(&out).output().await?;
        anyhow::ensure!(out.exists(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok((output.status.code(), String::from_utf8(output.stdout)?))
    };
    let (code, said) = export("whole.zip").await?;
    assert!(code == Some(0) && said.contains("whole.zip: 2 pictures, ") && said.contains(" 0 missing"), "{said}");
    let lost = artwork(&up, works[0]).await?.variants[0].original.clone().context("it has an original")?;
    up.connections.blobs.delete(&lost.key).await?;
    // Of another selection, so that the ZIP that is there is not the answer.
    take_in(&client, &Path::new(PICTURES).join("lighthouse-pixels.png"), titled("Another")).await?;
    let (code, said) = export("partial.zip").await?;
    assert_eq!(code, Some(1), "{said}");
    let missing = format!("missing: blob {:?} is not in the bucket\n", lost.key);
    assert!(said.starts_with(&missing) && said.contains("partial.zip: 2 pictures, "), "{said}");
    up.stop().await
}

fn titled(title: &str) -> Details {
    Details { title: Some(title.to_owned()), ..Details::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_foreign_zip_says_which_entry_and_why() -> anyhow::Result<()> {
    let (database, folder) = (Database::create().await?, tempfile::tempdir()?);
    let up = up(&database, &folder.path().join("data")).await?;
    let client = Client::new(&up.running.api_url, &up.api_key)?;
    let cat = Path::new(PICTURES).join("chelsea-the-cat.webp");
    take_in(&client, &cat, Details::default()).await?;
    let asked = client.create_export(&NewExport::all(), "all-of-it").await?;
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
