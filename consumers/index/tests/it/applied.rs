//! Every event type comes into the read model, and says there what the folds say.

use atelier_events::export::Selection;
use atelier_events::{
    Artwork, ArtworkId, Details, Event, ExportId, Lineage, Position, Relation, Status, Stream, VariantId,
};
use atelier_index::{ReadModel, compare};
use sqlx::types::Uuid;
use sqlx::{Connection as _, PgConnection, Row};

use crate::story::{
    Story, by_chance, catch_up, created, deployed, export_completed, export_expired, export_failed, export_requested,
    failed, generated, published, recipe, rendered, requested, started, taken_back, titled, uploaded,
};

/// State of the variant and status of its artwork, the variant's failure and cost, whether it was started and finished.
type Seen = (String, String, Option<String>, Option<i64>, bool, bool);

/// Id, state, pictures, error and whether it goes on.
type ExportSeen = (Uuid, String, Option<i64>, Option<String>, bool);

#[tokio::test]
async fn an_upload_goes_from_processing_to_active_with_its_renditions() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let details = Details {
        tags: vec!["sea".to_owned(), "night".to_owned()],
        materials: Some("oil".to_owned()),
        created_on: Some(time::Date::from_calendar_date(2024, time::Month::February, 29)?),
        source_url: Some("https://post.example/1".to_owned()),
        featured: true,
        ..titled("Harbour")
    };
    let (artwork, variant) = (atelier_events::ArtworkId::new(), VariantId::new());
    let stream = Stream::artwork(artwork);
    let events = vec![created(artwork, details), uploaded(artwork, variant)];
    story.tell(stream.clone(), events).await?;
    story.read_model().await?;
    let row = sqlx::query("select status, cover_variant from read.artworks").fetch_one(story.pool()).await?;
    assert_eq!(row.try_get::<String, _>("status")?, "processing");
    assert_eq!(row.try_get::<Option<Uuid>, _>("cover_variant")?, None);

    let ready = story.tell(stream, vec![rendered(variant, 7)]).await?;
    story.read_model().await?;
    let row = sqlx::query("select *, created_on::text as day from read.artworks").fetch_one(story.pool()).await?;
    assert_eq!(row.try_get::<String, _>("status")?, "active");
    assert_eq!(row.try_get::<Uuid, _>("cover_variant")?, variant.0);
    assert_eq!(row.try_get::<Position, _>("created_position")?, Position(1));
    assert_eq!(row.try_get::<Position, _>("ready_position")?, ready);
    assert_eq!(row.try_get::<Position, _>("shown_position")?, ready);
    assert_eq!(row.try_get::<Vec<String>, _>("tags")?, ["sea", "night"]);
    assert_eq!(row.try_get::<String, _>("day")?, "2024-02-29");
    assert_eq!(row.try_get::<Option<String>, _>("source_url")?.as_deref(), Some("https://post.example/1"));
    assert!(row.try_get::<bool, _>("featured")?);
    assert_eq!(row.try_get::<Option<Position>, _>("published_position")?, None);

    let row = sqlx::query("select * from read.variants").fetch_one(story.pool()).await?;
    assert_eq!(row.try_get::<String, _>("state")?, "completed");
    assert_eq!(row.try_get::<i64, _>("original_length")?, 7);
    assert_eq!(row.try_get::<i64, _>("source_width")?, 300);
    let palette: serde_json::Value = row.try_get("palette")?;
    let expected = [("#102030", 612), ("#a0b0c0", 388)];
    let expected = expected.map(|(colour, per_mille)| serde_json::json!({ "colour": colour, "per_mille": per_mille }));
    assert_eq!(palette, serde_json::json!(expected));
    assert_eq!(row.try_get::<Option<String>, _>("filename")?.as_deref(), Some("a.png"));
    let kinds: Vec<String> =
        sqlx::query_scalar("select kind from read.renditions order by kind").fetch_all(story.pool()).await?;
    assert_eq!(kinds, ["display", "icon", "preview", "thumb"]);
    Ok(())
}

#[tokio::test]
async fn a_generation_shows_its_recipe_lineage_cost_and_failure() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let (artwork, first) = story.complete(titled("Harbour")).await?;
    let second = VariantId::new();
    let lineage = vec![Lineage { parent: first, relation: Relation::Refined }];
    let stream = Stream::artwork(artwork);
    story.tell(stream.clone(), vec![requested(artwork, second, recipe("in the rain"), lineage)]).await?;
    let seen = async || -> anyhow::Result<Seen> {
        story.read_model().await?;
        let statement = "select v.state, a.status, v.failure_error, v.cost_micros, v.started_at is not null, \
                         v.finished_at is not null from read.variants v join read.artworks a on a.id = v.artwork_id \
                         where v.id = $1";
        Ok(sqlx::query_as(statement).bind(second.0).fetch_one(story.pool()).await?)
    };
    let of = |state: &str, error: Option<&str>, cost, started, finished| {
        (state.to_owned(), "active".to_owned(), error.map(str::to_owned), cost, started, finished)
    };
    assert_eq!(seen().await?, of("pending", None, None, false, false));
    story.tell(stream.clone(), vec![started(second)]).await?;
    assert_eq!(seen().await?, of("processing", None, None, true, false));
    story.tell(stream.clone(), vec![failed(second, "no paint")]).await?;
    assert_eq!(seen().await?, of("failed", Some("no paint"), None, true, true));
    story.tell(stream.clone(), vec![started(second), generated(second)]).await?;
    assert_eq!(seen().await?, of("processing", None, Some(34), true, false));
    story.tell(stream.clone(), vec![rendered(second, 1)]).await?;
    assert_eq!(seen().await?, of("completed", None, Some(34), true, true));
    // An outcome that comes late is no news.
    story.tell(stream, vec![failed(second, "too late")]).await?;
    assert_eq!(seen().await?, of("completed", None, Some(34), true, true));

    let recipe: (String, String, String, i64, serde_json::Value) =
        sqlx::query_as("select provider, prompt, seed, width, params from read.variants where id = $1")
            .bind(second.0)
            .fetch_one(story.pool())
            .await?;
    let params = serde_json::json!({ "style": "ink" });
    assert_eq!(recipe, ("sketch".to_owned(), "in the rain".to_owned(), u64::MAX.to_string(), 640, params));
    let lineage: Vec<(Uuid, Uuid, String)> =
        sqlx::query_as("select variant_id, parent, relation from read.lineage").fetch_all(story.pool()).await?;
    assert_eq!(lineage, [(second.0, first.0, "refined".to_owned())]);
    let cover: (Uuid, String) =
        sqlx::query_as("select cover_variant, prompt from read.artworks").fetch_one(story.pool()).await?;
    assert_eq!(cover, (second.0, "in the rain".to_owned()));
    Ok(())
}

#[tokio::test]
async fn what_is_taken_back_in_is_as_old_as_it_was_and_the_newest_of_it_is_the_cover() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let (artwork, newer, older) = (ArtworkId::new(), VariantId::new(), VariantId::new());
    let stream = Stream::artwork(artwork);
    story.tell(stream.clone(), vec![created(artwork, titled("Harbour"))]).await?;
    for (variant, year, prompt) in [(newer, 2019, "in oil"), (older, 2018, "in ink")] {
        story.tell(stream.clone(), vec![taken_back(artwork, variant, year, prompt), rendered(variant, 7)]).await?;
    }
    story.read_model().await?;
    let cover: (Uuid, String) =
        sqlx::query_as("select cover_variant, prompt from read.artworks").fetch_one(story.pool()).await?;
    assert_eq!(cover, (newer.0, "in oil".to_owned()));
    let variants: Vec<(Uuid, i32, Option<String>)> = sqlx::query_as(
        "select id, extract(year from requested_at at time zone 'utc')::int, filename from read.variants
         order by requested_at, id",
    )
    .fetch_all(story.pool())
    .await?;
    assert_eq!(variants, [(older.0, 2018, None), (newer.0, 2019, None)]);
    Ok(())
}

#[tokio::test]
async fn exports_end_and_stay_complete() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let [pending, done, gone, over] = [ExportId::new(), ExportId::new(), ExportId::new(), ExportId::new()];
    for export in [pending, done, gone, over] {
        story.tell(Stream::export(export), vec![export_requested(export, Selection::Artworks(Vec::new()))]).await?;
    }
    story.tell(Stream::export(done), vec![export_completed(done), export_failed(done)]).await?;
    story.tell(Stream::export(gone), vec![export_failed(gone)]).await?;
    let ended = vec![export_completed(over), export_expired(over), export_failed(over)];
    story.tell(Stream::export(over), ended).await?;
    story.read_model().await?;
    let held: Vec<String> =
        sqlx::query_scalar("select distinct variants from read.exports").fetch_all(story.pool()).await?;
    assert_eq!(held, ["all"]);
    let rows: Vec<ExportSeen> =
        sqlx::query_as("select id, state, pictures, error, finished_at is null from read.exports order by position")
            .fetch_all(story.pool())
            .await?;
    assert_eq!(
        rows,
        [
            (pending.0, "pending".to_owned(), None, None, true),
            (done.0, "completed".to_owned(), Some(3), None, false),
            (gone.0, "failed".to_owned(), None, Some("nothing to export".to_owned()), false),
            (over.0, "expired".to_owned(), Some(3), None, false),
        ]
    );
    Ok(())
}

#[tokio::test]
async fn an_artwork_is_published_when_that_is_told_and_the_live_release_never_goes_back() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let (one, _) = story.complete(titled("First")).await?;
    let first = story.log.head().await?;
    let (other, _) = story.complete(titled("Second")).await?;
    let second = story.log.head().await?;
    story.tell(Stream::site("gallery"), vec![deployed(first)]).await?;
    let shown = async || -> anyhow::Result<(Vec<Option<Position>>, Position)> {
        story.read_model().await?;
        let works = sqlx::query_scalar("select published_position from read.artworks order by created_position");
        let live = sqlx::query_scalar("select position from read.site").fetch_one(story.pool()).await?;
        Ok((works.fetch_all(story.pool()).await?, live))
    };
    assert_eq!(shown().await?, (vec![None, None], first), "a release alone says nothing of an artwork");
    story.tell(Stream::artwork(one), vec![published(one, first)]).await?;
    assert_eq!(shown().await?, (vec![Some(first), None], first));
    story.tell(Stream::site("gallery"), vec![deployed(second), deployed(first)]).await?;
    story.tell(Stream::artwork(other), vec![published(other, second)]).await?;
    assert_eq!(shown().await?, (vec![Some(first), Some(second)], second));
    // It was not to be seen for a while, and came back.
    let third = story.log.head().await?;
    story.tell(Stream::artwork(one), vec![published(one, third)]).await?;
    assert_eq!(shown().await?, (vec![Some(third), Some(second)], second));
    Ok(())
}

#[tokio::test]
async fn an_artwork_without_a_complete_variant_is_not_published_whatever_is_told() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let artwork = ArtworkId::new();
    story
        .tell(Stream::artwork(artwork), vec![created(artwork, titled("Sketch")), published(artwork, Position(1))])
        .await?;
    story.read_model().await?;
    let position: Option<Position> =
        sqlx::query_scalar("select published_position from read.artworks").fetch_one(story.pool()).await?;
    assert_eq!(position, None);
    Ok(())
}

#[tokio::test]
async fn renditions_that_are_cut_again_replace_the_old_ones() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let (artwork, variant) = story.complete(titled("Harbour")).await?;
    let Event::Variant(atelier_events::VariantEvent::Rendered(mut again)) = rendered(variant, 2) else {
        anyhow::bail!("not what was asked for")
    };
    again.renditions.truncate(1);
    again.recipe_hash = Some("0123456789ab".to_owned());
    let event = Event::Variant(atelier_events::VariantEvent::Rendered(again));
    story.read_model().await?;
    story.tell(Stream::artwork(artwork), vec![event]).await?;
    story.read_model().await?;
    let rows: Vec<(String, i64)> =
        sqlx::query_as("select kind, length from read.renditions").fetch_all(story.pool()).await?;
    assert_eq!(rows, [("display".to_owned(), 2)]);
    let recipe: String = sqlx::query_scalar("select recipe_hash from read.variants").fetch_one(story.pool()).await?;
    assert_eq!(recipe, "0123456789ab");
    Ok(())
}

#[tokio::test]
async fn status_and_cover_are_what_the_fold_says_whatever_happens() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let artworks = by_chance(&story, 7, 400).await?;
    story.read_model().await?;
    let mut seen = std::collections::BTreeSet::new();
    for id in artworks {
        let events = story.log.read_stream(&Stream::artwork(id)).await?;
        let artwork = Artwork::of(&events)?.expect("it was created");
        let (status, cover): (String, Option<Uuid>) =
            sqlx::query_as("select status, cover_variant from read.artworks where id = $1")
                .bind(id.0)
                .fetch_one(story.pool())
                .await?;
        assert_eq!(status, artwork.status().as_str());
        assert_eq!(cover, artwork.cover().map(|variant| variant.id.0));
        let variants: Vec<(Uuid, String)> =
            sqlx::query_as("select id, state from read.variants where artwork_id = $1 order by requested_at, id")
                .bind(id.0)
                .fetch_all(story.pool())
                .await?;
        let expected: Vec<(Uuid, String)> =
            artwork.variants.iter().map(|variant| (variant.id.0, variant.state.as_str().to_owned())).collect();
        assert_eq!(variants, expected);
        seen.insert(artwork.status().as_str());
    }
    // The story is long enough to prove something.
    assert!([Status::Active, Status::Failed, Status::Pending].iter().all(|status| seen.contains(status.as_str())));
    Ok(())
}

#[tokio::test]
async fn however_few_artworks_are_kept_in_memory_the_rows_are_the_same() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    by_chance(&story, 17, 400).await?;
    for kept in [0, 1, 7] {
        let mut read_model = ReadModel::open(&story.log).await?.keeping(kept);
        // Batches that end in the middle of what happens to an artwork, and batches of more artworks than are kept.
        catch_up(&mut read_model, &story.log, 5).await?;
        assert_eq!(compare(&story.log, |_| {}).await?.differing, [].into(), "{kept} kept");
        by_chance(&story, 18, 100).await?;
        catch_up(&mut read_model, &story.log, 50).await?;
        assert_eq!(compare(&story.log, |_| {}).await?.differing, [].into(), "{kept} kept");
    }
    Ok(())
}

/// As a database that goes away while a daemon starts.
#[tokio::test]
async fn a_read_model_that_loses_its_database_while_it_is_opened_waits_for_it() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    by_chance(&story, 19, 50).await?;
    let swap_lock = 0x6174_656c_0001_i64;
    let mut gate = PgConnection::connect(&story.database.url).await?;
    sqlx::query("select pg_advisory_lock($1)").bind(swap_lock).execute(&mut gate).await?;
    let log = story.log.clone();
    let opening = tokio::spawn(async move { ReadModel::open(&log).await });
    for _ in 0..3 {
        atelier_e2e::until("its start is cut off", || async {
            let cut = "select pg_terminate_backend(pid) from pg_locks
                       where locktype = 'advisory' and not granted and (classid::bigint << 32) | objid::bigint = $1
                         and database = (select oid from pg_database where datname = current_database())";
            Ok(!sqlx::query(cut).bind(swap_lock).fetch_all(story.pool()).await?.is_empty())
        })
        .await?;
    }
    assert!(!opening.is_finished());
    gate.close().await?;
    let mut read_model = opening.await??;
    catch_up(&mut read_model, &story.log, 100).await?;
    assert_eq!(compare(&story.log, |_| {}).await?.differing, [].into());
    Ok(())
}
