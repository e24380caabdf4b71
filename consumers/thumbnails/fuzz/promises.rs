//! What must hold of any bytes whatever. The fuzz targets and the test suite's own mutations hold the same.

use atelier_thumbnails::gate::{Inspected, inspect};
use atelier_thumbnails::{Caption, Limits, Policy, Refused, cut};

/// Small enough that a picture is cut in a millisecond, and many are tried.
pub(crate) fn limits() -> Limits {
    Limits { max_bytes: 1 << 20, max_area_px: 1 << 18, max_side_px: 2048, max_frame_px: 1 << 22, ..Limits::default() }
}

/// The gate lets nothing through that exceeds a limit, and never panics.
pub(crate) fn gate(bytes: &[u8]) {
    let limits = limits();
    if let Ok(Inspected { width, height, .. }) = inspect(bytes, &limits) {
        assert!(bytes.len() as u64 <= limits.max_bytes);
        assert!((1..=limits.max_side_px).contains(&width) && (1..=limits.max_side_px).contains(&height));
        assert!(u64::from(width) * u64::from(height) <= limits.max_area_px);
    }
}

/// A picture becomes a whole set of what the policy says, or is refused; and what the gate refuses stays refused.
pub(crate) fn render(bytes: &[u8]) {
    let policy = Policy { limits: limits(), ..Policy::default() };
    let at_the_gate = inspect(bytes, &policy.limits);
    match cut(bytes, &Caption::of("Harbour", "Ada Lovelace"), &policy) {
        Ok(set) => {
            at_the_gate.expect("the gate let it through");
            assert!(!set.renditions.is_empty());
            for picture in &set.renditions {
                assert!(!picture.bytes.is_empty() && picture.width > 0 && picture.height > 0, "{picture:?}");
                let most = u32::from(policy.display_side_px).max(1_200);
                assert!(picture.width.max(picture.height) <= most, "{picture:?}");
            }
        }
        Err(refused) => {
            assert!(!matches!(refused, Refused::Crashed(_)), "{refused}");
            if let Err(at_the_gate) = at_the_gate {
                assert_eq!(refused, at_the_gate);
            }
        }
    }
}
