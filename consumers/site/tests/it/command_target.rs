//! A command that the site is brought to.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use atelier_site::release::{Compare, Folder};
use atelier_site::target::settings::{CommandSettings, TargetKind, TargetSettings};
use atelier_site::target::{Brought, Look, Target, TargetError};
use tempfile::TempDir;

use crate::sample::{self, files, from_bucket};

const METADATA: &str = r#"{"artworks":[],"lastUpdated":null}"#;

struct Scene {
    place: TempDir,
    folder: Folder,
    settings: TargetSettings,
}

impl Scene {
    /// A folder with a release, and a command as somebody would write it for a shell.
    async fn set(line: &str) -> Self {
        let place = TempDir::new().expect("a temporary folder");
        let folder = Folder::new(place.path().join("site"), 3).expect("the folder can be resolved");
        let settings = TargetSettings {
            kind: TargetKind::Command,
            backoff_initial_ms: 1,
            attempts: 1,
            command: CommandSettings { shell: line.to_owned(), ..CommandSettings::default() },
            ..TargetSettings::default()
        };
        let scene = Self { place, folder, settings };
        scene.release(7, 2).await;
        scene
    }

    async fn release(&self, position: u64, artworks: u32) {
        let site = sample::site((0..artworks).map(sample::artwork).collect());
        self.folder.deploy(position, site, Compare::Since(None), from_bucket).await.expect("deployed");
    }

    async fn bring(&self) -> Result<Brought, TargetError> {
        let target =
            Target::new(&self.settings, &atelier_events::blobs::StoreSettings::default(), "https://art.example")?;
        let brought = target.bring(&self.folder, Look::Changes, || Ok(METADATA.into())).await?;
        Ok(brought.expect("there is a release"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn written(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

fn is_alive(pid: &str) -> bool {
    // One that has ended and that nobody has asked about yet is dead, too.
    fs::read_to_string(Path::new("/proc").join(pid).join("stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| !rest.starts_with(" Z")))
}

#[tokio::test]
async fn a_command_is_told_which_release_it_is_where_it_lies_and_what_it_shows() {
    let mut scene = Scene::set("").await;
    let out = scene.path("copy");
    scene.settings.command.shell = format!(
        "pwd > here; printf '%s ' \"$ATELIER_SITE_RELEASE\" \"$ATELIER_SITE_POSITION\" \"$ATELIER_SITE_URL\" > told; \
         cp -r \"$ATELIER_SITE_DIR\" {}; cp \"$ATELIER_GALLERY_METADATA\" metadata",
        out.display()
    );
    scene.settings.command.working_dir = scene.place.path().to_owned();
    let brought = scene.bring().await.expect("it succeeds");
    assert_eq!(scene.written("told"), "1 7 https://art.example/ ");
    assert_eq!(Path::new(scene.written("here").trim()), fs::canonicalize(scene.place.path()).expect("it is there"));
    assert_eq!(scene.written("metadata"), METADATA);
    let live = files(&scene.path("site"));
    assert!(files(&out) == live);
    assert_eq!((brought.changed, brought.number, brought.files), (true, 1, live.len() as u64));
}

#[tokio::test]
async fn a_command_runs_once_for_a_release_and_in_its_folder() {
    let mut scene = Scene::set("").await;
    let runs = scene.path("runs");
    scene.settings.command = CommandSettings {
        run: ["sh", "-c", "pwd >> \"$1\"; test -f index.html", "sh", runs.to_str().expect("UTF-8")]
            .map(str::to_owned)
            .into(),
        ..CommandSettings::default()
    };
    assert!(scene.bring().await.expect("it succeeds").changed);
    assert!(!scene.bring().await.expect("it succeeds").changed);
    scene.release(8, 3).await;
    let brought = scene.bring().await.expect("it succeeds");
    assert!(brought.changed && brought.files < files(&scene.path("site")).len() as u64, "what has changed is counted");
    let runs = scene.written("runs");
    let folders: Vec<&str> = runs.lines().collect();
    assert_eq!(folders.len(), 2, "{folders:?}");
    assert!(folders[0].ends_with("-0000000001") && folders[1].ends_with("-0000000002"), "{folders:?}");
}

#[tokio::test]
async fn a_command_that_fails_says_why_and_is_tried_again() {
    let mut scene = Scene::set("for line in $(seq 1 30); do echo line $line; done; echo 'disk full' >&2; exit 3").await;
    let failed = scene.bring().await.expect_err("it fails").to_string();
    assert!(failed.contains("exit status 3") && failed.contains("disk full"), "{failed}");
    assert!(failed.contains("line 30") && !failed.contains("line 5\n"), "its last lines: {failed}");

    let tries = scene.path("tries");
    scene.settings.attempts = 3;
    scene.settings.command.shell = format!("echo once >> {0}; test $(wc -l < {0}) -eq 3", tries.display());
    assert!(scene.bring().await.expect("the third time it succeeds").changed);
    assert_eq!(scene.written("tries").lines().count(), 3);

    scene.settings.command.shell = "kill -9 $$".to_owned();
    scene.settings.attempts = 1;
    scene.release(8, 3).await;
    let failed = scene.bring().await.expect_err("it fails").to_string();
    assert!(failed.contains("signal 9"), "{failed}");
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_killed_with_all_that_it_has_started() {
    let mut scene = Scene::set("").await;
    let pids = scene.path("pids");
    scene.settings.command.shell = format!("sleep 600 & echo $! $$ > {}; echo waiting; wait", pids.display());
    scene.settings.timeout_ms = 1_500;
    let failed = scene.bring().await.expect_err("it takes too long").to_string();
    assert!(failed.contains("timeout_ms") && failed.contains("waiting"), "{failed}");
    let pids = scene.written("pids");
    assert_eq!(pids.split_whitespace().count(), 2, "{pids}");
    for pid in pids.split_whitespace() {
        atelier_e2e::until("it is dead", async || Ok(!is_alive(pid))).await.expect("the group is killed");
    }
}

#[tokio::test]
async fn a_daemon_that_gives_up_leaves_nothing_running() {
    let mut scene = Scene::set("").await;
    let pids = scene.path("pids");
    scene.settings.command.shell = format!("sleep 600 & echo $! > {}; wait", pids.display());
    let has_begun = async {
        atelier_e2e::until("it runs", async || Ok(scene.written("pids").ends_with('\n'))).await.expect("it starts");
    };
    tokio::select! {
        brought = scene.bring() => panic!("it never ends: {brought:?}"),
        () = has_begun => {}
    }
    let pid = scene.written("pids");
    atelier_e2e::until("it is dead", async || Ok(!is_alive(pid.trim()))).await.expect("the group is killed");
}

#[tokio::test]
async fn what_a_command_leaves_behind_ends_with_it() {
    let mut scene = Scene::set("").await;
    let pids = scene.path("pids");
    scene.settings.command.shell = format!("sleep 600 & echo $! > {}", pids.display());
    let began = std::time::Instant::now();
    scene.bring().await.expect("it succeeds");
    assert!(began.elapsed() < Duration::from_mins(1), "it is not waited for");
    let pid = scene.written("pids");
    atelier_e2e::until("it is dead", async || Ok(!is_alive(pid.trim()))).await.expect("the group is killed");
}

#[tokio::test]
async fn a_command_that_cannot_be_is_refused_at_the_start() {
    let both = CommandSettings { run: vec!["true".to_owned()], shell: "true".to_owned(), ..CommandSettings::default() };
    for command in [CommandSettings::default(), both] {
        let mut scene = Scene::set("true").await;
        scene.settings.command = command;
        let refused = scene.bring().await;
        assert!(matches!(&refused, Err(TargetError::Settings(said)) if said.contains("either `run`")), "{refused:?}");
    }
    let mut scene = Scene::set("").await;
    scene.settings.command = CommandSettings { run: vec!["/nowhere/at-all".to_owned()], ..CommandSettings::default() };
    let refused = scene.bring().await;
    assert!(matches!(&refused, Err(TargetError::Start { .. })), "{refused:?}");
}
