//! A replay comes to the same rows, goes live in one step, and leaves the live read model alone until then.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use atelier_events::Position;
use atelier_index::{Progress, ReadModel, ReplayError, compare, digests, replay};
use atelier_runtime::Projection;

use crate::story::{Story, by_chance, catch_up, titled};

#[tokio::test]
async fn a_replay_is_the_live_read_model_row_for_row() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    by_chance(&story, 3, 1_300).await?;
    let mut read_model = ReadModel::open(&story.log).await?;
    catch_up(&mut read_model, &story.log, 13).await?;
    let live = digests(story.pool(), "read").await?;

    let mut seen = Vec::new();
    let replayed = replay(&story.log, |progress| seen.push(progress)).await?;
    let head = story.log.head().await?;
    assert_eq!(replayed.position, head);
    assert_eq!(digests(story.pool(), "read").await?, live);
    assert_eq!(digests(story.pool(), "read_old").await?, live);
    assert!(live.iter().all(|(table, digest)| digest.rows > 0 || table == "lineage"), "{live:?}");
    assert!(seen.len() > 1 && seen.is_sorted_by_key(|progress| progress.position), "{seen:?}");
    assert_eq!(seen.last().map(|progress| (progress.position, progress.head)), Some((head, head)));

    // The daemon that was running goes on in the new one.
    story.complete(titled("After the replay")).await?;
    catch_up(&mut read_model, &story.log, 100).await?;
    assert_eq!(compare(&story.log, |_| {}).await?.differing, [].into());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn replays_beside_a_running_daemon_and_new_events_never_take_readers_back() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    by_chance(&story, 5, 300).await?;
    let mut read_model = story.read_model().await?;
    let (done, replays) = (AtomicBool::new(false), AtomicU64::new(0));
    let append = async {
        for seed in 6.. {
            by_chance(&story, seed, 50).await?;
            if replays.load(Ordering::SeqCst) >= 3 {
                break;
            }
        }
        done.store(true, Ordering::SeqCst);
        anyhow::Ok(())
    };
    let apply = async {
        while !done.load(Ordering::SeqCst) {
            catch_up(&mut read_model, &story.log, 5).await?;
        }
        anyhow::Ok(())
    };
    let replay_again = async {
        while !done.load(Ordering::SeqCst) {
            replay(&story.log, |_| {}).await?;
            replays.fetch_add(1, Ordering::SeqCst);
        }
        anyhow::Ok(())
    };
    let read = async {
        let mut last = Position(0);
        while !done.load(Ordering::SeqCst) {
            let now = atelier_index::projection::checkpoint(story.pool()).await?;
            anyhow::ensure!(now >= last, "readers were taken back from {last} to {now}");
            last = now;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(append, apply, replay_again, read)?;
    catch_up(&mut read_model, &story.log, 1_000).await?;
    let compared = compare(&story.log, |_| {}).await?;
    assert_eq!((compared.position, compared.differing), (story.log.head().await?, [].into()));
    Ok(())
}

#[tokio::test]
async fn a_second_replay_is_refused_and_a_dropped_one_leaves_the_live_read_model_alone() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    by_chance(&story, 8, 200).await?;
    story.read_model().await?;
    let live = digests(story.pool(), "read").await?;

    let (reached, mut reaching) = tokio::sync::mpsc::unbounded_channel();
    {
        let first = std::pin::pin!(stalled(&story, reached));
        tokio::select! {
            _ = first => anyhow::bail!("the first replay ended although it was held"),
            _ = reaching.recv() => {}
        }
        // `first` is neither polled nor dropped here: its session holds the lock.
        let second = replay(&story.log, |_| {}).await;
        assert!(matches!(second, Err(ReplayError::Running)), "{second:?}");
    }
    assert_eq!(digests(story.pool(), "read").await?, live);
    let left: bool =
        sqlx::query_scalar("select to_regclass('read_next.artworks') is not null").fetch_one(story.pool()).await?;
    assert!(left, "the replay had not begun");

    atelier_e2e::until("the lock of the dropped replay is gone", async || match replay(&story.log, |_| {}).await {
        Ok(_) => Ok(true),
        Err(ReplayError::Running) => Ok(false),
        Err(error) => Err(error.into()),
    })
    .await?;
    assert_eq!(digests(story.pool(), "read").await?, live);
    let left: bool =
        sqlx::query_scalar("select to_regnamespace('read_next') is not null").fetch_one(story.pool()).await?;
    assert!(!left);
    Ok(())
}

/// A replay that says when it has applied something, and yields there so that it can be left where it is.
async fn stalled(story: &Story, reached: tokio::sync::mpsc::UnboundedSender<Position>) -> Result<(), ReplayError> {
    // Nobody listens any more once the replay has been left.
    let progress = |progress: Progress| reached.send(progress.position).unwrap_or_default();
    replay(&story.log, progress).await.map(drop)
}

#[tokio::test]
async fn a_read_model_of_an_older_shape_is_replayed_when_a_daemon_starts() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    by_chance(&story, 9, 100).await?;
    story.read_model().await?;
    let right = digests(story.pool(), "read").await?;
    sqlx::query("update read.checkpoint set model_version = 0").execute(story.pool()).await?;
    sqlx::query("delete from read.variants").execute(story.pool()).await?;
    let mut read_model = ReadModel::open(&story.log).await?;
    assert_eq!(digests(story.pool(), "read").await?, right);
    assert_eq!(read_model.checkpoint().await?, story.log.head().await?);
    Ok(())
}

#[tokio::test]
async fn a_read_model_of_a_newer_version_is_left_to_who_knows_it() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    story.complete(titled("Harbour")).await?;
    let mut running = ReadModel::open(&story.log).await?;
    sqlx::query("update read.checkpoint set model_version = 1000").execute(story.pool()).await?;
    let error = ReadModel::open(&story.log).await.err().expect("it knows less");
    assert!(error.to_string().contains("start the newer one"), "{error}");
    let events = story.log.read(Position(0), 10).await?;
    let error = running.apply(&events).await.expect_err("another version has replayed it");
    assert!(error.to_string().contains("is of version 1000"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_row_that_was_changed_by_hand_is_found() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    story.complete(titled("Harbour")).await?;
    story.read_model().await?;
    assert_eq!(compare(&story.log, |_| {}).await?.differing, [].into());
    sqlx::query("update read.artworks set title = 'Stolen'").execute(story.pool()).await?;
    let compared = compare(&story.log, |_| {}).await?;
    assert_eq!(compared.differing.keys().collect::<Vec<_>>(), ["artworks"]);
    let left: bool =
        sqlx::query_scalar("select to_regnamespace('read_next') is not null").fetch_one(story.pool()).await?;
    assert!(!left, "comparing leaves something behind");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn daemons_that_start_together_create_one_read_model() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let starts = (0..6).map(|_| {
        let log = story.log.clone();
        tokio::spawn(async move { ReadModel::open(&log).await.map(drop) })
    });
    for started in starts.collect::<Vec<_>>() {
        started.await??;
    }
    assert_eq!(digests(story.pool(), "read").await?["checkpoint"].rows, 1);
    Ok(())
}
