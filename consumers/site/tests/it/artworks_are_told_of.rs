//! Each artwork whose page is live is told of on its own stream, once for each time that it becomes public.

use std::collections::BTreeMap;

use atelier_e2e::Database;
use atelier_events::artwork::Published;
use atelier_events::variant::Started;
use atelier_events::{ArtworkEvent, ArtworkId, Event, Log, Position, Recorded, RenditionKind, VariantEvent, VariantId};
use atelier_runtime::Projection as _;
use atelier_site::publication::Publication;
use atelier_site::settings::SiteSettings;

use crate::kept::{ARTWORKS, alike, rendered, tell, uploaded, work};
use crate::publishes::{Scene, read, run, told};

/// What each artwork was told as.
async fn published(log: &Log) -> anyhow::Result<BTreeMap<ArtworkId, Vec<(Recorded, Published)>>> {
    let mut published: BTreeMap<ArtworkId, Vec<(Recorded, Published)>> = BTreeMap::new();
    for event in events(log).await? {
        if let (Some(id), Event::Artwork(ArtworkEvent::Published(told))) = (event.stream.artwork_id(), event.event()?) {
            published.entry(id).or_default().push((event, told));
        }
    }
    Ok(published)
}

async fn events(log: &Log) -> anyhow::Result<Vec<Recorded>> {
    let mut events: Vec<Recorded> = Vec::new();
    loop {
        let after = events.last().map_or(Position(0), |event| event.position);
        let more = log.read(after, 1_000).await?;
        if more.is_empty() {
            return Ok(events);
        }
        events.extend(more);
    }
}

/// How often each artwork that is told of was told of.
async fn times(log: &Log) -> anyhow::Result<Vec<usize>> {
    Ok(published(log).await?.values().map(Vec::len).collect())
}

/// From now on the log takes so many of them.
async fn refuse_after(database: &Database, taken: usize) -> anyhow::Result<()> {
    let refuse = format!(
        "create function refuse() returns trigger language plpgsql as $$ begin
             if (select count(*) from events where type = 'artwork.published') >= {taken} then
                 raise exception 'the daemon is dead by now';
             end if;
             return new;
         end $$;
         create trigger refuse before insert on events for each row when (new.type = 'artwork.published')
         execute function refuse();"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(refuse)).execute(&database.pool).await?;
    Ok(())
}

#[tokio::test]
async fn every_artwork_is_told_of_once_with_its_page_and_its_release_and_that_deploys_nothing() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    for _ in 0..3 {
        let mut publication = scene.publication()?;
        run(&mut publication, &log).await?;
        run(&mut publication, &log).await?;
    }
    let released = told(&log).await?;
    assert_eq!((released.len(), scene.live()?), (1, 1), "what it tells is nothing to deploy");
    let (published, events) = (published(&log).await?, events(&log).await?);
    assert_eq!(published.len(), ARTWORKS);
    for (id, told) in published {
        let [(recorded, told)] = &told[..] else { anyhow::bail!("{id} was told of {} times", told.len()) };
        let page = format!("artworks/{id}/");
        assert_eq!(told.url, format!("{}/{page}", scene.settings().base_url));
        assert!(scene.settings().dir.join(page).join("index.html").is_file());
        assert_eq!(told.position, released[0].position);
        // In the chain of whoever asked for the work.
        let cause = events.iter().find(|event| Some(event.id) == recorded.causation_id);
        let cause = cause.ok_or_else(|| anyhow::anyhow!("nothing caused it"))?;
        assert_eq!((cause.event_type.as_str(), &cause.stream), ("variant.rendered", &recorded.stream));
        assert_eq!((cause.correlation_id, recorded.actor.as_str()), (recorded.correlation_id, "atelier-site"));
    }
    Ok(())
}

#[tokio::test]
async fn a_crash_before_or_between_them_leaves_the_rest_to_the_next_start() -> anyhow::Result<()> {
    for taken in [0, 2, ARTWORKS - 1] {
        let scene = Scene::set().await?;
        let log = scene.database.log();
        refuse_after(&scene.database, taken).await?;
        run(&mut scene.publication()?, &log).await.expect_err("they cannot be told of");
        assert_eq!((told(&log).await?.len(), times(&log).await?), (1, vec![1; taken]));
        sqlx::raw_sql("drop trigger refuse on events").execute(&scene.database.pool).await?;
        for _ in 0..2 {
            run(&mut scene.publication()?, &log).await?;
        }
        assert_eq!((told(&log).await?.len(), times(&log).await?), (1, vec![1; ARTWORKS]));
    }
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_cannot_tell_of_them_goes_on_with_the_rest_by_itself() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    refuse_after(&scene.database, 1).await?;
    let mut publication = scene.publication()?;
    run(&mut publication, &log).await.expect_err("they cannot be told of");
    sqlx::raw_sql("drop trigger refuse on events").execute(&scene.database.pool).await?;
    run(&mut publication, &log).await?;
    assert_eq!((times(&log).await?, scene.live()?), (vec![1; ARTWORKS], 1));
    Ok(())
}

#[tokio::test]
async fn two_daemons_tell_of_each_once() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    let (mut one, mut other) = (scene.publication()?, scene.publication()?);
    read(&mut one, &log).await?;
    refuse_after(&scene.database, 2).await?;
    one.caught_up().await.expect_err("it tells of two and dies");
    sqlx::raw_sql("drop trigger refuse on events").execute(&scene.database.pool).await?;
    run(&mut other, &log).await?;
    // What the other has told is no news of its own: each of its appends is refused.
    one.caught_up().await?;
    run(&mut other, &log).await?;
    assert_eq!(times(&log).await?, vec![1; ARTWORKS]);
    Ok(())
}

#[tokio::test]
async fn what_happens_to_an_artwork_meanwhile_is_folded_before_it_is_told_of() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    let mut publication = scene.publication()?;
    refuse_after(&scene.database, 0).await?;
    run(&mut publication, &log).await.expect_err("they cannot be told of");
    sqlx::raw_sql("drop trigger refuse on events").execute(&scene.database.pool).await?;
    let streams = events(&log).await?.into_iter().filter_map(|event| event.stream.artwork_id());
    let artworks: std::collections::BTreeSet<ArtworkId> = streams.collect();
    for id in &artworks {
        let started = Started { variant_id: VariantId::new(), attempt: 1 };
        tell(&log, *id, Event::Variant(VariantEvent::Started(started))).await?;
    }
    // It has not read that, so each of its first appends is refused.
    publication.caught_up().await?;
    assert_eq!((times(&log).await?, told(&log).await?.len()), (vec![1; ARTWORKS], 1));
    Ok(())
}

#[tokio::test]
async fn what_would_be_deployed_is_not_told_of() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    let mut publication = scene.publication()?;
    read(&mut publication, &log).await?;
    publication.preview().await?;
    assert_eq!((told(&log).await?.len(), published(&log).await?.len()), (0, 0));
    Ok(())
}

#[tokio::test]
async fn an_artwork_that_was_not_to_be_seen_for_a_while_is_told_of_again() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    let id = work(&log, &scene.bucket.blobs, "Tide").await?;
    let mut publication = scene.publication()?;
    run(&mut publication, &log).await?;
    // Another version of it, which has not all that a page shows.
    let variant = VariantId::new();
    let Event::Variant(VariantEvent::Rendered(whole)) = rendered(&scene.bucket.blobs, variant).await? else {
        anyhow::bail!("not what was asked for")
    };
    let mut lacking = whole.clone();
    lacking.renditions.retain(|rendition| rendition.kind != RenditionKind::Preview);
    tell(&log, id, uploaded(id, variant)).await?;
    tell(&log, id, Event::Variant(VariantEvent::Rendered(lacking))).await?;
    run(&mut publication, &log).await?;
    assert!(!scene.settings().dir.join(format!("artworks/{id}/index.html")).exists());
    tell(&log, id, Event::Variant(VariantEvent::Rendered(whole))).await?;
    run(&mut publication, &log).await?;
    let published = published(&log).await?;
    let releases: Vec<Position> = published[&id].iter().map(|(_, told)| told.position).collect();
    let [first, .., last] = &told(&log).await?[..] else { anyhow::bail!("too few releases") };
    assert_eq!(releases, [first.position, last.position]);
    assert!(published.iter().all(|(other, told)| *other == id || told.len() == 1));
    // After a start it is the same.
    run(&mut scene.publication()?, &log).await?;
    assert_eq!(times(&log).await?.iter().sum::<usize>(), ARTWORKS + 2);
    Ok(())
}

#[tokio::test]
async fn what_is_new_to_be_seen_is_deployed_before_the_rest_of_a_large_gallery_is_told_of() -> anyhow::Result<()> {
    const WORKS: usize = 600;
    let scene = Scene::set().await?;
    let (log, blobs) = (scene.database.log(), &scene.bucket.blobs);
    let Event::Variant(VariantEvent::Rendered(picture)) = rendered(blobs, VariantId::new()).await? else {
        anyhow::bail!("not what was asked for")
    };
    alike(&log, WORKS, &picture).await?;
    let settings = SiteSettings { burst_max_ms: 0, ..scene.settings() };
    let mut publication = Publication::new(log.clone(), blobs.clone(), settings)?;
    read(&mut publication, &log).await?;
    let late = work(&log, blobs, "Late").await?;
    publication.caught_up().await?;
    let first = published(&log).await?;
    assert_eq!((told(&log).await?.len(), first.len()), (1, 500), "a batch, and what came meanwhile goes first");
    publication.caught_up().await?;
    while publication.checkpoint().await? < log.head().await? {
        run(&mut publication, &log).await?;
    }
    let published = published(&log).await?;
    assert_eq!((told(&log).await?.len(), published.len()), (2, WORKS + ARTWORKS + 1));
    assert!(published.values().all(|told| told.len() == 1));
    assert_eq!(published[&late][0].1.position, told(&log).await?[1].position);
    Ok(())
}
