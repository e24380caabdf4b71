//! Events are found forward and backward, by position, stream and type, in bounded pieces.

use atelier_e2e::Database;
use atelier_events::log::Filter;
use atelier_events::{ArtworkId, ExpectedVersion, Log, Position, Recorded, Stream};

use crate::proposals::{append, created, uploaded};

/// Two streams, in turns: `created` at 1 and 2, then `uploaded`.
async fn two_streams(log: &Log) -> anyhow::Result<[Stream; 2]> {
    let ids = [ArtworkId::new(), ArtworkId::new()];
    let streams = ids.map(Stream::artwork);
    for turn in 0..3 {
        for (id, stream) in ids.into_iter().zip(&streams) {
            let event = if turn == 0 { created(id, "The sea") } else { uploaded(id) };
            log.append(append(stream, ExpectedVersion::Any, vec![event])).await?;
        }
    }
    Ok(streams)
}

fn positions(events: &[Recorded]) -> Vec<i64> {
    events.iter().map(|event| event.position.0).collect()
}

#[tokio::test]
async fn events_are_found_by_stream_and_type_in_both_directions() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let log = database.log();
    let [one, other] = two_streams(&log).await?;
    let of = |stream: Option<&Stream>, types: &[&str]| Filter {
        stream: stream.cloned(),
        types: types.iter().map(|name| (*name).to_owned()).collect(),
    };
    let (created, uploaded) = ("artwork.created", "variant.uploaded");
    for (filter, expected) in [
        (of(None, &[]), vec![1, 2, 3, 4, 5, 6]),
        (of(None, &[uploaded]), vec![3, 4, 5, 6]),
        (of(None, &[created, uploaded]), vec![1, 2, 3, 4, 5, 6]),
        (of(None, &["variant.failed"]), vec![]),
        (of(Some(&one), &[]), vec![1, 3, 5]),
        (of(Some(&other), &[uploaded]), vec![4, 6]),
        (of(Some(&Stream::site("none")), &[]), vec![]),
    ] {
        let end = Position(i64::MAX);
        assert_eq!(positions(&log.find(&filter, Position(0), 100).await?), expected, "{filter:?}");
        let mut back = positions(&log.find_back(&filter, end, 100).await?);
        back.reverse();
        assert_eq!(back, expected, "{filter:?}");

        // Piece by piece, from inside.
        let after: Vec<i64> = expected.iter().copied().filter(|position| *position > 2).take(2).collect();
        assert_eq!(positions(&log.find(&filter, Position(2), 2).await?), after, "{filter:?}");
        let before: Vec<i64> = expected.iter().rev().copied().filter(|position| *position < 5).take(2).collect();
        assert_eq!(positions(&log.find_back(&filter, Position(5), 2).await?), before, "{filter:?}");

        let all = log.read(Position(0), 100).await?;
        let taken: Vec<Recorded> = all.into_iter().filter(|event| filter.takes(event)).collect();
        assert_eq!(positions(&taken), expected, "{filter:?}");
    }
    Ok(())
}
