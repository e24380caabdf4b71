//! In which order the log is told: the one in which the old log told of creations and of each variant's first renditions, so
//! that lists by creation and the places in the published gallery, also of works whose cover changed, come out as they were.

use atelier_events::{Position, VariantId};
use atelier_index::metadata::{Sidecar, SidecarVariant};
use time::{Duration, OffsetDateTime};

/// How far the times of one log may run against its positions: a clock that was set back, a transaction that waited.
const SKEW: Duration = Duration::minutes(1);

/// A sidecar, and where the old log told of its artwork.
pub(super) struct Place {
    pub(super) key: String,
    created: At,
    ready: At,
    /// Each variant, and where it could be shown for the first time; one that could not be is told of with the first that could.
    variants: Vec<(VariantId, Option<At>)>,
}

/// A place in the old log, and its time.
type At = (Position, OffsetDateTime);

/// Something that the log is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Index of the sidecar.
    pub(super) place: usize,
    pub(super) what: What,
}

/// What it is told of an artwork. In this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Create,
    Restore(VariantId),
    /// All that there is to say of it was said.
    End,
}

impl Place {
    pub(super) fn of(key: String, sidecar: &Sidecar) -> Self {
        let ready = (sidecar.ready_position, sidecar.ready_at);
        // The first to be shown may have been cut again since: then it was finished later than that.
        let shown = |variant: &SidecarVariant| match variant.shown_position.zip(variant.finished_at) {
            Some((position, _)) if position == ready.0 => Some(ready),
            shown => shown,
        };
        Self {
            key,
            created: (sidecar.position, sidecar.created_at),
            ready,
            variants: sidecar.variants.iter().map(|variant| (variant.id, shown(variant))).collect(),
        }
    }
}

/// The steps, and whether they are ordered by the times since the positions are not those of one log.
pub(super) fn steps(places: &[Place]) -> (Vec<Step>, bool) {
    let by_time = contradict(places);
    let mut steps: Vec<_> = (places.iter().enumerate())
        .flat_map(|(place, Place { created, ready, variants, .. })| {
            // Nothing of an artwork is restored before it is created, whatever its sidecar says.
            let later = |one: At, other: At| (one.0.max(other.0), one.1.max(other.1));
            let restored = variants.iter().map(move |(id, shown)| (later(*created, shown.unwrap_or(*ready)), *id));
            let end = restored.clone().fold(*created, |end, (at, _)| later(end, at));
            let step = move |what| Step { place, what };
            let restored = restored.map(move |(at, id)| (at, step(What::Restore(id))));
            std::iter::once((*created, step(What::Create))).chain(restored).chain([(end, step(What::End))])
        })
        .collect();
    steps.sort_by_key(|((position, at), Step { place, what })| {
        (by_time.then_some(*at), *position, *what, &places[*place].key)
    });
    (steps.into_iter().map(|(_, step)| step).collect(), by_time)
}

/// Whether the positions contradict the times. When artworks became ready says so: an artwork that was imported again was
/// created at a later position than its time is.
fn contradict(places: &[Place]) -> bool {
    let mut ready: Vec<_> = places.iter().map(|place| place.ready).collect();
    ready.sort();
    let mut latest = None;
    ready.into_iter().any(|(_, at)| {
        let before = latest.replace(latest.map_or(at, |latest: OffsetDateTime| latest.max(at)));
        before.is_some_and(|before| at + SKEW < before)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(key: &str, created: (i64, i64), ready: (i64, i64)) -> Place {
        let variants = vec![(VariantId::new(), None)];
        Place { key: key.to_owned(), created: at(created), ready: at(ready), variants }
    }

    fn at((position, hour): (i64, i64)) -> At {
        (Position(position), OffsetDateTime::UNIX_EPOCH + Duration::hours(hour))
    }

    /// Without the ends.
    fn told(places: &[Place]) -> (Vec<String>, bool) {
        let (steps, by_time) = steps(places);
        let told = |Step { place, what }: &Step| {
            let Place { key, variants, .. } = &places[*place];
            match what {
                What::Create => Some(format!("Create {key}")),
                What::Restore(_) if variants.len() == 1 => Some(format!("Restore {key}")),
                What::Restore(id) => {
                    let at = variants.iter().position(|(variant, _)| variant == id).expect("it is one of them");
                    Some(format!("Restore {key}{at}"))
                }
                What::End => None,
            }
        };
        (steps.iter().filter_map(told).collect(), by_time)
    }

    #[test]
    fn a_cover_that_came_later_comes_later_again_and_what_was_never_shown_with_the_first() {
        let mut covered = place("a", (1, 0), (3, 1));
        covered.variants = [Some(at((8, 9))), None, Some(at((3, 1)))].map(|at| (VariantId::new(), at)).to_vec();
        let places = [covered, place("b", (2, 0), (5, 2))];
        let expected = ["Create a", "Create b", "Restore a1", "Restore a2", "Restore b", "Restore a0"];
        assert_eq!(told(&places), (expected.map(str::to_owned).to_vec(), false));
        let (steps, _) = steps(&places);
        assert_eq!(steps.last(), Some(&Step { place: 0, what: What::End }));
    }

    #[test]
    fn both_orders_are_those_of_the_old_log() {
        // The first took longer.
        let places = [place("a", (1, 0), (9, 0)), place("b", (3, 0), (5, 0)), place("c", (7, 0), (8, 0))];
        let expected = ["Create a", "Create b", "Restore b", "Create c", "Restore c", "Restore a"];
        assert_eq!(told(&places), (expected.map(str::to_owned).to_vec(), false));
    }

    #[test]
    fn what_two_logs_have_told_goes_by_its_times_and_what_was_imported_does_not() {
        // After a restoration, whose sidecars were not all written again: `b` has its old position.
        let two = [place("a", (1, 10), (2, 10)), place("b", (900, 11), (901, 11)), place("c", (3, 12), (4, 12))];
        let expected = ["Create a", "Restore a", "Create b", "Restore b", "Create c", "Restore c"];
        assert_eq!(told(&two), (expected.map(str::to_owned).to_vec(), true));
        let imported = [place("a", (1, 10), (2, 10)), place("b", (3, 1), (4, 11))];
        let expected = ["Create a", "Restore a", "Create b", "Restore b"];
        assert_eq!(told(&imported), (expected.map(str::to_owned).to_vec(), false));
    }

    #[test]
    fn nothing_is_restored_before_it_is_created_whatever_is_said() {
        let places = [place("a", (5, 0), (2, 0)), place("b", (5, 0), (5, 0))];
        let expected = ["Create a", "Create b", "Restore a", "Restore b"];
        assert_eq!(told(&places).0, expected);
    }
}
