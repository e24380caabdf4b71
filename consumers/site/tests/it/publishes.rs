//! The projection: what it deploys, what it tells, and what it leaves alone.

use std::path::Path;

use atelier_e2e::{Bucket, Database};
use atelier_events::log::READ_LIMIT;
use atelier_events::site::Deployed;
use atelier_events::{Event, Log, SiteEvent, Stream};
use atelier_runtime::Projection as _;
use atelier_site::publication::Publication;
use atelier_site::settings::SiteSettings;
use tempfile::TempDir;

use crate::kept::{ARTWORKS, gallery};
use crate::sample::files;

pub(crate) struct Scene {
    pub database: Database,
    pub bucket: Bucket,
    pub folder: TempDir,
}

impl Scene {
    /// A log with some artworks, and nothing deployed.
    pub(crate) async fn set() -> anyhow::Result<Self> {
        let (database, bucket) = (Database::create().await?, Bucket::create().await?);
        gallery(&database.log(), &bucket.blobs).await?;
        Ok(Self { database, bucket, folder: tempfile::tempdir()? })
    }

    pub(crate) fn settings(&self) -> SiteSettings {
        SiteSettings { dir: self.folder.path().join("site"), quiet_ms: 0, ..SiteSettings::default() }
    }

    pub(crate) fn publication(&self) -> anyhow::Result<Publication> {
        Publication::new(self.database.log(), self.bucket.blobs.clone(), self.settings())
    }

    pub(crate) fn live(&self) -> anyhow::Result<u64> {
        Ok(self.settings().folder()?.number()?.unwrap_or_default())
    }

    /// The files of a folder into which the log as it is now is deployed at once.
    async fn at_once(&self) -> anyhow::Result<std::collections::BTreeMap<String, Vec<u8>>> {
        let folder = tempfile::tempdir()?;
        let settings = SiteSettings { dir: folder.path().join("site"), ..self.settings() };
        let mut publication = Publication::new(self.database.log(), self.bucket.blobs.clone(), settings)?;
        read(&mut publication, &self.database.log()).await?;
        publication.replay().await?;
        Ok(files(&folder.path().join("site")))
    }
}

pub(crate) async fn read(publication: &mut Publication, log: &Log) -> anyhow::Result<()> {
    loop {
        let events = log.read(publication.checkpoint().await?, READ_LIMIT).await?;
        if events.is_empty() {
            return Ok(());
        }
        publication.apply(&events).await?;
    }
}

pub(crate) async fn run(publication: &mut Publication, log: &Log) -> anyhow::Result<()> {
    read(publication, log).await?;
    publication.caught_up().await
}

pub(crate) async fn told(log: &Log) -> anyhow::Result<Vec<Deployed>> {
    let events = log.read_stream(&Stream::site("main")).await?;
    let told = events.iter().map(|event| match event.event()? {
        Event::Site(SiteEvent::Deployed(deployed)) => Ok(deployed),
        other => anyhow::bail!("{other:?}"),
    });
    told.collect()
}

fn pages(site: &Path) -> usize {
    files(site).keys().filter(|path| path.starts_with("artworks/")).count()
}

#[tokio::test]
async fn a_deploy_is_told_once_however_often_the_daemon_starts() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    for _ in 0..3 {
        let mut publication = scene.publication()?;
        run(&mut publication, &log).await?;
        publication.caught_up().await?;
    }
    let told = told(&log).await?;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].artworks, scene.live()?), (ARTWORKS as u64, 1));
    assert_eq!(pages(&scene.settings().dir), ARTWORKS);
    Ok(())
}

#[tokio::test]
async fn after_a_start_only_what_is_new_is_written() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    run(&mut scene.publication()?, &log).await?;
    gallery(&log, &scene.bucket.blobs).await?;
    run(&mut scene.publication()?, &log).await?;
    let told = told(&log).await?;
    assert_eq!(told.len(), 2, "{told:?}");
    // Of the artworks that were there, the newest has another neighbour, and no other page is another.
    assert!(told[1].files_written < told[1].files - ARTWORKS as u64 * 4, "{told:?}");
    assert!(files(&scene.settings().dir) == scene.at_once().await?);
    Ok(())
}

/// The log is another one: the first was lost, or somebody named the wrong database. One that is shorter is refused.
#[tokio::test]
async fn a_longer_log_that_is_another_than_the_live_one_shows_is_shown_whole() -> anyhow::Result<()> {
    let lost = Scene::set().await?;
    run(&mut lost.publication()?, &lost.database.log()).await?;
    let scene = Scene { folder: lost.folder, ..Scene::set().await? };
    let log = scene.database.log();
    gallery(&log, &scene.bucket.blobs).await?;
    run(&mut scene.publication()?, &log).await?;
    assert_eq!((told(&log).await?.len(), scene.live()?), (1, 2));
    assert!(files(&scene.settings().dir) == scene.at_once().await?);
    Ok(())
}

#[tokio::test]
async fn two_daemons_on_one_folder_tell_of_a_deploy_once() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    let (mut one, mut other) = (scene.publication()?, scene.publication()?);
    read(&mut one, &log).await?;
    read(&mut other, &log).await?;
    one.caught_up().await?;
    other.caught_up().await?;
    run(&mut one, &log).await?;
    assert_eq!((told(&log).await?.len(), scene.live()?), (1, 1));
    // Each can go on from what the other has deployed.
    gallery(&log, &scene.bucket.blobs).await?;
    run(&mut other, &log).await?;
    run(&mut one, &log).await?;
    assert_eq!((told(&log).await?.len(), scene.live()?), (2, 2));
    assert!(files(&scene.settings().dir) == scene.at_once().await?);
    Ok(())
}

#[tokio::test]
async fn a_replay_finds_what_somebody_did_by_hand_and_tells_of_the_release_that_makes_it_good() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    let mut publication = scene.publication()?;
    run(&mut publication, &log).await?;
    assert!(publication.replay().await?.differing.is_empty());
    let dir = scene.settings().dir;
    let before = files(&dir);
    std::fs::write(dir.join("index.html"), "mine")?;
    std::fs::remove_file(dir.join("feed.xml"))?;
    let damaged = files(&dir);
    let would_differ: Vec<String> = publication.differing().await?.into_iter().collect();
    assert_eq!(would_differ, ["feed.xml", "index.html"]);
    assert!(files(&dir) == damaged, "asking changes nothing");
    assert_eq!(publication.replay().await?.differing, ["feed.xml", "index.html"]);
    assert!(files(&dir) == before);
    assert_eq!((told(&log).await?.len(), scene.live()?), (2, 2));
    Ok(())
}

#[tokio::test]
async fn a_replay_comes_when_it_is_due() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    let settings = SiteSettings { replay_every_ms: 1, ..scene.settings() };
    let mut publication = Publication::new(log.clone(), scene.bucket.blobs.clone(), settings)?;
    run(&mut publication, &log).await?;
    std::fs::write(scene.settings().dir.join("index.html"), "mine")?;
    run(&mut publication, &log).await?;
    assert!(files(&scene.settings().dir) == scene.at_once().await?);
    Ok(())
}

#[tokio::test]
async fn what_was_gone_back_from_is_published_again_when_the_daemon_looks() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    let mut publication = scene.publication()?;
    run(&mut publication, &log).await?;
    gallery(&log, &scene.bucket.blobs).await?;
    run(&mut publication, &log).await?;
    scene.settings().folder()?.roll_back(None).await?;
    assert_eq!(pages(&scene.settings().dir), ARTWORKS);
    run(&mut publication, &log).await?;
    assert_eq!(pages(&scene.settings().dir), 2 * ARTWORKS);
    Ok(())
}
