//! A replay that is stopped, however that happens, leaves the live read model as it was, and the next one goes on.

use std::process::{Child, Stdio};
use std::sync::{Mutex, OnceLock};

use anyhow::Context;
use atelier_e2e::{Bucket, until};
use atelier_events::replays::{self, Wanted};
use atelier_events::{Consumer, Position, jobs, keys};
use atelier_index::{Begun, Options, Progress, ReadModel, ReplayError, compare, digests, replay, replay_with};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::commands::{atelier_index, output};
use crate::held::Held;
use crate::story::{OWNER, Story, by_chance, catch_up, titled};

/// The lock that a replay holds.
const REPLAY_LOCK: i64 = 0x6174_656c_0002;

async fn wait_for(child: Child) -> anyhow::Result<(Option<i32>, Value)> {
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
    Ok((output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default()))
}

fn signal(child: &Child, name: &str) -> anyhow::Result<()> {
    let sent = std::process::Command::new("kill").args([name, &child.id().to_string()]).status()?;
    anyhow::ensure!(sent.success(), "kill {name}: {sent}");
    Ok(())
}

/// The next replay, as soon as the server has noticed that the one before is gone.
async fn next(story: &Story, bucket: &Bucket, arguments: &[&str]) -> anyhow::Result<Value> {
    let answer = Mutex::new(Value::Null);
    until("the lock of the replay before is gone", async || {
        let said: Value = serde_json::from_slice(&output(atelier_index(story, bucket, arguments)).await?.stdout)?;
        let done = said["outcome"] != "refused";
        *answer.lock().expect("nobody panics with it") = said;
        Ok(done)
    })
    .await?;
    Ok(answer.into_inner().expect("nobody panics with it"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_was_killed_changes_nothing_and_the_next_goes_on_where_it_stopped() -> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    by_chance(&story, 31, 200).await?;
    story.read_model().await?;
    let (live, head) = (digests(story.pool(), "read").await?, story.log.head().await?);

    let gate = Held::hold(&story).await?;
    let mut killed = atelier_index(&story, &bucket, &["replay", "--json"]).stderr(Stdio::null()).spawn()?;
    gate.reached(&story).await?;
    killed.kill()?;
    killed.wait()?;
    assert_eq!(digests(story.pool(), "read").await?, live);
    gate.release().await?;

    let replayed = next(&story, &bucket, &["replay", "--json"]).await?;
    assert_eq!((&replayed["outcome"], &replayed["begun"]["resumed"]), (&"replayed".into(), &head.0.into()));
    assert_eq!(digests(story.pool(), "read").await?, live);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_was_cancelled_says_so_and_changes_nothing_while_the_index_goes_on() -> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    by_chance(&story, 33, 200).await?;
    let mut read_model = story.read_model().await?;
    let head = story.log.head().await?;

    let gate = Held::hold(&story).await?;
    let mut command = atelier_index(&story, &bucket, &["replay", "--json"]);
    let cancelled = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    gate.reached(&story).await?;
    // A second one is refused, and says why.
    let second = output(atelier_index(&story, &bucket, &["replay"])).await?;
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another replay is running"), "{second:?}");
    // The live read model takes new events meanwhile, and readers see them.
    story.complete(titled("During the replay")).await?;
    catch_up(&mut read_model, &story.log, 100).await?;
    let read: String = sqlx::query_scalar("select title from read.artworks order by created_position desc limit 1")
        .fetch_one(story.pool())
        .await?;
    assert_eq!(read, "During the replay");
    let live = digests(story.pool(), "read").await?;

    signal(&cancelled, "-TERM")?;
    let (code, answer) = wait_for(cancelled).await?;
    assert_eq!(code, Some(130), "{answer}");
    assert_eq!((&answer["outcome"], &answer["head"]), (&"cancelled".into(), &head.0.into()));
    assert_eq!(digests(story.pool(), "read").await?, live);
    gate.release().await?;

    // What came after the load of the cancelled one is caught up with.
    let replayed = next(&story, &bucket, &["replay", "--json"]).await?;
    assert_eq!(replayed["begun"]["resumed"], head.0);
    assert_eq!(replayed["position"], story.log.head().await?.0);
    assert_eq!(digests(story.pool(), "read").await?, live);
    Ok(())
}

/// A replay that is dropped as soon as some of its load is written.
async fn dropped(story: &Story) -> anyhow::Result<Position> {
    let (reached, mut reaching) = tokio::sync::mpsc::unbounded_channel();
    let progress = |progress: Progress| {
        if progress.position > Position(0) {
            // Nobody listens any more once the replay has been left.
            reached.send(progress.position).unwrap_or_default();
        }
    };
    tokio::select! {
        biased;
        Some(position) = reaching.recv() => Ok(position),
        ended = replay(&story.log, progress) => anyhow::bail!("it came to its end: {ended:?}"),
    }
}

async fn until_free(story: &Story, options: Options) -> anyhow::Result<Begun> {
    let begun = OnceLock::new();
    until("the lock of the dropped replay is gone", async || match replay_with(&story.log, options, |_| {}).await {
        Ok(replayed) => Ok(begun.set(replayed.begun).is_ok()),
        Err(ReplayError::Running) => Ok(false),
        Err(error) => Err(error.into()),
    })
    .await?;
    begun.into_inner().context("it has ended")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_was_dropped_in_the_middle_of_its_load_is_gone_on_with() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    by_chance(&story, 35, 300).await?;
    story.read_model().await?;
    let live = digests(story.pool(), "read").await?;
    dropped(&story).await?;
    assert_eq!(digests(story.pool(), "read").await?, live);
    let begun = until_free(&story, Options::default()).await?;
    assert!(matches!(begun, Begun::Resumed(events) if events > 0), "{begun:?}");
    assert_eq!(digests(story.pool(), "read").await?, live);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_definition_has_built_or_nobody_wants_is_not_gone_on_with() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    by_chance(&story, 37, 100).await?;
    story.read_model().await?;
    let live = digests(story.pool(), "read").await?;
    dropped(&story).await?;
    until("nobody is at it any more", async || {
        let changed = "update read_next.shadow set definition = definition || '-- another column'";
        Ok(sqlx::query(changed).execute(story.pool()).await?.rows_affected() == 1)
    })
    .await?;
    assert_eq!(until_free(&story, Options::default()).await?, Begun::StartedOver);
    assert_eq!(digests(story.pool(), "read").await?, live);

    dropped(&story).await?;
    assert_eq!(until_free(&story, Options { fresh: true, ..Options::default() }).await?, Begun::StartedOver);
    assert_eq!(digests(story.pool(), "read").await?, live);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_was_asked_for_goes_live_with_what_came_of_it_or_not_at_all() -> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    by_chance(&story, 45, 100).await?;
    story.read_model().await?;
    replay(&story.log, |_| {}).await?;
    sqlx::query("update read.artworks set title = 'another'").execute(story.pool()).await?;
    let (live, backup) = (digests(story.pool(), "read").await?, digests(story.pool(), "read_old").await?);
    assert_ne!(live, backup);

    // Who says what came of it waits, having swapped all but for the end of its transaction.
    let trigger = "create function wait_to_end() returns trigger language plpgsql as
                       $$ begin perform pg_advisory_xact_lock_shared(43); return new; end $$;
                   create trigger gate before update on replays for each row when (new.ended_at is not null)
                       execute function wait_to_end()";
    sqlx::raw_sql(trigger).execute(story.pool()).await?;
    let mut gate = PgConnection::connect(&story.database.url).await?;
    sqlx::query("select pg_advisory_lock(43)").execute(&mut gate).await?;
    // Going back twice would be to be where one was.
    let wanted = Wanted { from_backup: true, ..Wanted::default() };
    let asked = replays::ask(&story.log, Consumer::Index, wanted, "somebody").await?.context("none is open")?;
    let mut killed = atelier_index(&story, &bucket, &[]).stderr(Stdio::null()).spawn()?;
    let waiting = "select exists (select from pg_locks where locktype = 'advisory' and objid = 43 and not granted
                       and database = (select oid from pg_database where datname = current_database()))";
    let waits = until("the replay is about to go live", async || {
        Ok(sqlx::query_scalar(waiting).fetch_one(story.pool()).await?)
    });
    let waits = waits.await;
    killed.kill()?;
    killed.wait()?;
    waits?;
    gate.close().await?;
    until("the server has noticed that the daemon is gone", async || {
        let silent = "update replays set seen_at = now() - interval '1 minute' where id = $1";
        Ok(sqlx::query(silent).bind(asked.id).execute(story.pool()).await?.rows_affected() == 1)
    })
    .await?;
    assert_eq!(digests(story.pool(), "read").await?, live);
    let left = replays::find(story.pool(), asked.id).await?.context("it is there")?;
    assert_eq!(left.state(), "running");

    let mut daemon = atelier_index(&story, &bucket, &[]).stderr(Stdio::null()).spawn()?;
    let ended = until("the next daemon has done it", async || {
        Ok(replays::find(story.pool(), asked.id).await?.is_some_and(|replay| replay.ended_at.is_some()))
    });
    let ended = ended.await;
    signal(&daemon, "-TERM")?;
    daemon.wait()?;
    ended?;
    let done = replays::find(story.pool(), asked.id).await?.context("it is there")?;
    assert_eq!(done.state(), "done", "{done:?}");
    assert_eq!(digests(story.pool(), "read").await?, backup);
    assert_eq!(digests(story.pool(), "read_old").await?, live);
    Ok(())
}

/// Ends the session that holds the lock of replays, and no other of the same replay.
async fn cut_lock_connection(story: &Story) -> anyhow::Result<()> {
    let cut = "select pg_terminate_backend(pid) from pg_locks
               where locktype = 'advisory' and granted and (classid::bigint << 32) | objid::bigint = $1
                 and database = (select oid from pg_database where datname = current_database())";
    let cut: Vec<bool> = sqlx::query_scalar(cut).bind(REPLAY_LOCK).fetch_all(story.pool()).await?;
    anyhow::ensure!(cut == [true], "{} sessions hold the lock", cut.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_loses_its_lock_s_connection_alone_changes_nothing_and_the_next_goes_on() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    by_chance(&story, 39, 200).await?;
    story.read_model().await?;
    let live = digests(story.pool(), "read").await?;
    let gate = Held::hold(&story).await?;
    let log = story.log.clone();
    let cut = tokio::spawn(async move { replay(&log, |_| {}).await });
    gate.reached(&story).await?;
    cut_lock_connection(&story).await?;
    gate.release().await?;
    let ended = cut.await?;
    assert!(matches!(&ended, Err(ReplayError::Failed(_))), "{ended:?}");
    assert_eq!(digests(story.pool(), "read").await?, live);
    let begun = until_free(&story, Options::default()).await?;
    assert_eq!(begun, Begun::Resumed(story.log.head().await?.0));
    assert_eq!(digests(story.pool(), "read").await?, live);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_has_lost_its_lock_gives_way_to_the_one_that_has_it_and_the_rows_are_right() -> anyhow::Result<()>
{
    let story = Story::begin().await?;
    by_chance(&story, 41, 200).await?;
    story.read_model().await?;
    let live = digests(story.pool(), "read").await?;
    let gate = Held::hold(&story).await?;
    let (log, second_log) = (story.log.clone(), story.log.clone());
    let first = tokio::spawn(async move { replay(&log, |_| {}).await });
    gate.reached(&story).await?;
    cut_lock_connection(&story).await?;
    let second = tokio::spawn(async move {
        loop {
            match replay(&second_log, |_| {}).await {
                // The server has not noticed yet that the session was ended.
                Err(ReplayError::Running) => tokio::task::yield_now().await,
                ended => return ended,
            }
        }
    });
    until("the second waits for what the first has under way", || async {
        let waits = "select exists (select from pg_stat_activity where wait_event_type = 'Lock'
                         and query like '%update shadow%' and datname = current_database())";
        Ok(sqlx::query_scalar(waits).fetch_one(story.pool()).await?)
    })
    .await?;
    gate.release().await?;
    let (first, second) = (first.await?, second.await?);
    assert!(matches!(&first, Err(ReplayError::Failed(_))), "{first:?}");
    assert!(matches!(second.map(|replayed| replayed.begun), Ok(Begun::Resumed(_))));
    assert_eq!(digests(story.pool(), "read").await?, live);
    assert_eq!(compare(&story.log, |_| {}).await?.differing, [].into());
    Ok(())
}

#[tokio::test]
async fn a_reader_that_stays_in_what_was_live_keeps_its_rows_and_holds_up_no_later_replay() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    by_chance(&story, 43, 100).await?;
    story.read_model().await?;
    let live = digests(story.pool(), "read").await?;
    let mut reader = PgConnection::connect(&story.database.url).await?;
    let begin = "begin; declare slow cursor for select id::text from read.artworks order by id; fetch 1 from slow";
    sqlx::raw_sql(begin).execute(&mut reader).await?;
    // Its schema becomes the backup, then what is to be dropped, and stays that.
    for _ in 0..3 {
        replay(&story.log, |_| {}).await?;
        assert_eq!(digests(story.pool(), "read").await?, live);
    }
    replay_with(&story.log, Options { from_backup: true, fresh: false }, |_| {}).await?;
    let rest: Vec<String> = sqlx::query_scalar("fetch all from slow").fetch_all(&mut reader).await?;
    assert_eq!(i64::try_from(rest.len())? + 1, live["artworks"].rows);
    sqlx::query("commit").execute(&mut reader).await?;

    replay(&story.log, |_| {}).await?;
    let gone = "select count(*) from pg_namespace where nspname like 'read\\_gone%'";
    assert_eq!(sqlx::query_scalar::<_, i64>(gone).fetch_one(story.pool()).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_replay_runs_no_jobs_and_writes_no_documents() -> anyhow::Result<()> {
    let (story, bucket) = (Story::begin().await?, Bucket::create().await?);
    let (artwork, _) = story.complete(titled("Harbour")).await?;
    let head = story.log.head().await?;
    jobs::enlist(story.pool(), Position(0), head).await?;
    ReadModel::open(&story.log).await?;
    let jobs = async || -> anyhow::Result<String> {
        let all = "select jsonb_agg(to_jsonb(j) order by j.consumer, j.position)::text from jobs j";
        Ok(sqlx::query_scalar(all).fetch_one(story.pool()).await?)
    };
    let before = jobs().await?;
    assert!(before.contains("sidecars"), "{before}");
    let output = output(atelier_index(&story, &bucket, &["replay", "--json"])).await?;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(jobs().await?, before);
    assert_eq!(story.log.head().await?, head, "a replay appends nothing");
    assert!(bucket.blobs.head(&keys::sidecar(OWNER, artwork)).await?.is_none());
    assert!(bucket.blobs.head(keys::GALLERY_METADATA).await?.is_none());
    Ok(())
}
