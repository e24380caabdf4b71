use atelier_site::backdrop::{impression, tint};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

#[test]
fn a_picture_with_transparent_parts_has_no_backdrop() {
    let hash = |alpha: u8| {
        let rgba: Vec<u8> = (0..16_u8).flat_map(|n| [200, 80, n * 8, if n == 3 { alpha } else { 255 }]).collect();
        STANDARD.encode(thumbhash::rgba_to_thumb_hash(4, 4, &rgba))
    };
    let (opaque, translucent) = (hash(255), hash(0));
    assert!(tint(&opaque).is_some() && impression(&opaque).is_some());
    assert_eq!((tint(&translucent), impression(&translucent)), (None, None));
}
