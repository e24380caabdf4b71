//! A release is told of once the target has it, and not before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use atelier_events::settings::load_from;
use atelier_site::publication::Publication;
use atelier_site::release::Folder;
use atelier_site::settings::{Settings, SiteSettings};
use atelier_site::target::settings::{CommandSettings, TargetKind, TargetSettings};

use crate::kept::{ARTWORKS, gallery};
use crate::publishes::{Scene, run, told};

/// Notes each run; succeeds while there is no file `broken`.
fn settings(scene: &Scene) -> SiteSettings {
    let at = scene.folder.path().display();
    let command = CommandSettings {
        shell: format!(
            "echo $ATELIER_SITE_RELEASE >> {at}/runs && cp $ATELIER_GALLERY_METADATA {at}/metadata && test ! -e {at}/broken"
        ),
        ..CommandSettings::default()
    };
    let target = TargetSettings { kind: TargetKind::Command, attempts: 1, command, ..TargetSettings::default() };
    SiteSettings { target: Box::new(target), ..scene.settings() }
}

fn publication(scene: &Scene) -> anyhow::Result<Publication> {
    let settings = settings(scene);
    let target = settings.target(&scene.bucket.settings)?;
    Ok(Publication::new(scene.database.log(), scene.bucket.blobs.clone(), settings)?.brought_to(target))
}

fn runs(scene: &Scene) -> Vec<u64> {
    let runs = std::fs::read_to_string(scene.folder.path().join("runs")).unwrap_or_default();
    runs.lines().map(|line| line.parse().expect("a number")).collect()
}

fn broken(scene: &Scene) -> PathBuf {
    scene.folder.path().join("broken")
}

#[tokio::test]
async fn a_target_that_fails_is_tried_again_and_told_of_when_it_has_the_release() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    std::fs::write(broken(&scene), "")?;
    let mut publication = publication(&scene)?;
    let failed = run(&mut publication, &log).await.expect_err("the target fails");
    assert!(format!("{failed:#}").contains("exit status 1"), "{failed:#}");
    assert!(told(&log).await?.is_empty());
    std::fs::remove_file(broken(&scene))?;
    for _ in 0..2 {
        run(&mut publication, &log).await?;
    }
    let told = told(&log).await?;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].artworks, told[0].files_written), (ARTWORKS as u64, told[0].files), "what the release wrote");
    assert_eq!(told[0].url, format!("{}/", scene.settings().base_url));
    assert_eq!(runs(&scene), [1, 1]);
    Ok(())
}

#[tokio::test]
async fn what_the_target_has_and_nobody_was_told_of_is_told_at_the_next_start() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    // As a crash between the two: the target has it, and the log never hears of it.
    let refuse = "create function refuse() returns trigger language plpgsql as \
                  $$ begin raise exception 'the daemon is dead by now'; end $$;
                  create trigger refuse before insert on events for each row when (new.type = 'site.deployed') \
                  execute function refuse();";
    sqlx::raw_sql(refuse).execute(&scene.database.pool).await?;
    run(&mut publication(&scene)?, &log).await.expect_err("it cannot be told");
    assert_eq!((runs(&scene), told(&log).await?.len()), (vec![1], 0));
    sqlx::raw_sql("drop trigger refuse on events").execute(&scene.database.pool).await?;
    for _ in 0..2 {
        run(&mut publication(&scene)?, &log).await?;
    }
    assert_eq!((runs(&scene), told(&log).await?.len()), (vec![1], 1), "the target is left alone");
    Ok(())
}

#[tokio::test]
async fn a_front_end_is_built_from_what_the_release_shows() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    run(&mut publication(&scene)?, &log).await?;
    let text = std::fs::read(scene.folder.path().join("metadata"))?;
    let metadata: atelier_events::gallery_metadata::GalleryMetadata = serde_json::from_slice(&text)?;
    assert_eq!(metadata.artworks.len(), ARTWORKS);
    assert!(metadata.last_updated.is_some());
    for entry in &metadata.artworks {
        let images = &entry.images;
        for image in [&images.image_url, &images.thumbnail_url, &images.icon_url, &images.preview_url] {
            let image = image.as_ref().expect("all are cut");
            assert!(scene.settings().dir.join(image).is_file(), "{image} lies in the release");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_target_of_which_nothing_was_told_has_the_release_after_the_next_start() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    let mut folder_alone = Publication::new(log.clone(), scene.bucket.blobs.clone(), scene.settings())?;
    run(&mut folder_alone, &log).await?;
    run(&mut publication(&scene)?, &log).await?;
    assert_eq!((runs(&scene), told(&log).await?.len()), (vec![1], 1), "it is the release that was told of");
    Ok(())
}

#[tokio::test]
async fn what_was_gone_back_from_is_published_by_a_daemon_that_starts_afterwards() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    let log = scene.database.log();
    run(&mut publication(&scene)?, &log).await?;
    gallery(&log, &scene.bucket.blobs).await?;
    run(&mut publication(&scene)?, &log).await?;
    let folder: Folder = scene.settings().folder()?;
    folder.roll_back(None).await?;
    // Both with a target and without: the log says that the newer release is live.
    let mut folder_alone = Publication::new(log.clone(), scene.bucket.blobs.clone(), scene.settings())?;
    run(&mut folder_alone, &log).await?;
    assert_eq!(folder.live()?.map(|release| (release.number, release.artworks)), Some((4, 2 * ARTWORKS as u64)));
    folder.roll_back(Some(3)).await?;
    let mut publication = publication(&scene)?;
    publication.bring_live().await?;
    run(&mut publication, &log).await?;
    assert_eq!(runs(&scene), [1, 2, 5, 6]);
    Ok(())
}

#[test]
fn the_environment_can_say_everything_about_a_target() -> anyhow::Result<()> {
    let environment = [
        ("KIND", "workers"),
        ("TIMEOUT_MS", "1000"),
        ("ATTEMPTS", "2"),
        ("WORKERS__ACCOUNT_ID", "0123"),
        ("WORKERS__MAX_FILES", "7"),
        ("BUCKET__PATH_STYLE", "false"),
        ("COMMAND__SHELL", "echo a, b"),
    ];
    let environment = environment.map(|(key, value)| (format!("ATELIER__SITE__TARGET__{key}"), value.to_owned()));
    let folder = tempfile::tempdir()?;
    let token = folder.path().join("token");
    std::fs::write(&token, "0e1\n")?;
    let file = ("ATELIER__SITE__TARGET__WORKERS__API_TOKEN_FILE".to_owned(), token.display().to_string());
    let environment: BTreeMap<String, String> = environment.into_iter().chain([file]).collect();
    let target = load_from::<Settings>(None::<&Path>, environment)?.site.target;
    assert_eq!((target.kind, target.timeout_ms, target.attempts), (TargetKind::Workers, 1000, 2));
    assert_eq!((target.workers.account_id.as_str(), target.workers.max_files), ("0123", 7));
    assert_eq!((target.workers.api_token.as_str(), target.bucket.path_style), ("0e1", false));
    assert_eq!(target.command.shell, "echo a, b");
    assert!(!format!("{target:?}").contains("0e1"), "secrets are not shown");
    let unknown = [("ATELIER__SITE__TARGET__BUCKET__ACL".to_owned(), "public".to_owned())];
    assert!(load_from::<Settings>(None::<&Path>, unknown).is_err());
    Ok(())
}
