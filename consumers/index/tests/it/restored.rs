//! The last replay made it worse: what was live before is the backup, and can be brought back.

use atelier_e2e::Bucket;
use atelier_index::{Begun, Options, ReplayError, digests, dry_run, replay, replay_with};

use crate::commands::{atelier_index, output};
use crate::story::{Story, by_chance, catch_up, titled};

const BACKUP: Options = Options { from_backup: true, fresh: false };

#[tokio::test]
async fn the_backup_is_brought_up_to_date_and_back_and_doing_it_again_takes_that_back() -> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    by_chance(&story, 51, 150).await?;
    let mut read_model = story.read_model().await?;
    let kept = replay(&story.log, |_| {}).await?.position;
    sqlx::query("update read.artworks set title = 'Worse'").execute(story.pool()).await?;
    story.complete(titled("Since then")).await?;
    by_chance(&story, 52, 50).await?;
    catch_up(&mut read_model, &story.log, 20).await?;
    let worse = digests(story.pool(), "read").await?;

    let compared = dry_run(&story.log, BACKUP, |_| {}).await?;
    assert_eq!(compared.begun, Begun::Backup(kept));
    assert_eq!(compared.differing.keys().collect::<Vec<_>>(), ["artworks"]);
    assert_eq!(digests(story.pool(), "read").await?, worse);

    let run = output(atelier_index(&story, &bucket, &["replay", "--from", "backup", "--json"])).await?;
    let restored: serde_json::Value = serde_json::from_slice(&run.stdout)?;
    assert_eq!(restored["outcome"], "replayed", "{run:?}");
    assert_eq!(restored["position"], story.log.head().await?.0);
    assert_eq!(digests(story.pool(), "read_old").await?, worse);
    assert_eq!(dry_run(&story.log, Options::default(), |_| {}).await?.differing, [].into());

    replay_with(&story.log, BACKUP, |_| {}).await?;
    assert_eq!(digests(story.pool(), "read").await?, worse);
    // The daemon that was running all the time goes on.
    story.complete(titled("After all that")).await?;
    catch_up(&mut read_model, &story.log, 100).await?;
    Ok(())
}

#[tokio::test]
async fn a_backup_that_is_not_there_or_of_another_version_is_refused() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    story.complete(titled("Harbour")).await?;
    story.read_model().await?;
    let error = replay_with(&story.log, BACKUP, |_| {}).await;
    assert!(matches!(error, Err(ReplayError::NoBackup)), "{error:?}");
    replay(&story.log, |_| {}).await?;
    sqlx::query("update read_old.checkpoint set model_version = 1").execute(story.pool()).await?;
    let error = replay_with(&story.log, BACKUP, |_| {}).await.expect_err("it is older").to_string();
    assert!(error.contains("the backup is of version 1"), "{error}");
    Ok(())
}
