//! Pauses between attempts: doubled, jittered by a quarter, capped, and none after the last attempt.

use std::time::Duration;

use atelier_runtime::{ConsumerSettings, RetryPolicy};
use proptest::prelude::*;

fn policy(initial_ms: u64, max_ms: u64, max_attempts: i32) -> RetryPolicy {
    RetryPolicy::new(&ConsumerSettings {
        backoff_initial_ms: initial_ms,
        backoff_max_ms: max_ms,
        max_attempts,
        ..ConsumerSettings::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_pause_lies_within_a_quarter_of_its_doubled_and_capped_interval(
        initial in 0..10_000_u32, max in 0..1_000_000_u32, attempt in 1..100_i32,
    ) {
        let pause = policy(initial.into(), max.into(), i32::MAX).pause_after(attempt);
        let exact = (f64::from(initial) * 2_f64.powi(attempt - 1)).min(f64::from(max));
        let pause = pause.map(|pause| pause.as_secs_f64() * 1_000.0);
        // A millionth of a millisecond is lost where floats become nanoseconds.
        prop_assert!(
            pause.is_some_and(|pause| (exact * 0.75 - 0.001..=exact * 1.25 + 0.001).contains(&pause)),
            "{pause:?} after attempt {attempt}, not around {exact} ms"
        );
    }

    #[test]
    fn no_setting_and_no_attempt_makes_a_pause_that_a_clock_cannot_count(
        initial in any::<u64>(), max in any::<u64>(), max_attempts in any::<i32>(), attempt in any::<i32>(),
    ) {
        let policy = policy(initial, max, max_attempts);
        let pause = policy.pause_after(attempt);
        prop_assert_eq!(pause.is_some(), attempt < max_attempts);
        prop_assert_eq!(policy.allows(attempt), attempt <= max_attempts);
        if let Some(pause) = pause {
            let cap = Duration::from_millis(max).min(RetryPolicy::LONGEST_PAUSE);
            prop_assert!(pause <= cap.mul_f64(1.25) + Duration::from_millis(1), "{pause:?} where {cap:?} is the cap");
            let initial = Duration::from_millis(initial).min(cap);
            let shortest = initial.mul_f64(0.75).saturating_sub(Duration::from_millis(1));
            prop_assert!(pause >= shortest, "{pause:?} where it begins with {initial:?}");
        }
    }

    #[test]
    fn the_last_attempt_has_no_pause_after_it_and_no_attempt_comes_after_it(max_attempts in 1..50_i32) {
        let policy = policy(1, 10, max_attempts);
        for attempt in 1..max_attempts {
            prop_assert!(policy.pause_after(attempt).is_some());
            prop_assert!(policy.allows(attempt));
        }
        prop_assert!(policy.allows(max_attempts));
        prop_assert_eq!(policy.pause_after(max_attempts), None);
        prop_assert_eq!(policy.pause_after(max_attempts + 1), None);
        prop_assert!(!policy.allows(max_attempts + 1));
    }
}

#[test]
fn pauses_differ_so_that_jobs_that_failed_together_do_not_come_back_together() {
    let policy = policy(1_000, 60_000, 10);
    let pauses: std::collections::BTreeSet<Option<Duration>> = (0..20).map(|_| policy.pause_after(1)).collect();
    assert!(pauses.len() > 10, "{pauses:?}");
}
