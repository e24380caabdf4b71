//! What operators do about the target of the gallery, as the program does it.

use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

use crate::installation::Installation;

/// Runs `atelier site …` with a bucket as the target and the gallery titled like this; answers what it printed.
async fn site(installation: &Installation, data_dir: &Path, title: &str, words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
    command.envs(installation.environment()).env("ATELIER__SITE__TITLE", title);
    command.env("ATELIER__SITE__TARGET__KIND", "bucket").arg("--data-dir").arg(data_dir).arg("site").args(words);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn json(installation: &Installation, data_dir: &Path, title: &str, words: &[&str]) -> Vec<Value> {
    let printed = site(installation, data_dir, title, &[words, &["--json"]].concat()).await;
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn there(installation: &Installation) -> Vec<String> {
    let page = installation.connections.blobs.page("site/", None).await.unwrap();
    page.entries.into_iter().map(|entry| entry.key).collect()
}

async fn home(installation: &Installation) -> String {
    let home = installation.connections.blobs.get("site/index.html", 1_000_000).await.unwrap();
    String::from_utf8(home.to_vec()).unwrap()
}

#[tokio::test]
async fn a_deploy_is_looked_at_done_listed_and_gone_back_from_at_the_target_too() {
    let (installation, folder) = (Installation::start().await, tempfile::tempdir().unwrap());
    let (scene, data_dir) = (&installation, folder.path());
    let planned = json(scene, data_dir, "First", &["deploy", "--dry-run"]).await.remove(0);
    assert!(there(scene).await.is_empty(), "nothing is done");
    assert!(!data_dir.join("site").exists());
    let deployed = json(scene, data_dir, "First", &["deploy"]).await.remove(0);
    assert_eq!((&deployed["number"], &deployed["target"]), (&1.into(), &"bucket".into()));
    assert_eq!((&planned["files"], &planned["bytes"]), (&deployed["target_files"], &deployed["target_bytes"]));
    assert_eq!(there(scene).await.len() as u64, planned["files"].as_u64().unwrap() + 1);
    assert_eq!(installation.count("site.deployed").await, 1);
    let nothing = site(scene, data_dir, "First", &["deploy", "--dry-run"]).await;
    assert_eq!(nothing, "nothing would change at the target (bucket)\n");

    let planned = json(scene, data_dir, "Second", &["deploy", "--dry-run"]).await.remove(0);
    let words = site(scene, data_dir, "Second", &["deploy", "--dry-run"]).await;
    assert!(words.contains("listings") && words.contains("home"), "{words}");
    let deployed = json(scene, data_dir, "Second", &["deploy"]).await.remove(0);
    assert_eq!(planned["files"], deployed["target_files"]);
    assert!(planned["by_kind"].as_array().unwrap().iter().any(|change| change["kind"] == "home"), "{planned}");
    assert!(home(scene).await.contains("Second"));

    let back = site(scene, data_dir, "Second", &["rollback"]).await;
    assert!(back.contains("release 3 is live (bucket)"), "{back}");
    assert!(home(scene).await.contains("First"));
    let listed = json(scene, data_dir, "Second", &["releases"]).await;
    let at = |index: usize| {
        (listed[index]["number"].as_u64(), listed[index]["live"].as_bool(), listed[index]["at_target"].as_bool())
    };
    assert_eq!(at(0), (Some(3), Some(true), Some(true)));
    assert_eq!(at(1), (Some(2), Some(false), Some(false)));

    // Somebody has taken the pointer away: it is not known then what the bucket has.
    installation.connections.blobs.delete("site/release.json").await.unwrap();
    let listed = site(scene, data_dir, "Second", &["releases"]).await;
    assert!(listed.contains("the target (bucket) has none that is known"), "{listed}");
    site(scene, data_dir, "Second", &["rollback", "3"]).await;
    let listed = site(scene, data_dir, "Second", &["releases"]).await;
    assert!(listed.contains("at the target (bucket)"), "{listed}");
}

#[tokio::test]
async fn a_command_is_told_nothing_of_the_settings() {
    let (installation, folder) = (Installation::start().await, tempfile::tempdir().unwrap());
    let written = folder.path().join("environment");
    let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
    command.envs(installation.environment()).env("ATELIER__SITE__TARGET__KIND", "command");
    command.env("ATELIER__SITE__TARGET__COMMAND__SHELL", format!("env > {}", written.display()));
    command.arg("--data-dir").arg(folder.path()).args(["site", "deploy"]);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let environment = std::fs::read_to_string(written).unwrap();
    assert!(environment.contains("ATELIER_SITE_DIR=") && environment.contains("PATH="), "{environment}");
    assert!(!environment.contains("ATELIER__"), "some of them are secrets: {environment}");
}

#[tokio::test]
async fn a_replay_finds_what_somebody_did_here_and_at_the_target_and_makes_it_good() {
    let (installation, folder) = (Installation::start().await, tempfile::tempdir().unwrap());
    let (scene, data_dir) = (&installation, folder.path());
    site(scene, data_dir, "First", &["deploy"]).await;
    let live = data_dir.join("site");
    let (right, feed) = (home(scene).await, std::fs::read(live.join("feed.xml")).unwrap());
    std::fs::write(live.join("feed.xml"), "mine").unwrap();
    std::fs::write(live.join("mine.html"), "mine").unwrap();
    installation.connections.blobs.put("site/index.html", "mine".into(), "text/html").await.unwrap();

    let dry_run = async || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
        command.envs(installation.environment()).env("ATELIER__SITE__TITLE", "First");
        command.env("ATELIER__SITE__TARGET__KIND", "bucket").arg("--data-dir").arg(data_dir);
        let output = command.args(["site", "replay", "--dry-run", "--json"]).output().await.unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), said)
    };
    let (code, said) = dry_run().await;
    assert_eq!((code, &said["differing"]), (Some(3), &serde_json::json!(["feed.xml", "index.html", "mine.html"])));
    assert_eq!((home(scene).await.as_str(), live.join("mine.html").exists()), ("mine", true), "asking changes nothing");

    let said = site(scene, data_dir, "First", &["replay"]).await;
    assert!(
        said.starts_with("3 files differed") && said.contains(":\n  feed.xml\n  index.html\n  mine.html\n"),
        "{said}"
    );
    assert_eq!((home(scene).await, std::fs::read(live.join("feed.xml")).unwrap()), (right, feed));
    assert!(!live.join("mine.html").exists());
    assert_eq!(dry_run().await, (Some(0), serde_json::json!({ "outcome": "compared", "differing": [] })));
    let said = site(scene, data_dir, "First", &["replay"]).await;
    assert!(said.contains("files are what they should be (release 2)"), "{said}");

    // At the target alone, and a file that is about to leave it is none that differs.
    installation.connections.blobs.put("site/index.html", "mine".into(), "text/html").await.unwrap();
    assert_eq!(dry_run().await.1["differing"], serde_json::json!(["index.html"]));
    let said = site(scene, data_dir, "First", &["replay"]).await;
    assert!(said.starts_with("1 files differed") && said.ends_with(":\n  index.html\n"), "{said}");
    installation.connections.blobs.put("site/mine.html", "mine".into(), "text/html").await.unwrap();
    site(scene, data_dir, "First", &["replay"]).await;
    assert_eq!(dry_run().await.0, Some(0));
}
