//! The read model belongs to the index's role, whoever built it, and the API's role may read it.

use atelier_events::Log;
use atelier_events::connect::database;
use atelier_events::settings::DatabaseSettings;
use atelier_events::signal::Signals;
use atelier_index::{ReadModel, replay};

use crate::story::{Story, catch_up, titled};

/// Who owns the tables of a schema.
const OWNERS: &str = "select distinct tableowner::text from pg_tables where schemaname = $1";

async fn log_of(story: &Story, role: &str) -> anyhow::Result<Log> {
    let settings = DatabaseSettings { url: story.database.login(role).await?, ..story.database.settings() };
    let pool = database(&settings).await?;
    let signals = Signals::start(&pool);
    Ok(Log::start(pool, signals))
}

async fn check_owned(story: &Story, api: &Log) -> anyhow::Result<()> {
    let owners: Vec<String> = sqlx::query_scalar(OWNERS).bind("read").fetch_all(story.pool()).await?;
    assert_eq!(owners, ["atelier_index"]);
    let read: i64 = sqlx::query_scalar("select count(*) from read.artworks").fetch_one(api.pool()).await?;
    assert_eq!(read, sqlx::query_scalar::<_, i64>("select count(*) from read.artworks").fetch_one(story.pool()).await?);
    let changed = sqlx::query("delete from read.artworks").execute(api.pool()).await;
    assert!(changed.is_err_and(|error| error.to_string().contains("permission denied")));
    Ok(())
}

#[tokio::test]
async fn who_replays_last_does_not_matter_to_who_applies_next() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let (index, api) = (log_of(&story, "atelier_index").await?, log_of(&story, "atelier_producer").await?);
    story.complete(titled("First")).await?;
    let mut read_model = ReadModel::open(&index).await?;
    catch_up(&mut read_model, &index, 10).await?;
    check_owned(&story, &api).await?;
    // The owner, the role itself, and the owner again: each drops what the other has left.
    for log in [&story.log, &index, &story.log] {
        replay(log, |_| {}).await?;
        check_owned(&story, &api).await?;
        story.complete(titled("Next")).await?;
        catch_up(&mut read_model, &index, 10).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_was_built_before_there_were_roles_is_handed_over() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    story.complete(titled("Old")).await?;
    drop(story.read_model().await?);
    replay(&story.log, |_| {}).await?;
    let as_before = "do $$ declare statement text; begin
        for statement in
            select format('alter table %I.%I owner to current_user; revoke all on %1$I.%2$I from atelier_producer', schemaname, tablename)
            from pg_tables where schemaname in ('read', 'read_old')
            union all select format('alter schema %I owner to current_user; revoke all on schema %1$I from atelier_producer', nspname)
            from pg_namespace where nspname in ('read', 'read_old')
        loop execute statement; end loop; end $$";
    sqlx::raw_sql(as_before).execute(story.pool()).await?;
    let (index, api) = (log_of(&story, "atelier_index").await?, log_of(&story, "atelier_producer").await?);
    assert!(ReadModel::open(&index).await.is_err(), "it is the owner's");
    sqlx::query("call grant_privileges()").execute(story.pool()).await?;
    check_owned(&story, &api).await?;
    let mut read_model = ReadModel::open(&index).await?;
    story.complete(titled("New")).await?;
    catch_up(&mut read_model, &index, 10).await?;
    replay(&index, |_| {}).await?;
    check_owned(&story, &api).await
}
