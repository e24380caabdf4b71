//! Renditions cut again, and those that nobody names any more, over a whole installation on its embedded store.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use atelier_e2e::{Database, append_newer, until};
use atelier_events::settings::{BusSettings, DatabaseSettings};
use atelier_events::variant::Rendered;
use atelier_events::{Artwork, ArtworkId, Blobs, Connections, Position, Stream, VariantId, keys};
use atelier_standalone::client::{Client, NewGeneration};
use atelier_standalone::installation::Installation;
use atelier_standalone::sweep::{self, Args, Swept};
use atelier_standalone::up::{self, Listen, Up};
use atelier_standalone::verify;
use bytes::Bytes;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

/// The settings of before and of today.
const OLD_QUALITY: u8 = 85;
const NEW_QUALITY: u8 = 60;

pub(crate) async fn up(database: &Database, folder: &Path, display_quality: u8) -> anyhow::Result<Up> {
    let mut installation = Installation::load(folder)?;
    installation.worker_program = Some(env!("CARGO_BIN_EXE_atelier").into());
    installation.thumbnails.thumbnails.display_quality = display_quality;
    let producer = &mut installation.producer;
    producer.database = DatabaseSettings { url: database.url.clone(), ..DatabaseSettings::default() };
    producer.bus = BusSettings::default();
    "127.0.0.1:0".clone_into(&mut producer.api.listen);
    let any = "127.0.0.1:0".parse()?;
    let listen = Listen { site_listen: any, bucket_listen: any };
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    up::start(installation, &listen, metrics, CancellationToken::new()).await
}

/// Runs the program on the running installation, with the settings of today; answers its last line.
async fn atelier(folder: &Path, words: &[&str]) -> anyhow::Result<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
    command.env("ATELIER__THUMBNAILS__DISPLAY_QUALITY", NEW_QUALITY.to_string());
    let output = command.arg("--data-dir").arg(folder).args(words).output().await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    anyhow::ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(said.lines().last().unwrap_or_default()).with_context(|| said.clone())
}

/// What the log says of the artwork's cover.
async fn cover(connections: &Connections, artwork: ArtworkId) -> anyhow::Result<Rendered> {
    let events = connections.log.read_stream(&Stream::artwork(artwork)).await?;
    let artwork = Artwork::of(&events)?.context("an artwork")?;
    artwork.cover().and_then(|cover| cover.rendered.clone()).context("it is complete")
}

fn keys_of(set: &Rendered) -> BTreeSet<String> {
    let keys = set.renditions.iter().map(|rendition| rendition.blob.key.clone());
    keys.chain(keys::manifest_of(&set.renditions[0].blob.key)).collect()
}

async fn all_keys(blobs: &Blobs) -> anyhow::Result<BTreeSet<String>> {
    let page = blobs.page("", None).await?;
    anyhow::ensure!(page.next.is_none(), "a test has few blobs");
    Ok(page.entries.into_iter().map(|entry| entry.key).collect())
}

/// A published artwork of an installation that has been started anew with other settings since.
async fn with_an_older_recipe(database: &Database, folder: &Path) -> anyhow::Result<(Up, ArtworkId)> {
    let before = up(database, folder, OLD_QUALITY).await?;
    let client = Client::new(&before.running.api_url, &before.api_key)?;
    let asked = NewGeneration {
        prompt: "a harbour at dusk".to_owned(),
        width: Some(256),
        height: Some(256),
        ..NewGeneration::default()
    };
    let artwork = client.create_generation(&asked, "one").await?.artworks[0].artwork_id;
    client.published(artwork, Duration::from_mins(1)).await?;
    before.stop().await?;
    Ok((up(database, folder, NEW_QUALITY).await?, artwork))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_by_an_older_recipe_is_found_cut_again_and_shown_everywhere() -> anyhow::Result<()> {
    let (database, folder) = (Database::create().await?, tempfile::tempdir()?);
    let (up, artwork) = with_an_older_recipe(&database, folder.path()).await?;
    let old = cover(&up.connections, artwork).await?;
    let site = folder.path().join("site/media");
    let display = |set: &Rendered| set.renditions[0].blob.key.clone();
    assert!(site.join(display(&old)).exists());

    let counted = atelier(folder.path(), &["recut", "--outdated", "--dry-run", "--json"]).await?;
    assert_eq!((&counted["matching"], &counted["requested"]), (&1.into(), &0.into()));
    let done = atelier(folder.path(), &["recut", "--outdated", "--wait", "--json"]).await?;
    assert_eq!((&done["requested"], &done["done"], &done["given_up"]), (&1.into(), &1.into(), &0.into()));

    let new = cover(&up.connections, artwork).await?;
    assert_eq!(new.recipe_hash.as_deref(), done["recipe_hash"].as_str());
    assert!(keys_of(&new).is_disjoint(&keys_of(&old)));
    until("the site shows the new ones and the old ones no more", || async {
        Ok(site.join(display(&new)).exists() && !site.join(display(&old)).exists())
    })
    .await?;
    until("the read model has the new ones and no other", || async {
        let rows: Vec<String> = sqlx::query_scalar("select key from read.renditions").fetch_all(&database.pool).await?;
        let named: BTreeSet<String> = new.renditions.iter().map(|rendition| rendition.blob.key.clone()).collect();
        Ok(rows.into_iter().collect::<BTreeSet<String>>() == named)
    })
    .await?;

    let none = atelier(folder.path(), &["recut", "--outdated", "--wait", "--json"]).await?;
    assert_eq!(none["requested"], 0, "nothing is cut twice");
    let again = atelier(folder.path(), &["recut", "--all", "--wait", "--json"]).await?;
    assert_eq!((&again["requested"], &again["done"]), (&1.into(), &1.into()));
    assert_eq!(cover(&up.connections, artwork).await?, new);
    up.stop().await
}

/// A sweep as it would be so many hours later.
async fn swept(up: &Up, hours: u64, delete: bool) -> anyhow::Result<(BTreeSet<String>, Swept)> {
    let args = Args { older_than: "24h".parse().map_err(anyhow::Error::msg)?, delete, json: true };
    let now = OffsetDateTime::now_utc() + Duration::from_hours(hours);
    let (orphans, swept) = sweep::sweep(&args, &up.connections, now).await?;
    Ok((orphans.into_iter().map(|orphan| orphan.key).collect(), swept))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_deletes_what_nobody_names_once_it_is_old_enough_and_nothing_else() -> anyhow::Result<()> {
    let (database, folder) = (Database::create().await?, tempfile::tempdir()?);
    let (up, artwork) = with_an_older_recipe(&database, folder.path()).await?;
    let old = keys_of(&cover(&up.connections, artwork).await?);
    atelier(folder.path(), &["recut", "--all", "--wait", "--json"]).await?;
    let new = keys_of(&cover(&up.connections, artwork).await?);
    let blobs = &up.connections.blobs;
    // What is written beside the pictures comes when it comes.
    let [sidecar, list] = [keys::sidecar("local", artwork), keys::GALLERY_METADATA.to_owned()];
    until("the documents are there", || async {
        let keys = all_keys(blobs).await?;
        Ok(keys.contains(&sidecar) && keys.contains(&list))
    })
    .await?;
    // An attempt that ended before its set was whole: a file, no manifest, no event.
    let half = format!("display/local/{}-0123456789abcdef-0123456789ab.jpg", VariantId::new());
    blobs.put(&half, Bytes::from_static(b"half"), "image/jpeg").await?;
    // What somebody else put there is somebody else's.
    blobs.put("display/local/logo.jpg", Bytes::from_static(b"logo"), "image/jpeg").await?;
    let expected: BTreeSet<String> = old.iter().cloned().chain([half]).collect();
    let before = all_keys(blobs).await?;

    let (orphans, now) = swept(&up, 0, true).await?;
    assert!(orphans.is_empty() && now.deleted == 0, "all of it may be of an attempt that runs: {orphans:?}");
    let (orphans, listed) = swept(&up, 25, false).await?;
    assert_eq!(orphans, expected);
    assert_eq!((listed.orphans, listed.young, listed.deleted), (expected.len() as u64, 0, 0));
    assert_eq!(listed.named, new.len() as u64 + 1);
    assert_eq!(all_keys(blobs).await?, before, "to list is not to delete");

    let (_, done) = swept(&up, 25, true).await?;
    assert_eq!(done.deleted, expected.len() as u64);
    assert_eq!(all_keys(blobs).await?, &before - &expected, "originals, uploads and what is shown stay");
    let (orphans, _) = swept(&up, 25, true).await?;
    assert!(orphans.is_empty(), "{orphans:?}");
    let verified = verify::verify(&up.connections, |_| {}).await?;
    assert_eq!(verified.flaws, [], "what was swept is missed by nobody");
    up.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_deletes_nothing_while_the_log_holds_what_it_cannot_read() -> anyhow::Result<()> {
    let (database, folder) = (Database::create().await?, tempfile::tempdir()?);
    let (up, artwork) = with_an_older_recipe(&database, folder.path()).await?;
    atelier(folder.path(), &["recut", "--all", "--wait", "--json"]).await?;
    let stream = Stream::artwork(artwork);
    let Position(at) = append_newer(&database.pool, &stream, "variant.framed", 1).await?;
    let before = all_keys(&up.connections.blobs).await?;
    let error = swept(&up, 25, true).await.expect_err("it may name any of them");
    assert!(error.to_string().contains(&format!("the event at position {at} (variant.framed)")), "{error}");
    assert_eq!(all_keys(&up.connections.blobs).await?, before);
    up.stop().await
}

#[tokio::test]
async fn to_recut_all_is_to_say_so_and_nothing_younger_than_an_hour_is_swept() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for (words, said) in [
        (&["recut"][..], "--outdated"),
        (&["recut", "--all", "--state", "processing"], "completed, failed"),
        (&["sweep", "--older-than", "59m"], "less than an hour"),
        (&["sweep", "--older-than", "soon"], "write it as 90m, 36h or 7d"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
        let output = command.arg("--data-dir").arg(folder.path()).args(words).output().await?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && stderr.contains(said), "{words:?}: {stderr}");
    }
    Ok(())
}
