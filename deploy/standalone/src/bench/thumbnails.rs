//! The thumbnails consumer from end to end: uploads fetched from the embedded bucket, cut by its workers, put and settled.
//! The baseline is the cutting alone: the same pictures through the same workers, with no log, queue or bucket around.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use atelier_events::bus::PostgresBus;
use atelier_events::log::Write;
use atelier_events::settings::StoreSettings;
use atelier_events::signal::Signals;
use atelier_events::variant::Uploaded;
use atelier_events::{
    Append, ArtworkEvent, ArtworkId, Blobs, Connections, Consumer, Context, Details, Event, ExpectedVersion, Log,
    NewEvent, Position, Priority, Stream, VariantEvent, VariantId, artwork, keys,
};
use atelier_producer::relay;
use atelier_producer::settings::RelaySettings;
use atelier_runtime::{ConsumerSettings, run_job};
use atelier_thumbnails::renditions::Renditions;
use atelier_thumbnails::settings::Settings;
use atelier_thumbnails::workers::{Task, Workers};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::Measured;
use super::folder::Folder;
use super::rounds::median;
use super::scratch::Scratch;
use crate::bucket;

/// Rounds of each. Odd, so that the median is one that was measured.
const ROUNDS: usize = 3;
/// How often the log is asked whether all is done. More often, the asking would be part of what is measured.
const LOOK: Duration = Duration::from_millis(100);
/// Who owns what is uploaded.
const OWNER: &str = "bench";

/// What is uploaded, and what cuts it.
struct Stage {
    connections: Connections,
    settings: Settings,
    consumer: ConsumerSettings,
    workers: Workers,
    pictures: Vec<Bytes>,
}

/// Measures rounds of so many pictures, the files in turn, with the settings of the installation.
pub(super) async fn measure(
    scratch: &Scratch,
    (settings, consumer): (Settings, ConsumerSettings),
    files: &[PathBuf],
    images: u32,
    on_measured: &mut impl FnMut(Measured) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    ensure!(!files.is_empty(), "which pictures? Name at least one file: atelier bench thumbnails FILE…");
    let read = files.iter().map(|file| {
        let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        anyhow::Ok(Bytes::from(bytes))
    });
    let read: Vec<Bytes> = read.collect::<anyhow::Result<_>>()?;
    let pictures = read.iter().cycle().take(images as usize).cloned().collect();

    let folder = Folder::create()?;
    let stopped = CancellationToken::new();
    let own = StoreSettings {
        access_key_id: OWNER.to_owned(),
        secret_access_key: uuid::Uuid::new_v4().to_string(),
        ..StoreSettings::default()
    };
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (address, serving) =
        bucket::serve(&folder.0.join("s3"), any, &own.access_key_id, &own.secret_access_key, stopped.clone()).await?;
    let blobs = Blobs::connect(&StoreSettings { endpoint: format!("http://{address}"), ..own });
    blobs.create_bucket().await?;
    let log = Log::start(scratch.pool.clone(), Signals::start(&scratch.pool));
    let bus = Arc::new(PostgresBus::new(log.signals().clone()));
    let workers = Workers::of_this_program(settings.render.clone())?;
    let connections = Connections { log, bus, blobs };
    let stage = Stage { connections, settings, consumer, workers, pictures };

    let measured = stage.alternate().await;
    stopped.cancel();
    serving.await?;
    let (value, baseline_value) = measured?;
    on_measured(Measured {
        name: "thumbnails_end_to_end",
        value,
        unit: "pictures/s",
        baseline: "the same pictures through the same workers, without log, queue and bucket",
        baseline_value,
        ratio: value / baseline_value,
    })
}

impl Stage {
    async fn alternate(&self) -> anyhow::Result<(f64, f64)> {
        let (mut values, mut baselines) = (Vec::new(), Vec::new());
        // The workers begin.
        self.cut().await?;
        for _ in 0..ROUNDS {
            values.push(self.end_to_end().await?);
            baselines.push(self.cut().await?);
        }
        Ok((median(values), median(baselines)))
    }

    /// Pictures a second, cut alone.
    async fn cut(&self) -> anyhow::Result<f64> {
        let caption = self.settings.watermark.caption(OWNER, &details());
        let task = Task { policy: self.settings.thumbnails.clone(), caption };
        let began = Instant::now();
        let cuts = self.pictures.iter().map(|picture| async {
            self.workers.render(picture, &task).await?.outcome?;
            anyhow::Ok(())
        });
        stream::iter(cuts).buffer_unordered(self.settings.render.processes()).try_collect::<()>().await?;
        Ok(self.rate(began))
    }

    /// Pictures a second, from the start of the consumer until the log has the last set.
    async fn end_to_end(&self) -> anyhow::Result<f64> {
        let before = self.connections.log.head().await?;
        self.upload().await?;
        let stop = CancellationToken::new();
        let began = Instant::now();
        let Connections { log, bus, blobs } = self.connections.clone();
        let relaying = tokio::spawn(relay::run(log.clone(), bus, RelaySettings::default(), stop.clone()));
        let job = Renditions::new(log, blobs, self.settings.clone(), self.workers.clone());
        let (connections, consumer) = (self.connections.clone(), self.consumer.of(Consumer::Thumbnails));
        let ending = stop.clone();
        let consuming = tokio::spawn(async move { run_job(job, &connections, &consumer, ending).await });
        let rendered = self.rendered(before).await;
        let rate = self.rate(began);
        stop.cancel();
        consuming.await??;
        relaying.await??;
        rendered.map(|()| rate)
    }

    /// An artwork for each picture, with its upload.
    async fn upload(&self) -> anyhow::Result<()> {
        for picture in &self.pictures {
            let (artwork_id, variant_id) = (ArtworkId::new(), VariantId::new());
            let upload_key = keys::upload(variant_id.0, "picture");
            self.connections.blobs.put(&upload_key, picture.clone(), "application/octet-stream").await?;
            let created = artwork::Created::new(artwork_id, OWNER.to_owned(), details());
            let uploaded = Uploaded {
                artwork_id,
                variant_id,
                upload_key,
                filename: "picture".to_owned(),
                length: picture.len() as u64,
                recipe: None,
                lineage: Vec::new(),
                requested_at: None,
                priority: Priority::Interactive,
            };
            let events =
                [Event::Artwork(ArtworkEvent::Created(created)), Event::Variant(VariantEvent::Uploaded(uploaded))];
            let events = events.map(|event| NewEvent::new(event, &Context::command("bench"))).to_vec();
            let write = Write { stream: Stream::artwork(artwork_id), expected: ExpectedVersion::NoStream, events };
            self.connections.log.append(Append { key: None, writes: vec![write] }).await?;
        }
        Ok(())
    }

    /// Waits until every upload behind a position has its set.
    async fn rendered(&self, before: Position) -> anyhow::Result<()> {
        let expected = i64::try_from(self.pictures.len())?;
        let mut ticks = tokio::time::interval(LOOK);
        loop {
            ticks.tick().await;
            let count = sqlx::query_as(include_str!("../../sql/count_cut_variants.sql")).bind(before);
            let (rendered, failed): (i64, i64) = count.fetch_one(self.connections.log.pool()).await?;
            ensure!(failed == 0, "{failed} of the pictures are refused");
            if rendered == expected {
                return Ok(());
            }
        }
    }

    fn rate(&self, began: Instant) -> f64 {
        f64::from(u32::try_from(self.pictures.len()).unwrap_or(u32::MAX)) / began.elapsed().as_secs_f64()
    }
}

pub(super) fn details() -> Details {
    Details {
        title: "Harbour at dusk".to_owned(),
        description: String::new(),
        artist: "Ada Lovelace".to_owned(),
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
