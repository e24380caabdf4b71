//! A dry run says what a replay would change, row by row, and changes nothing.

use atelier_e2e::Bucket;
use atelier_events::VariantId;
use atelier_index::{ReplayError, digests, dry_run};

use crate::commands::{atelier_index, output};
use crate::story::{Story, by_chance, titled};

#[tokio::test]
async fn a_dry_run_swaps_nothing_and_reports_missing_extra_and_edited_rows_by_their_keys() -> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    by_chance(&story, 41, 80).await?;
    let (edited, variant) = story.complete(titled("Harbour")).await?;
    let (gone, _) = story.complete(titled("Lighthouse")).await?;
    story.read_model().await?;
    let same = output(atelier_index(&story, &bucket, &["replay", "--dry-run"])).await?;
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    assert!(String::from_utf8_lossy(&same.stdout).starts_with("no difference"), "{same:?}");

    let other = VariantId::new();
    sqlx::query("update read.artworks set title = 'Stolen' where id = $1").bind(edited.0).execute(story.pool()).await?;
    sqlx::query("delete from read.artworks where id = $1").bind(gone.0).execute(story.pool()).await?;
    sqlx::query("insert into read.lineage values ($1, $2, 'forked')")
        .bind(other.0)
        .bind(variant.0)
        .execute(story.pool())
        .await?;
    let before = digests(story.pool(), "read").await?;
    let run = output(atelier_index(&story, &bucket, &["replay", "--dry-run", "--json"])).await?;
    assert_eq!(run.status.code(), Some(3), "{run:?}");
    let compared: serde_json::Value = serde_json::from_slice(&run.stdout)?;
    assert_eq!(compared["outcome"], "compared");
    let differing = compared["differing"].as_object().expect("an object by table");
    assert_eq!(differing.keys().collect::<Vec<_>>(), ["artworks", "lineage"]);
    let expected = serde_json::json!({
        "missing": 1, "extra": 0, "different": 1,
        "missing_keys": [gone], "extra_keys": [], "different_keys": [edited],
    });
    assert_eq!(differing["artworks"], expected);
    assert_eq!(differing["lineage"]["extra_keys"], serde_json::json!([format!("{other} forked {variant}")]));
    assert_eq!(digests(story.pool(), "read").await?, before);
    let left: bool =
        sqlx::query_scalar("select to_regnamespace('read_next') is not null").fetch_one(story.pool()).await?;
    assert!(!left, "a dry run leaves something behind");

    let told = output(atelier_index(&story, &bucket, &["replay", "--dry-run"])).await?;
    let told = String::from_utf8(told.stdout)?;
    assert!(told.contains(&format!("artworks: 1 missing ({gone})")), "{told}");
    Ok(())
}

#[tokio::test]
async fn a_dry_run_is_made_where_the_live_read_model_is_even_when_that_is_behind() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let error = dry_run(&story.log, atelier_index::Options::default(), |_| {}).await;
    assert!(matches!(error, Err(ReplayError::NoLive)), "{error:?}");
    by_chance(&story, 43, 60).await?;
    story.read_model().await?;
    let behind = story.log.head().await?;
    by_chance(&story, 44, 60).await?;
    let compared = dry_run(&story.log, atelier_index::Options::default(), |_| {}).await?;
    assert_eq!((compared.position, compared.differing), (behind, [].into()));
    Ok(())
}
