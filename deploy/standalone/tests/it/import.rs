//! What `import` does, over the real API and the real bucket.

use std::path::Path;

use atelier_standalone::import::{Details, Imported, Options, Outcome, Summary, import};
use tempfile::TempDir;

use crate::installation::Installation;

/// Begins as a PNG does; whether it is one is found out by those who cut it.
fn picture(content: &str) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n".as_slice(), content.as_bytes()].concat()
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("more")).unwrap();
    std::fs::write(folder.path().join("one.png"), picture("one")).unwrap();
    std::fs::write(folder.path().join("more/two.jpg"), picture("two")).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no picture").unwrap();
    folder
}

fn options(path: &Path, details: Details) -> Options {
    Options { paths: vec![path.to_owned()], details, wait: false }
}

fn of(imported: &[Imported], name: &str) -> String {
    let found = imported.iter().find(|imported| imported.path.ends_with(name)).unwrap();
    match &found.outcome {
        Outcome::Added { url, .. } => format!("added {url}"),
        Outcome::AlreadyThere { url, .. } => format!("already there {url}"),
        Outcome::Failed { reason } => format!("failed: {reason}"),
    }
}

async fn run(installation: &Installation, options: Options) -> (Summary, Vec<Imported>) {
    let (client, shutdown) = installation.serve_api().await;
    let mut told = Vec::new();
    let summary = import(&client, options, |imported| told.push(imported.clone())).await.unwrap();
    shutdown.cancel();
    (summary, told)
}

#[tokio::test]
async fn a_folder_imported_twice_adds_nothing_and_sends_nothing() {
    let installation = Installation::start().await;
    let folder = folder();
    let (summary, first) = run(&installation, options(folder.path(), Details::default())).await;
    assert_eq!(summary, Summary { added: 2, already_there: 0, failed: 0 });
    let uploads = installation.connections.blobs.page("uploads/", None).await.unwrap().entries;
    assert_eq!(uploads.len(), 2);
    for upload in &uploads {
        installation.connections.blobs.delete(&upload.key).await.unwrap();
    }

    let (summary, second) = run(&installation, options(folder.path(), Details::default())).await;
    assert_eq!(summary, Summary { added: 0, already_there: 2, failed: 0 });
    for name in ["one.png", "two.jpg"] {
        assert_eq!(of(&second, name), of(&first, name).replace("added", "already there"), "{name}");
    }
    assert_eq!(installation.count("artwork.created").await, 2);
    assert_eq!(installation.connections.blobs.page("uploads/", None).await.unwrap().entries, []);
}

#[tokio::test]
async fn an_import_that_was_broken_off_goes_on_where_it_was() {
    let installation = Installation::start().await;
    let folder = folder();
    let one = folder.path().join("one.png");
    let (summary, _) = run(&installation, options(&one, Details::default())).await;
    assert_eq!(summary, Summary { added: 1, already_there: 0, failed: 0 });
    let (summary, _) = run(&installation, options(folder.path(), Details::default())).await;
    assert_eq!(summary, Summary { added: 1, already_there: 1, failed: 0 });
}

#[tokio::test]
async fn what_is_said_about_pictures_is_in_the_log_with_their_content_s_type() {
    let installation = Installation::start().await;
    let folder = folder();
    let details = Details {
        title: None,
        artist: Some("A. Painter".to_owned()),
        source_url: Some("https://example.org/a".to_owned()),
        tags: vec!["Sea".to_owned(), "sky".to_owned()],
    };
    run(&installation, options(&folder.path().join("more"), details)).await;
    let created = installation.connections.log.read(atelier_events::Position(0), 10).await.unwrap();
    let said = &created[0].data.to_value()["details"];
    assert_eq!(said["title"], "two");
    assert_eq!(said["artist"], "A. Painter");
    assert_eq!(said["source_url"], "https://example.org/a");
    assert_eq!(said["tags"], serde_json::json!(["sea", "sky"]));
    let uploaded = created[1].data.to_value();
    let key = uploaded["upload_key"].as_str().unwrap();
    // Named .jpg, and no JPEG.
    assert_eq!(installation.connections.blobs.head(key).await.unwrap().unwrap().media_type, "image/png");
}

#[tokio::test]
async fn a_file_that_fails_says_why_and_disturbs_no_other() {
    let installation = Installation::start().await;
    let folder = folder();
    std::fs::write(folder.path().join("empty.png"), "").unwrap();
    std::fs::write(folder.path().join("text.png"), "no picture").unwrap();
    let mut options = options(folder.path(), Details::default());
    options.paths.push(folder.path().join("nowhere.png"));
    let (summary, told) = run(&installation, options).await;
    assert_eq!(summary, Summary { added: 2, already_there: 0, failed: 3 });
    assert_eq!(of(&told, "empty.png"), "failed: it is empty");
    assert_eq!(of(&told, "text.png"), "failed: it is not a JPEG, PNG, WebP, GIF or AVIF");
    assert!(of(&told, "nowhere.png").starts_with("failed: No such file"), "{told:?}");
}

#[tokio::test]
async fn a_refusal_names_everything_that_is_wrong() {
    let installation = Installation::start().await;
    let folder = folder();
    let details = Details {
        title: Some("x".repeat(10_000)),
        artist: None,
        source_url: Some("javascript:alert(1)".to_owned()),
        tags: Vec::new(),
    };
    let (_, told) = run(&installation, options(&folder.path().join("one.png"), details)).await;
    let said = of(&told, "one.png");
    assert!(said.contains("title: has 10000 characters") && said.contains("source_url: "), "{said}");
}

#[tokio::test]
async fn the_same_picture_with_other_details_is_not_taken_for_done() {
    let installation = Installation::start().await;
    let folder = folder();
    let one = folder.path().join("one.png");
    run(&installation, options(&one, Details::default())).await;
    let details = Details { tags: vec!["new".to_owned()], ..Details::default() };
    let (summary, told) = run(&installation, options(&one, details)).await;
    assert_eq!(summary, Summary { added: 0, already_there: 0, failed: 1 });
    assert!(of(&told, "one.png").contains("it was imported before"), "{told:?}");
    assert_eq!(installation.count("artwork.created").await, 1);
}
