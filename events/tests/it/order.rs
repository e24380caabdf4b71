//! Positions have no gaps and follow commit order; concurrent appends share transactions.

use std::time::{Duration, Instant};

use atelier_e2e::{Database, until};
use atelier_events::log::{append_in, verify};
use atelier_events::signal::Signals;
use atelier_events::{AppendError, ArtworkId, ExpectedVersion, Log, Position, Stream};
use futures::future::{join_all, try_join_all};

use crate::proposals::{append, created, new_artwork, uploaded};

const APPENDERS: usize = 16;
const APPENDS: usize = 30;

/// A log as another process has it: with connections, hints and an appender of its own.
pub(crate) async fn another_process(database: &Database) -> anyhow::Result<Log> {
    let pool = atelier_events::connect::database(&database.settings()).await?;
    let signals = Signals::start(&pool);
    Ok(Log::start(pool, signals))
}

/// Appends one, two or three events at a time; every third append is one that must be refused. Answers the events taken.
async fn append_many(log: Log, taken: Stream) -> anyhow::Result<usize> {
    let mut events = 0;
    for round in 0..APPENDS {
        if round % 3 == 0 {
            let refused = append(&taken, ExpectedVersion::NoStream, vec![uploaded(ArtworkId::new())]);
            let result = log.append(refused).await;
            anyhow::ensure!(matches!(result, Err(AppendError::Conflict { .. })), "{result:?}");
        } else {
            let size = 1 + round % 3;
            log.append(new_artwork(size)).await?;
            events += size;
        }
    }
    Ok(events)
}

/// Reads until it has seen so many events, and never more than one step at a time.
async fn read_along(log: Log, until: impl Fn() -> Option<usize>) -> anyhow::Result<()> {
    let mut seen = Position(0);
    loop {
        let expected = until();
        for event in log.read(seen, 50).await? {
            anyhow::ensure!(
                event.position == Position(seen.0 + 1),
                "position {} came after {seen}: the reader would never see what lies between",
                event.position
            );
            seen = event.position;
        }
        if expected.is_some_and(|expected| usize::try_from(seen.0).is_ok_and(|seen| seen >= expected)) {
            return Ok(());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_have_no_gaps_and_a_reader_misses_none_while_two_processes_append_and_are_refused()
-> anyhow::Result<()> {
    let database = Database::create().await?;
    let processes = [database.log(), another_process(&database).await?];
    let taken = ArtworkId::new();
    let stream = Stream::artwork(taken);
    processes[0].append(append(&stream, ExpectedVersion::NoStream, vec![created(taken, "taken")])).await?;

    let total = std::sync::Arc::new(std::sync::OnceLock::new());
    let known = std::sync::Arc::clone(&total);
    let reader = tokio::spawn(read_along(another_process(&database).await?, move || known.get().copied()));
    let appenders = (0..APPENDERS).map(|one| tokio::spawn(append_many(processes[one % 2].clone(), stream.clone())));
    let mut events = 1;
    for appended in try_join_all(appenders).await? {
        events += appended?;
    }
    total.get_or_init(|| events);
    reader.await??;

    assert_eq!(processes[1].head().await?, Position(i64::try_from(events)?));
    assert_eq!(verify(&database.pool, |_| ()).await?.flaws, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_appends_share_transactions() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let log = database.log();
    let appended = join_all((0..400).map(|_| log.append(new_artwork(1)))).await;
    assert!(appended.iter().all(Result::is_ok), "{appended:?}");

    let commits: i64 = sqlx::query_scalar("select count(*) from log_links").fetch_one(&database.pool).await?;
    assert!(commits <= 40, "400 appends took {commits} transactions");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_on_eight_streams_lose_no_event_and_skip_no_version() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let processes = [database.log(), another_process(&database).await?];
    let artworks: Vec<ArtworkId> = (0..8).map(|_| ArtworkId::new()).collect();
    let clients = (0..64).map(|client| {
        let (log, artwork) = (processes[client % 2].clone(), artworks[client % 8]);
        tokio::spawn(async move {
            let stream = Stream::artwork(artwork);
            for _ in 0..3 {
                let event = uploaded(artwork);
                loop {
                    let version = log.read_stream(&stream).await?.last().map(|event| event.version);
                    let expected = version.map_or(ExpectedVersion::NoStream, ExpectedVersion::Exactly);
                    match log.append(append(&stream, expected, vec![event.clone()])).await {
                        Ok(_) => break,
                        Err(AppendError::Conflict { .. }) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            anyhow::Ok(())
        })
    });
    for client in join_all(clients).await {
        client??;
    }
    for artwork in artworks {
        let events = processes[0].read_stream(&Stream::artwork(artwork)).await?;
        let versions: Vec<i64> = events.iter().map(|event| event.version.0).collect();
        assert_eq!(versions, (1..=24).collect::<Vec<i64>>());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_to_one_stream_keep_the_order_in_which_they_were_made() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let log = database.log();
    let artwork = ArtworkId::new();
    let stream = Stream::artwork(artwork);
    let titles: Vec<String> = (0..50).map(|number| format!("title {number}")).collect();
    let appends =
        titles.iter().map(|title| log.append(append(&stream, ExpectedVersion::Any, vec![created(artwork, title)])));
    assert!(join_all(appends).await.iter().all(Result::is_ok));

    let stored = log.read_stream(&stream).await?;
    let stored: Vec<_> = stored.iter().map(|event| event.data.to_value()["details"]["title"].take()).collect();
    assert_eq!(stored, titles);
    Ok(())
}

#[tokio::test]
async fn a_rollback_gives_its_positions_back() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let log = database.log();
    log.append(new_artwork(2)).await?;
    let mut tx = database.pool.begin().await?;
    let taken = append_in(&mut tx, &[&new_artwork(3), &new_artwork(1)]).await?;
    let positions: Vec<Position> =
        taken.into_iter().map(|taken| Ok(taken?.position())).collect::<anyhow::Result<_>>()?;
    assert_eq!(positions, [Position(5), Position(6)]);
    tx.rollback().await?;

    assert_eq!(log.append(new_artwork(1)).await?.position(), Position(3));
    assert_eq!(verify(&database.pool, |_| ()).await?.flaws, []);
    Ok(())
}

#[tokio::test]
async fn an_append_after_its_connection_was_cut_and_a_pause_is_taken() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let log = database.log();
    log.append(new_artwork(1)).await?;
    // As a restart of the server does to a process that has nothing to append.
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()",
    )
    .execute(&database.pool)
    .await?;
    // A connection that was used just now is not asked whether it still works.
    let cut = Instant::now();
    until("the connection has been unused for more than a second", || async {
        Ok(cut.elapsed() > Duration::from_millis(1_100))
    })
    .await?;
    assert_eq!(log.append(new_artwork(1)).await?.position(), Position(2));
    Ok(())
}
