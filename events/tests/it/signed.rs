//! A signed checkpoint is opened by who signed it, as it was signed.

use atelier_events::Position;
use atelier_events::log::Anchor;
use atelier_events::log::signed::{Key, SignError};
use serde_json::{Value, json};
use time::OffsetDateTime;

const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn signed(key: &Key) -> anyhow::Result<(Anchor, Value)> {
    let anchor = Anchor { position: Position(7), link: [5; 32] };
    Ok((anchor, serde_json::to_value(key.sign(&anchor, OffsetDateTime::now_utc()))?))
}

#[test]
fn a_checkpoint_is_opened_with_the_key_it_was_signed_with() -> anyhow::Result<()> {
    let key = Key::from_hex(SECRET)?;
    let (anchor, checkpoint) = signed(&key)?;
    assert_eq!(key.open(&checkpoint.to_string())?, anchor);
    // A file ends with a line break, also that of a key.
    assert_eq!(Key::from_hex(&format!("{SECRET}\n"))?.open(&format!("{checkpoint:#}\n"))?, anchor);
    Ok(())
}

#[test]
fn a_checkpoint_of_another_key_is_refused_also_when_it_claims_this_one() -> anyhow::Result<()> {
    let (key, other) = (Key::from_hex(SECRET)?, Key::from_hex(&SECRET.replace('0', "1"))?);
    let (_, mut checkpoint) = signed(&other)?;
    assert!(matches!(key.open(&checkpoint.to_string()), Err(SignError::AnotherKey { .. })));
    checkpoint["key"] = signed(&key)?.1["key"].take();
    assert!(matches!(key.open(&checkpoint.to_string()), Err(SignError::Edited)));
    Ok(())
}

#[test]
fn an_edited_checkpoint_is_refused_whatever_was_edited() -> anyhow::Result<()> {
    let key = Key::from_hex(SECRET)?;
    let (_, checkpoint) = signed(&key)?;
    let edited = |field: &str, value: Value| {
        let mut edited = checkpoint.clone();
        edited[field] = value;
        key.open(&edited.to_string())
    };
    for (field, value) in [
        ("position", json!(8)),
        ("link", json!("06".repeat(32))),
        ("link", json!("5")),
        ("signed_at", json!("2026-01-01T00:00:00Z")),
        ("signature", json!("00".repeat(64))),
    ] {
        let opened = edited(field, value.clone());
        assert!(matches!(opened, Err(SignError::Edited)), "{field} = {value}: {opened:?}");
    }
    assert!(matches!(edited("signature", json!("zz")), Err(SignError::Damaged("signature"))));
    assert!(matches!(edited("more", json!(1)), Err(SignError::NotACheckpoint(_))));
    assert!(matches!(key.open("{}"), Err(SignError::NotACheckpoint(_))));
    assert!(matches!(key.open("not json"), Err(SignError::NotACheckpoint(_))));
    Ok(())
}

#[test]
fn what_is_no_key_is_refused() {
    for wrong in ["", "abc", &SECRET[1..], &SECRET.replace('0', "x"), &format!("{SECRET}00")] {
        assert!(matches!(Key::from_hex(wrong), Err(SignError::Key)), "{wrong:?}");
    }
}
