//! A set is cut once by one recipe, and again by another.

use std::collections::BTreeSet;

use anyhow::Context as _;
use atelier_events::variant::Rendered;
use atelier_events::{VariantState, keys};
use atelier_runtime::Outcome;
use atelier_thumbnails::settings::Settings;

use crate::fixtures::{jpeg, png, scene};
use crate::stage::{Stage, rendered};

fn keys_of(set: &Rendered) -> BTreeSet<String> {
    set.renditions.iter().map(|rendition| rendition.blob.key.clone()).collect()
}

/// Settings that make other files than the defaults.
fn other() -> Settings {
    let mut settings = Settings::default();
    settings.thumbnails.display_quality = 60;
    settings
}

#[tokio::test]
async fn a_set_that_an_attempt_left_whole_is_named_and_not_cut_again() -> anyhow::Result<()> {
    let stage = Stage::begin().await?;
    let event = stage.uploaded("photo.jpg", &jpeg(&scene(800, 600))).await?;
    let settings = Settings::default();
    // The attempt ends between the bucket and the log: nothing of what it has to tell is settled.
    let first = rendered(stage.run_with(&settings, &event).await?)?;
    let second = rendered(stage.run_without_workers(&settings, &event).await?)?;
    assert_eq!(second, first);
    Ok(())
}

#[tokio::test]
async fn every_key_names_the_original_and_the_recipe() -> anyhow::Result<()> {
    let stage = Stage::begin().await?;
    let event = stage.uploaded("photo.jpg", &jpeg(&scene(800, 600))).await?;
    let set = rendered(stage.run_with(&Settings::default(), &event).await?)?;
    let recipe = Settings::default().recipe_hash("ann");
    assert_eq!(set.recipe_hash.as_deref(), Some(recipe.as_str()));
    for key in keys_of(&set) {
        assert!(key.contains(&format!("-{}-{recipe}.", &set.original.sha256[..16])), "{key}");
    }
    Ok(())
}

#[tokio::test]
async fn a_recut_by_the_same_recipe_cuts_nothing_and_says_nothing() -> anyhow::Result<()> {
    let stage = Stage::begin().await?;
    let settings = Settings::default();
    let event = stage.uploaded("photo.jpg", &jpeg(&scene(800, 600))).await?;
    stage.settle(&event, stage.run_with(&settings, &event).await?).await?;
    let asked = stage.recut_requested(&event).await?;
    let outcome = stage.run_without_workers(&settings, &asked).await?;
    assert!(matches!(&outcome, Outcome::Completed(writes) if writes.is_empty()), "{outcome:?}");
    Ok(())
}

#[tokio::test]
async fn a_recut_by_another_recipe_takes_the_place_of_the_old_set_and_touches_none_of_its_files() -> anyhow::Result<()>
{
    let stage = Stage::begin().await?;
    let event = stage.uploaded("photo.jpg", &jpeg(&scene(800, 600))).await?;
    stage.settle(&event, stage.run_with(&Settings::default(), &event).await?).await?;
    let old = stage.variant(&event).await?.rendered.context("cut")?;

    let asked = stage.recut_requested(&event).await?;
    let asked_for = stage.variant(&event).await?;
    assert_eq!((asked_for.state, asked_for.rendered.as_ref()), (VariantState::Completed, Some(&old)), "it is shown on");
    stage.settle(&asked, stage.run_with(&other(), &asked).await?).await?;
    let new = stage.variant(&event).await?.rendered.context("cut")?;
    assert_eq!(new.original, old.original);
    assert_eq!(new.recipe_hash, Some(other().recipe_hash("ann")));
    assert!(keys_of(&new).is_disjoint(&keys_of(&old)));
    for set in [&old, &new] {
        for rendition in &set.renditions {
            let found = stage.bucket.blobs.digest(&rendition.blob.key).await?;
            assert_eq!(found, Some((rendition.blob.sha256.clone(), rendition.blob.length)), "{}", rendition.blob.key);
        }
    }

    // The settings go back: that set is there still.
    let asked = stage.recut_requested(&event).await?;
    let outcome = stage.run_without_workers(&Settings::default(), &asked).await?;
    stage.settle(&asked, outcome).await?;
    assert_eq!(stage.variant(&event).await?.rendered, Some(old));
    Ok(())
}

#[tokio::test]
async fn a_set_that_lacks_a_file_or_its_manifest_is_cut_again() -> anyhow::Result<()> {
    let stage = Stage::begin().await?;
    let settings = Settings::default();
    let event = stage.uploaded("photo.jpg", &jpeg(&scene(800, 600))).await?;
    stage.settle(&event, stage.run_with(&settings, &event).await?).await?;
    let set = stage.variant(&event).await?.rendered.context("cut")?;
    let file = keys_of(&set).pop_last().context("a file")?;
    let manifest = keys::manifest_of(&file).context("a manifest")?;
    for gone in [file, manifest] {
        stage.bucket.blobs.delete(&gone).await?;
        let asked = stage.recut_requested(&event).await?;
        stage.run_without_workers(&settings, &asked).await.expect_err("it has to be cut");
        let outcome = stage.run_with(&settings, &asked).await?;
        assert!(matches!(&outcome, Outcome::Completed(writes) if writes.is_empty()), "the same again: {outcome:?}");
        assert!(stage.bucket.blobs.head(&gone).await?.is_some(), "{gone} is there again");
    }
    Ok(())
}

#[tokio::test]
async fn a_recut_that_is_refused_leaves_what_is_shown() -> anyhow::Result<()> {
    let stage = Stage::begin().await?;
    let event = stage.uploaded("photo.jpg", &jpeg(&scene(800, 600))).await?;
    stage.settle(&event, stage.run_with(&Settings::default(), &event).await?).await?;
    let before = stage.variant(&event).await?;
    let mut strict = other();
    strict.thumbnails.limits.max_area_px = 100;
    let asked = stage.recut_requested(&event).await?;
    let outcome = stage.run_with(&strict, &asked).await?;
    assert!(matches!(&outcome, Outcome::Discarded(why) if why.contains("at most 100 are allowed")), "{outcome:?}");
    stage.settle(&asked, outcome).await?;
    assert_eq!(stage.variant(&event).await?, before);
    Ok(())
}

#[tokio::test]
async fn an_upload_that_was_refused_is_cut_once_the_limits_allow_it() -> anyhow::Result<()> {
    let stage = Stage::begin().await?;
    let mut strict = Settings::default();
    strict.thumbnails.limits.max_area_px = 100;
    let event = stage.uploaded("drawing.png", &png(scene(64, 48))).await?;
    stage.settle(&event, stage.run_with(&strict, &event).await?).await?;
    assert_eq!(stage.variant(&event).await?.state, VariantState::Failed);
    let asked = stage.recut_requested(&event).await?;
    assert_eq!(stage.variant(&event).await?.state, VariantState::Processing);
    stage.settle(&asked, stage.run_with(&Settings::default(), &asked).await?).await?;
    assert_eq!(stage.variant(&event).await?.state, VariantState::Completed);
    Ok(())
}
