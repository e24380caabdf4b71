//! Two versions of the index, of which one knows an event type that the other does not.

use atelier_events::{Position, Stream};
use atelier_index::{Options, ReadModel, digests, replay, replay_with};
use atelier_runtime::Projection;

use crate::story::{Story, catch_up, rendered, titled, uploaded};

/// Gives events of a type another one: what an older or newer version sees. The log refuses that to everyone but the
/// owner of its tables.
async fn rename(story: &Story, from: &str, to: &str) -> anyhow::Result<()> {
    let mut tx = story.pool().begin().await?;
    sqlx::query("alter table events disable trigger append_only").execute(&mut *tx).await?;
    sqlx::query("update events set type = $2 where type = $1").bind(from).bind(to).execute(&mut *tx).await?;
    sqlx::query("alter table events enable trigger append_only").execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

/// A log in which a variant is complete, but for whoever does not know how that is said.
async fn said_in_new_words(story: &Story) -> anyhow::Result<Position> {
    let artwork = atelier_events::ArtworkId::new();
    let variant = atelier_events::VariantId::new();
    let events = vec![crate::story::created(artwork, titled("Harbour")), uploaded(artwork, variant)];
    story.tell(Stream::artwork(artwork), events).await?;
    let position = story.tell(Stream::artwork(artwork), vec![rendered(variant, 1)]).await?;
    rename(story, "variant.rendered", "variant.finished").await?;
    Ok(position)
}

async fn status(story: &Story) -> anyhow::Result<String> {
    Ok(sqlx::query_scalar("select status from read.artworks").fetch_one(story.pool()).await?)
}

#[tokio::test]
async fn a_type_that_nobody_knows_is_passed_over_and_applied_once_a_program_that_knows_it_starts() -> anyhow::Result<()>
{
    let story = Story::begin().await?;
    let passed_over = said_in_new_words(&story).await?;
    let read_model = story.read_model().await?;
    assert_eq!(status(&story).await?, "processing");
    let noted: (String, Position) =
        sqlx::query_as("select type, passed_over from read.vocabulary where not known").fetch_one(story.pool()).await?;
    assert_eq!(noted, ("variant.finished".to_owned(), passed_over));
    drop(read_model);
    // A replay by a program that does not know it either comes to the same.
    let live = digests(story.pool(), "read").await?;
    replay(&story.log, |_| {}).await?;
    assert_eq!(digests(story.pool(), "read").await?, live);
    let noted: Position =
        sqlx::query_scalar("select passed_over from read.vocabulary where not known").fetch_one(story.pool()).await?;
    assert_eq!(noted, passed_over);

    // The next version knows the word.
    rename(&story, "variant.finished", "variant.rendered").await?;
    for schema in ["read", "read_old"] {
        let mut tx = story.pool().begin().await?;
        sqlx::query("select set_config('search_path', $1, true)").bind(schema).execute(&mut *tx).await?;
        let known = "delete from vocabulary where type = 'variant.rendered'";
        sqlx::query(known).execute(&mut *tx).await?;
        let renamed = "update vocabulary set type = 'variant.rendered' where type = 'variant.finished'";
        sqlx::query(renamed).execute(&mut *tx).await?;
        tx.commit().await?;
    }
    let backup = Options { from_backup: true, ..Options::default() };
    let error = replay_with(&story.log, backup, |_| {}).await.expect_err("rows are missing in it").to_string();
    assert!(error.contains("lacks the events of type variant.rendered"), "{error}");
    ReadModel::open(&story.log).await?;
    assert_eq!(status(&story).await?, "active");
    let missing: i64 = sqlx::query_scalar("select count(*) from read.vocabulary where passed_over is not null")
        .fetch_one(story.pool())
        .await?;
    assert_eq!(missing, 0);
    Ok(())
}

#[tokio::test]
async fn a_type_that_another_running_version_knows_is_left_to_that_one() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let mut older = ReadModel::open(&story.log).await?;
    // The newer version has started beside it, and has not come to the event yet.
    sqlx::query("insert into read.vocabulary (type, schema, known) values ('variant.finished', 1, true)")
        .execute(story.pool())
        .await?;
    let position = said_in_new_words(&story).await?;
    let error = catch_up(&mut older, &story.log, 1).await.expect_err("it is not its own");
    assert!(format!("{error:#}").contains("left to a newer atelier-index"), "{error:#}");
    assert_eq!(older.checkpoint().await?, Position(position.0 - 1));
    // The newer one applies it, and the older one goes on after it.
    sqlx::query("update read.checkpoint set position = $1").bind(position).execute(story.pool()).await?;
    story.complete(titled("Lighthouse")).await?;
    catch_up(&mut older, &story.log, 100).await?;
    assert_eq!(older.checkpoint().await?, story.log.head().await?);
    Ok(())
}
