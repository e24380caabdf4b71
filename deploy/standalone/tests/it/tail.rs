//! What `tail` shows.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::ensure;
use atelier_events::log::Filter;
use atelier_events::{ArtworkEvent, ArtworkId, Event, Position, Stream, artwork};
use atelier_standalone::tail::{Extent, tail};

use crate::installation::{Installation, details};

async fn create(installation: &Installation, stream: &Stream, count: usize) {
    for number in 0..count {
        let artwork_id = ArtworkId::new();
        let created = artwork::Created::new(artwork_id, "test".to_owned(), details(&number.to_string()));
        installation.append(stream.clone(), vec![Event::Artwork(ArtworkEvent::Created(created))]).await;
    }
}

async fn shown(installation: &Installation, filter: &Filter, extent: &Extent) -> Vec<i64> {
    let mut shown = Vec::new();
    let on_event = |event: &atelier_events::Recorded| {
        shown.push(event.position.0);
        Ok(())
    };
    tail(&installation.connections.log, filter, extent, on_event).await.unwrap();
    shown
}

fn of(stream: &Stream) -> Filter {
    Filter { stream: Some(stream.clone()), types: Vec::new() }
}

fn of_type(name: &str) -> Filter {
    Filter { stream: None, types: vec![name.to_owned()] }
}

#[tokio::test]
async fn the_last_twenty_or_those_after_a_position_are_shown_in_order() {
    let installation = Installation::start().await;
    let (one, other) = (Stream::site("one"), Stream::site("other"));
    let all = Filter::default();
    assert_eq!(shown(&installation, &all, &Extent::default()).await, [0_i64; 0]);
    create(&installation, &one, 25).await;
    create(&installation, &other, 5).await;
    for (after, filter, expected) in [
        (None, &all, 11..=30),
        (Some(0), &all, 1..=30),
        (Some(28), &all, 29..=30),
        (Some(30), &all, RangeInclusive::new(31, 30)),
        (Some(99), &all, RangeInclusive::new(31, 30)),
        (None, &of(&one), 6..=25),
        (Some(23), &of(&one), 24..=25),
        (Some(0), &of(&other), 26..=30),
        (None, &of_type("artwork.created"), 11..=30),
        (Some(0), &of_type("variant.failed"), RangeInclusive::new(31, 30)),
    ] {
        let extent = Extent { after: after.map(Position), ..Extent::default() };
        let positions = shown(&installation, filter, &extent).await;
        assert_eq!(positions, expected.clone().collect::<Vec<_>>(), "after {after:?} of {filter:?}");
        let reversed = shown(&installation, filter, &Extent { reverse: true, ..extent }).await;
        assert_eq!(reversed, expected.rev().collect::<Vec<_>>(), "after {after:?} of {filter:?}, the last one first");
    }
}

#[tokio::test]
async fn a_limit_keeps_the_first_after_a_position_and_otherwise_the_last() {
    let installation = Installation::start().await;
    create(&installation, &Stream::site("one"), 9).await;
    for (after, reverse, expected) in
        [(None, false, [7, 8, 9]), (Some(2), false, [3, 4, 5]), (None, true, [9, 8, 7]), (Some(2), true, [9, 8, 7])]
    {
        let extent = Extent { after: after.map(Position), limit: Some(3), reverse, follow: false };
        assert_eq!(shown(&installation, &Filter::default(), &extent).await, expected, "{extent:?}");
    }
}

#[tokio::test]
async fn following_shows_every_event_that_comes_once() {
    let installation = Installation::start().await;
    let stream = Stream::site("one");
    create(&installation, &stream, 3).await;
    let mut shown = Vec::new();
    let extent = Extent { after: Some(Position(0)), follow: true, ..Extent::default() };
    let any = Filter::default();
    let following = tail(&installation.connections.log, &any, &extent, |event| {
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_appended_while_the_past_is_told_follows_it_once_and_in_order() {
    let installation = Installation::start().await;
    let stream = Stream::site("one");
    create(&installation, &stream, 30).await;
    let any = Filter::default();
    for after in [Some(Position(0)), None] {
        let head = installation.connections.log.head().await.unwrap().0;
        let first = if after.is_some() { 1 } else { head - 19 };
        let mut shown: Vec<i64> = Vec::new();
        let extent = Extent { after, follow: true, ..Extent::default() };
        let followed = tail(&installation.connections.log, &any, &extent, |event| {
            shown.push(event.position.0);
            // In the middle of the past, at its last event, and where the first of the new ones is told.
            if [first + 5, head, head + 1].contains(&event.position.0) {
                let appending = create(&installation, &stream, 3);
                tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(appending));
            }
            ensure!(event.position.0 < head + 9, "enough");
            Ok(())
        });
        let followed = tokio::time::timeout(Duration::from_mins(1), followed).await.unwrap();
        assert_eq!(followed.unwrap_err().to_string(), "enough");
        assert_eq!(shown, (first..=head + 9).collect::<Vec<_>>(), "after {after:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_following_begins_while_the_log_grows_nothing_is_left_out() {
    let installation = Installation::start().await;
    let any = Filter::default();
    let following = async {
        for round in 0..40 {
            let extent =
                Extent { after: (round % 2 == 0).then_some(Position(round)), follow: true, ..Extent::default() };
            let mut shown: Vec<i64> = Vec::new();
            let told = |event: &atelier_events::Recorded| {
                shown.push(event.position.0);
                ensure!(shown.len() < 60, "enough");
                Ok(())
            };
            let ended = tail(&installation.connections.log, &any, &extent, told).await;
            assert_eq!(ended.unwrap_err().to_string(), "enough");
            assert!(shown.windows(2).all(|pair| pair[1] == pair[0] + 1), "{extent:?}: {shown:?}");
        }
    };
    let growing = async {
        let streams = [Stream::site("one"), Stream::site("two")];
        loop {
            futures::future::join_all(streams.iter().map(|stream| create(&installation, stream, 5))).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), async {
        tokio::select! {
            () = following => {}
            () = growing => {}
        }
    })
    .await
    .unwrap();
}
