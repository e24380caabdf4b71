//! What `verify` finds.

use std::path::Path;
use std::process::ExitCode;

use atelier_standalone::home::Home;
use atelier_standalone::verify::{Args, Checkpoints, Flaw, Progress, Verified, run, verify};

use crate::installation::Installation;
use crate::store::bytes;

async fn verified(installation: &Installation) -> Verified {
    verify(&installation.connections, |_| {}).await.unwrap()
}

fn flaws(verified: &Verified) -> Vec<(&'static str, &str)> {
    verified.flaws.iter().map(|Flaw { place, flaw }| (*place, flaw.as_str())).collect()
}

/// As somebody who owns the database could: past the triggers.
async fn behind_the_back(installation: &Installation, statement: &'static str) {
    let mut connection = installation.database.pool.acquire().await.unwrap();
    for statement in ["set session_replication_role = replica", statement, "reset session_replication_role"] {
        sqlx::query(statement).execute(&mut *connection).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_whole_has_no_flaw_and_each_blob_is_read_once() {
    let installation = Installation::start().await;
    for title in ["one", "two", "three"] {
        installation.complete_artwork(title).await;
    }
    atelier_index::replay(&installation.connections.log, |_| {}).await.unwrap();
    let mut last = None;
    let found = verify(&installation.connections, |progress| last = Some(progress)).await.unwrap();
    assert_eq!(flaws(&found), []);
    assert_eq!((found.events, found.commits, found.blobs, found.blob_bytes), (9, 3, 6, 3 * 40_500));
    assert_eq!(last, Some(Progress::Blobs { checked: 6, named: 6 }));
}

#[tokio::test]
async fn an_empty_installation_has_no_flaw() {
    let installation = Installation::start().await;
    assert_eq!(flaws(&verified(&installation).await), []);
}

#[tokio::test]
async fn a_changed_blob_and_one_that_is_missing_are_named() {
    let installation = Installation::start().await;
    let [changed, _] = installation.complete_artwork("one").await;
    let [_, missing] = installation.complete_artwork("two").await;
    // Of the same length: only the digest tells.
    let mut other = bytes(40_000).to_vec();
    other[20_000] ^= 1;
    installation.connections.blobs.put(&changed, other.into(), "image/png").await.unwrap();
    installation.connections.blobs.delete(&missing).await.unwrap();
    let found = verified(&installation).await;
    let expected = [
        format!("{changed:?}, named by the event at position 3, was changed: its content has another digest"),
        format!("{missing:?}, named by the event at position 6, is missing"),
    ];
    let mut said: Vec<&str> = found.flaws.iter().map(|flaw| flaw.flaw.as_str()).collect();
    said.sort_by_key(|flaw| flaw.contains("missing"));
    assert_eq!(said, expected);
    assert!(found.flaws.iter().all(|flaw| flaw.place == "blob"));
}

#[tokio::test]
async fn a_changed_event_is_named() {
    let installation = Installation::start().await;
    installation.complete_artwork("one").await;
    let edit = "update events set data = jsonb_set(data::jsonb, '{details,title}', '\"two\"')::json where position = 1";
    behind_the_back(&installation, edit).await;
    let found = verified(&installation).await;
    let expected = "the event at position 1 was changed: its digest does not fit its content";
    assert_eq!(flaws(&found), [("log", expected)]);
}

#[tokio::test]
async fn an_event_that_names_a_blob_with_another_content_is_named() {
    let installation = Installation::start().await;
    let keys = installation.complete_artwork("one").await;
    let archive = atelier_events::Blob {
        key: keys[1].clone(),
        sha256: "0".repeat(64),
        media_type: "image/jpeg".to_owned(),
        length: 500,
    };
    let export_id = atelier_events::ExportId::new();
    let completed = atelier_events::export::Completed {
        export_id,
        archive,
        pictures: 1,
        missing: Vec::new(),
        contents: None,
        kept_until: None,
    };
    let event = atelier_events::Event::Export(atelier_events::ExportEvent::Completed(completed));
    installation.append(atelier_events::Stream::export(export_id), vec![event]).await;
    let expected = format!("{:?}, named by the event at position 4, was said before to have another content", keys[1]);
    assert_eq!(flaws(&verified(&installation).await), [("blob", expected.as_str())]);
}

#[tokio::test]
async fn a_read_model_that_lost_an_artwork_or_ran_ahead_is_named() {
    let installation = Installation::start().await;
    installation.complete_artwork("one").await;
    atelier_index::replay(&installation.connections.log, |_| {}).await.unwrap();
    for (edit, expected) in [
        ("delete from read.artworks", "it has 0 artworks, the log created 1 up to 3: replay it"),
        ("update read.checkpoint set position = 9", "it says 9, where the log ends at 3: replay it"),
    ] {
        behind_the_back(&installation, edit).await;
        let found = verified(&installation).await;
        assert!(flaws(&found).contains(&("read model", expected)), "{:?}", found.flaws);
    }
}

fn args() -> Args {
    Args { since: None, against: None, sign: None, key: None, json: true }
}

async fn ran(installation: &Installation, folder: &Path, args: Args) -> anyhow::Result<bool> {
    let checkpoints = Checkpoints::open(&args, &Home::open(folder)?)?;
    let code = run(args, checkpoints, &installation.connections).await?;
    Ok(code == ExitCode::SUCCESS)
}

#[tokio::test]
async fn a_log_that_was_signed_is_recognised_and_one_that_was_cut_off_is_not() {
    let installation = Installation::start().await;
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint.json");
    let sign = || Args { sign: Some(checkpoint.clone()), ..args() };
    let since = || Args { since: Some(checkpoint.clone()), ..args() };
    let against = || Args { against: Some(checkpoint.clone()), ..args() };

    let empty = ran(&installation, folder.path(), sign()).await.unwrap_err();
    assert!(empty.to_string().contains("the log is empty"), "{empty:#}");
    installation.complete_artwork("one").await;
    assert!(ran(&installation, folder.path(), sign()).await.unwrap());
    installation.complete_artwork("two").await;
    for args in [since(), against(), Args { sign: Some(checkpoint.clone()), ..since() }, since()] {
        assert!(ran(&installation, folder.path(), args.clone()).await.unwrap(), "{args:?}");
    }

    let signed = std::fs::read_to_string(&checkpoint).unwrap();
    for (edited, said) in [
        (signed.replace("\"position\": 6", "\"position\": 3"), "edited after it was signed"),
        ("{}".to_owned(), "not a signed checkpoint"),
    ] {
        std::fs::write(&checkpoint, edited).unwrap();
        let refused = ran(&installation, folder.path(), since()).await.unwrap_err();
        assert!(format!("{refused:#}").contains(said), "{refused:#}");
    }
    std::fs::write(&checkpoint, &signed).unwrap();
    let key = folder.path().join("another-key");
    for (content, said) in [("1".repeat(64), "was signed with the key"), ("short".to_owned(), "64 hexadecimal digits")]
    {
        std::fs::write(&key, content).unwrap();
        let args = Args { key: Some(key.clone()), ..since() };
        let refused = ran(&installation, folder.path(), args).await.unwrap_err();
        assert!(format!("{refused:#}").contains(said), "{refused:#}");
    }

    for statement in [
        "delete from events where position > 3",
        "delete from log_links where last_position > 3",
        "update log_head set (position, link) = (select last_position, link from log_links where last_position = 3)",
    ] {
        behind_the_back(&installation, statement).await;
    }
    assert!(ran(&installation, folder.path(), args()).await.unwrap(), "without a checkpoint nobody can tell");
    assert!(!ran(&installation, folder.path(), since()).await.unwrap());
    assert!(!ran(&installation, folder.path(), against()).await.unwrap());
    let again = Args { sign: Some(checkpoint.clone()), ..since() };
    let refused = ran(&installation, folder.path(), again).await.unwrap_err();
    assert!(refused.to_string().contains("a log with flaws is not signed"), "{refused:#}");
    assert_eq!(std::fs::read_to_string(&checkpoint).unwrap(), signed);
}
