//! What `tail` shows.

use std::time::Duration;

use anyhow::ensure;
use atelier_events::{ArtworkEvent, ArtworkId, Event, Position, Stream, artwork};
use atelier_standalone::tail::tail;

use crate::installation::{Installation, details};

async fn create(installation: &Installation, stream: &Stream, count: usize) {
    for number in 0..count {
        let artwork_id = ArtworkId::new();
        let created = artwork::Created { artwork_id, owner: "test".to_owned(), details: details(&number.to_string()) };
        installation.append(stream.clone(), vec![Event::Artwork(ArtworkEvent::Created(created))]).await;
    }
}

async fn shown(installation: &Installation, after: Option<i64>, stream: Option<&Stream>) -> Vec<i64> {
    let mut shown = Vec::new();
    let log = &installation.connections.log;
    let on_event = |event: &atelier_events::Recorded| {
        shown.push(event.position.0);
        Ok(())
    };
    tail(log, after.map(Position), stream, false, on_event).await.unwrap();
    shown
}

#[tokio::test]
async fn the_last_twenty_or_those_after_a_position_are_shown_in_order() {
    let installation = Installation::start().await;
    let (one, other) = (Stream::site("one"), Stream::site("other"));
    assert_eq!(shown(&installation, None, None).await, [0_i64; 0]);
    create(&installation, &one, 25).await;
    create(&installation, &other, 5).await;
    for (after, stream, expected) in [
        (None, None, 11..=30),
        (Some(0), None, 1..=30),
        (Some(28), None, 29..=30),
        (None, Some(&one), 6..=25),
        (Some(23), Some(&one), 24..=25),
        (Some(0), Some(&other), 26..=30),
    ] {
        let positions = shown(&installation, after, stream).await;
        assert_eq!(positions, expected.collect::<Vec<_>>(), "after {after:?} of {stream:?}");
    }
}

#[tokio::test]
async fn following_shows_every_event_that_comes_once() {
    let installation = Installation::start().await;
    let stream = Stream::site("one");
    create(&installation, &stream, 3).await;
    let mut shown = Vec::new();
    let following = tail(&installation.connections.log, Some(Position(0)), None, true, |event| {
        shown.push(event.position.0);
        ensure!(shown.len() < 60, "enough");
        Ok(())
    });
    let creating = futures::future::join_all((0..3).map(|_| create(&installation, &stream, 19)));
    let (followed, _) =
        tokio::time::timeout(Duration::from_mins(1), futures::future::join(following, creating)).await.unwrap();
    assert_eq!(followed.unwrap_err().to_string(), "enough");
    assert_eq!(shown, (1..=60).collect::<Vec<_>>());
}
