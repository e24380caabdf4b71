//! Events that come twice, late, unknown or broken, and daemons that die or run side by side.

use atelier_events::{Position, Stream};
use atelier_index::{ReadModel, digests};
use atelier_runtime::Projection;

use crate::story::{Story, by_chance, catch_up, titled};

#[tokio::test]
async fn the_same_events_five_times_make_one_row() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    story.complete(titled("Harbour")).await?;
    let events = story.log.read(Position(0), 100).await?;
    let mut read_model = ReadModel::open(&story.log).await?;
    read_model.apply(&events).await?;
    let once = digests(story.pool(), "read").await?;
    for _ in 0..4 {
        read_model.apply(&events).await?;
    }
    assert_eq!(digests(story.pool(), "read").await?, once);
    assert_eq!(once["artworks"].rows, 1);
    assert_eq!(once["renditions"].rows, 4);
    Ok(())
}

#[tokio::test]
async fn a_stale_second_daemon_applies_nothing_twice() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    by_chance(&story, 11, 120).await?;
    let head = story.log.head().await?;
    let mut first = ReadModel::open(&story.log).await?;
    let mut second = ReadModel::open(&story.log).await?;
    // They take turns, and each comes with a batch of which the other has applied the half.
    let mut at = 0;
    while at < head.0 {
        let events = story.log.read(Position(at), 20).await?;
        first.apply(&events[..events.len().min(10)]).await?;
        second.apply(&events).await?;
        first.apply(&events).await?;
        at += 20;
    }
    let together = digests(story.pool(), "read").await?;
    atelier_index::replay(&story.log, |_| {}).await?;
    assert_eq!(digests(story.pool(), "read").await?, together);
    assert_eq!(atelier_index::projection::checkpoint(story.pool()).await?, head);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_at_once_come_to_the_same_read_model() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    by_chance(&story, 13, 200).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for batch in [3, 7] {
        let log = story.log.clone();
        tasks.spawn(async move {
            let mut read_model = ReadModel::open(&log).await?;
            // A batch that begins before the checkpoint of the moment is cut, one that begins behind it cannot be.
            catch_up(&mut read_model, &log, batch).await
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let together = digests(story.pool(), "read").await?;
    atelier_index::replay(&story.log, |_| {}).await?;
    assert_eq!(digests(story.pool(), "read").await?, together);
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_dies_between_batches_is_followed_by_one_that_goes_on() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    by_chance(&story, 17, 100).await?;
    let head = story.log.head().await?;
    for position in (0..head.0).step_by(9) {
        // Each knows nothing of what the one before had in memory.
        let mut read_model = ReadModel::open(&story.log).await?;
        assert_eq!(read_model.checkpoint().await?, Position(position));
        read_model.apply(&story.log.read(Position(position), 9).await?).await?;
    }
    let in_pieces = digests(story.pool(), "read").await?;
    atelier_index::replay(&story.log, |_| {}).await?;
    assert_eq!(digests(story.pool(), "read").await?, in_pieces);
    Ok(())
}

#[tokio::test]
async fn a_gap_in_what_is_given_is_refused() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    story.complete(titled("Harbour")).await?;
    let mut read_model = ReadModel::open(&story.log).await?;
    let error = read_model.apply(&story.log.read(Position(1), 10).await?).await.expect_err("event 1 is missing");
    assert!(error.to_string().contains("is at position 0 and was given events from 2 on"), "{error}");
    assert_eq!(read_model.checkpoint().await?, Position(0));
    Ok(())
}

#[tokio::test]
async fn an_event_type_of_a_newer_version_is_passed_over() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let (artwork, _) = story.complete(titled("Harbour")).await?;
    let mut events = story.log.read(Position(0), 10).await?;
    let mut newer = events[0].clone();
    newer.position = Position(4);
    newer.event_type = "artwork.sold".to_owned();
    newer.data = serde_json::json!({ "for": "nothing we know" }).into();
    events.push(newer);
    let mut read_model = ReadModel::open(&story.log).await?;
    read_model.apply(&events).await?;
    assert_eq!(read_model.checkpoint().await?, Position(4));
    let statement = "select updated_position from read.artworks where id = $1";
    let updated: Position = sqlx::query_scalar(statement).bind(artwork.0).fetch_one(story.pool()).await?;
    assert_eq!(updated, Position(3));
    Ok(())
}

#[tokio::test]
async fn content_that_no_version_ever_wrote_stops_the_projection_and_changes_nothing() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    story.complete(titled("Harbour")).await?;
    let events = story.log.read(Position(0), 10).await?;
    let mut broken = events.clone();
    broken[2].data = serde_json::json!({ "variant_id": 7 }).into();
    let mut read_model = ReadModel::open(&story.log).await?;
    let error = read_model.apply(&broken).await.expect_err("it does not fit its type");
    assert!(format!("{error:#}").contains("event at position 3"), "{error:#}");
    assert_eq!(read_model.checkpoint().await?, Position(0));
    // What was folded before the error is not taken for applied.
    read_model.apply(&events).await?;
    let applied = digests(story.pool(), "read").await?;
    atelier_index::replay(&story.log, |_| {}).await?;
    assert_eq!(digests(story.pool(), "read").await?, applied);
    Ok(())
}

#[tokio::test]
async fn a_variant_event_on_a_stream_without_artwork_has_no_row() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let variant = atelier_events::VariantId::new();
    story.tell(Stream::artwork(atelier_events::ArtworkId::new()), vec![crate::story::started(variant)]).await?;
    story.read_model().await?;
    let digests = digests(story.pool(), "read").await?;
    assert_eq!((digests["artworks"].rows, digests["variants"].rows), (0, 0));
    Ok(())
}
