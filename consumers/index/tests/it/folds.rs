//! The read model's fold adds positions and times to the log's, and decides nothing for itself.

use atelier_events::{Artwork, ArtworkId, Event, Position, Recorded, Stream, VariantId, VariantState, Version};
use atelier_index::folded::FoldedArtwork;
use proptest::prelude::*;
use proptest::sample::select;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::story::{created, failed, generated, recipe, rendered, requested, started, titled, uploaded};

const ARTWORK: ArtworkId = ArtworkId(Uuid::nil());

/// Everything that can happen to three variants of one artwork.
fn events() -> Vec<Event> {
    let variants = (0..3).map(|number| VariantId(Uuid::from_u128(number)));
    let of_variants = variants.flat_map(|variant| {
        [
            requested(ARTWORK, variant, recipe("the sea"), Vec::new()),
            uploaded(ARTWORK, variant),
            started(variant),
            generated(variant),
            rendered(variant, 1),
            failed(variant, "no"),
        ]
    });
    of_variants.chain([created(ARTWORK, titled("The sea"))]).collect()
}

fn recorded(event: &Event, position: i64) -> Recorded {
    let id = Uuid::from_u128(position.unsigned_abs().into());
    Recorded {
        position: Position(position),
        stream: Stream::artwork(ARTWORK),
        version: Version(position),
        id,
        event_type: event.type_name().to_owned(),
        schema: event.schema(),
        data: event.data(),
        actor: "ann".to_owned(),
        correlation_id: id,
        causation_id: None,
        traceparent: None,
        occurred_at: OffsetDateTime::UNIX_EPOCH + Duration::seconds(position),
    }
}

fn histories() -> impl Strategy<Value = Vec<Recorded>> {
    let later = prop::collection::vec(select(events()), 0..40);
    later.prop_map(|later| {
        let history = std::iter::once(created(ARTWORK, titled("The sea"))).chain(later);
        (1..).zip(history).map(|(position, event)| recorded(&event, position)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_folded_artwork_is_the_one_of_the_log_with_a_moment_for_each_variant(history in histories()) {
        let mut artwork: Option<Artwork> = None;
        for (seen, event) in (1..).zip(&history) {
            artwork = Artwork::fold(artwork, event)?;
            let Some(folded) = FoldedArtwork::of(&history[..seen])? else {
                return Err(TestCaseError::fail("there is no artwork"));
            };
            prop_assert_eq!(Some(&folded.artwork), artwork.as_ref());
            prop_assert_eq!(folded.updated_position, event.position);
            let variants: Vec<_> = folded.artwork.variants.iter().map(|variant| variant.id).collect();
            prop_assert_eq!(folded.variants().map(|one| one.variant.id).collect::<Vec<_>>(), variants);
            prop_assert_eq!(folded.moments.len(), folded.artwork.variants.len());
        }
    }

    #[test]
    fn what_is_complete_or_given_up_says_when_and_what_is_under_way_does_not(history in histories()) {
        let Some(folded) = FoldedArtwork::of(&history)? else {
            return Err(TestCaseError::fail("there is no artwork"));
        };
        let active = folded.artwork.variants.iter().any(|variant| variant.state == VariantState::Completed);
        prop_assert_eq!(folded.ready_position.is_some(), active);
        prop_assert!(folded.shown.map(|(position, _)| position) >= folded.ready_position);
        for one in folded.variants() {
            let ended = matches!(one.variant.state, VariantState::Completed | VariantState::Failed);
            prop_assert_eq!(one.moments.finished_at.is_some(), ended, "{:?}", one);
            let complete = one.variant.state == VariantState::Completed;
            prop_assert_eq!(one.moments.shown_position.is_some(), complete);
            prop_assert!(one.moments.shown_position.is_none_or(|shown| Some(shown) >= folded.ready_position));
            prop_assert!(one.moments.started_at.is_none_or(|started| started > one.variant.requested_at));
        }
    }
}

/// An event tells when its transaction began, and the one that began first need not be the first to get its position. What is
/// restored from sidecars, which know times and no positions, came to another time then.
#[test]
fn what_is_shown_was_shown_last_at_the_latest_time_whatever_the_order_of_positions() -> anyhow::Result<()> {
    let [one, other] = [1, 2].map(|number| VariantId(Uuid::from_u128(number)));
    let history = [
        created(ARTWORK, titled("The sea")),
        uploaded(ARTWORK, one),
        uploaded(ARTWORK, other),
        rendered(one, 1),
        rendered(other, 1),
    ];
    let mut history: Vec<Recorded> = (1..).zip(&history).map(|(position, event)| recorded(event, position)).collect();
    history[3].occurred_at += Duration::seconds(5);
    let latest = history[3].occurred_at;
    assert!(history[4].occurred_at < latest);
    let folded = FoldedArtwork::of(&history)?.ok_or_else(|| anyhow::anyhow!("there is no artwork"))?;
    assert_eq!(folded.shown, Some((Position(5), latest)));
    Ok(())
}
