//! From a command to its page: a picture of a megapixel is put into the bucket, an artwork is made of it through the API, and
//! its page is waited for on the disk, with everything in one process as `atelier up` has it. The baseline is the cutting of
//! the same picture's renditions alone, by workers of the same kind, in turns.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use atelier_events::settings::{BusSettings, DatabaseSettings};
use atelier_events::{ArtworkId, Event, Stream, VariantEvent};
use atelier_generate::sketch;
use atelier_thumbnails::settings::Settings;
use atelier_thumbnails::workers::{Task, Workers};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio_util::sync::CancellationToken;

use super::Measured;
use super::folder::Folder;
use super::rounds::median;
use super::scratch::Scratch;
use super::thumbnails::details;
use crate::client::{Client, NewArtwork};
use crate::installation::Installation;
use crate::up::{self, Listen, Up};

/// Rounds of each, after one that is not counted. Odd, so that the median is one that was measured.
const ROUNDS: u32 = 7;
/// The picture's sides: a megapixel.
const SIDE: u32 = 1_000;
/// How often the page is looked for.
const LOOK: Duration = Duration::from_millis(1);
/// How long a page may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a round took, in milliseconds since the command was sent.
struct Took {
    rendered: f64,
    live: f64,
}

/// Measures on an installation of its own in the scratch database.
pub(super) async fn measure(
    scratch: &Scratch,
    settings: Settings,
    on_measured: &mut impl FnMut(Measured) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let folder = Folder::create()?;
    let mut installation = Installation::load(&folder.0.join("data"))?;
    let producer = &mut installation.producer;
    ensure!(
        producer.store.endpoint.is_empty() && producer.store.access_key_id.is_empty(),
        "the settings name a bucket: unset store.endpoint and store.access_key_id, so that none but the embedded one is filled"
    );
    producer.database = DatabaseSettings { url: scratch.url(), ..DatabaseSettings::default() };
    producer.bus = BusSettings::default();
    "127.0.0.1:0".clone_into(&mut producer.api.listen);
    let site = installation.site.dir.clone();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listen = Listen { site_listen: any, bucket_listen: any };
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let up = Box::pin(up::start(installation, &listen, metrics, CancellationToken::new())).await?;
    let picture = folder.0.join("picture.png");
    let png = sketch::paint("a harbour at dusk", 7, SIDE, SIDE);
    std::fs::write(&picture, &png).with_context(|| format!("writing {}", picture.display()))?;
    let workers = Workers::of_this_program(settings.render.clone())?;
    let measured = async {
        let (mut took, mut cuts) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let one = publish(&up, &site, &picture, png.len() as u64, round).await?;
            let cut = cut(&workers, &settings, &png).await?;
            if round > 0 {
                took.push(one);
                cuts.push(cut);
            }
        }
        anyhow::Ok((took, cuts))
    };
    let measured = measured.await;
    up.stop().await?;
    let (took, cuts) = measured?;
    let baseline_value = median(cuts);
    for (name, of) in [
        ("event_to_rendered_ms", (|took: &Took| took.rendered) as fn(&Took) -> f64),
        ("event_to_live_ms", |took: &Took| took.live),
    ] {
        let value = median(took.iter().map(of).collect());
        on_measured(Measured {
            name,
            value,
            unit: "ms",
            baseline: "cutting the renditions of the same picture alone",
            baseline_value,
            ratio: value / baseline_value,
        })?;
    }
    Ok(())
}

/// Makes an artwork and waits for its page. Ends when all that follows has come to rest.
async fn publish(
    up: &Up,
    site: &std::path::Path,
    picture: &std::path::Path,
    length: u64,
    round: u32,
) -> anyhow::Result<Took> {
    let client = Client::new(&up.running.api_url, &up.api_key)?;
    let key = format!("live-{round}");
    let slot = client.begin_upload("picture.png", "image/png", length, Some(&key)).await?;
    client.put(picture, &slot).await?;
    let artwork = NewArtwork { upload_key: slot.key, title: format!("Round {round}"), ..NewArtwork::default() };
    let began = Instant::now();
    let accepted = client.create_artwork(&artwork, &key).await?;
    let page = site.join(format!("artworks/{}/index.html", accepted.id));
    let mut looks = tokio::time::interval(LOOK);
    while !page.exists() {
        ensure!(began.elapsed() < PATIENCE, "no page after {} s", PATIENCE.as_secs());
        looks.tick().await;
    }
    let live = began.elapsed().as_secs_f64() * 1_000.0;
    client.published(accepted.id, PATIENCE).await?;
    let rendered = rendered_after(up, accepted.id).await?.as_secs_f64() * 1_000.0;
    rests(up).await?;
    Ok(Took { rendered, live })
}

/// How long the log had to wait for the set, by its own clock.
async fn rendered_after(up: &Up, id: ArtworkId) -> anyhow::Result<Duration> {
    let events = up.connections.log.read_stream(&Stream::artwork(id)).await?;
    let is_set =
        |event: &&atelier_events::Recorded| matches!(event.event(), Ok(Event::Variant(VariantEvent::Rendered(_))));
    let (first, set) = (events.first().context("it is created")?, events.iter().find(is_set).context("it is cut")?);
    Ok((set.occurred_at - first.occurred_at).try_into().unwrap_or_default())
}

/// Waits until every job has ended: the next round begins on a quiet system.
async fn rests(up: &Up) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    loop {
        looks.tick().await;
        let open: i64 = sqlx::query_scalar(include_str!("../../sql/count_open_jobs.sql"))
            .fetch_one(up.connections.log.pool())
            .await?;
        if open == 0 {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "{open} jobs have not ended");
    }
}

/// How long the picture's set takes alone, in milliseconds.
async fn cut(workers: &Workers, settings: &Settings, png: &[u8]) -> anyhow::Result<f64> {
    let task = Task { policy: settings.thumbnails.clone(), caption: settings.watermark.caption("bench", &details()) };
    let began = Instant::now();
    workers.render(png, &task).await?.outcome?;
    Ok(began.elapsed().as_secs_f64() * 1_000.0)
}
