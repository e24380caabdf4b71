//! What a reader's browser keeps for reading offline (`assets/worker.js`) does not grow without end.

use serde_json::json;

use crate::node;

const SCRIPT: &str = include_str!("../../assets/worker.js");

#[test]
fn the_newest_are_kept_and_what_was_not_well_answered_is_not() {
    let Some(kept) = node::run("worker.mjs", &json!({ "script": SCRIPT })) else { return };
    let pages: Vec<String> = (50..250).map(|number| format!("https://art.example/g/art/{number}/")).collect();
    // One that was read again is as new as that.
    let again = "https://art.example/g/art/3/".to_owned();
    let front = "https://art.example/g/".to_owned();
    assert_eq!(kept["pages"], json!([&[front], &pages[1..], &[again]].concat()));
    let files: Vec<String> = (100..700).map(|number| format!("https://art.example/g/media/{number}.webp")).collect();
    assert_eq!(kept["files"], json!(files));
    assert_eq!(kept["offline"], json!({ "kept": "/art/200/", "file": "/media/650.webp", "never_seen": "home" }));
    // Each picture was asked for once, however often it was shown; a page each time.
    assert_eq!(kept["asked"], json!({ "picture": 1, "page": 2 }));
}
