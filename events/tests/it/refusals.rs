//! What is refused, and that a refusal disturbs nobody else.

use atelier_e2e::{Database, until};
use atelier_events::log::Keyed;
use atelier_events::{
    Append, AppendError, Appended, ArtworkId, Context, Event, ExpectedVersion, Log, NewEvent, Position, Stream, Version,
};
use futures::future::join_all;
use serde_json::json;

use crate::order::another_process;
use crate::proposals::{append, created, new_artwork, uploaded};

/// Makes these appends travel in one transaction: they gather while another append waits for the head of the log.
async fn in_one_transaction(
    database: &Database,
    log: &Log,
    appends: Vec<Append>,
) -> anyhow::Result<Vec<Result<Appended, AppendError>>> {
    let mut head = database.pool.begin().await?;
    sqlx::query("select from log_head for update").execute(&mut *head).await?;
    let first = tokio::spawn({
        let log = log.clone();
        async move { log.append(new_artwork(1)).await }
    });
    until("an append waits for the head", || async {
        let waiting = "select exists (select from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock')";
        Ok(sqlx::query_scalar(waiting).fetch_one(&database.pool).await?)
    })
    .await?;
    let mut gathered = std::pin::pin!(join_all(appends.into_iter().map(|append| log.append(append))));
    assert!(futures::poll!(&mut gathered).is_pending());
    head.commit().await?;
    first.await??;
    Ok(gathered.await)
}

async fn commits(database: &Database) -> anyhow::Result<i64> {
    let commits = sqlx::query_scalar("select count(*) from log_links");
    Ok(commits.fetch_one(&database.pool).await?)
}

fn keyed(key: &str, request: u8, answer: i32) -> Append {
    Append {
        key: Some(Keyed { key: key.to_owned(), fingerprint: [request; 32], answer: json!({ "answer": answer }) }),
        ..new_artwork(1)
    }
}

fn conflicting(artwork: ArtworkId) -> Append {
    let stream = Stream::artwork(artwork);
    append(&stream, ExpectedVersion::Exactly(Version(7)), vec![uploaded(artwork)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_a_duplicate_and_a_reused_key_fail_none_of_their_neighbours() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let log = database.log();
    let artwork = ArtworkId::new();
    let stream = Stream::artwork(artwork);
    log.append(append(&stream, ExpectedVersion::NoStream, vec![created(artwork, "The sea")])).await?;
    let before = log.append(keyed("seen", 1, 1)).await?.position();
    log.append(keyed("reused", 1, 2)).await?;

    let batch = vec![
        new_artwork(2),
        conflicting(artwork),
        keyed("seen", 1, 9),
        keyed("reused", 2, 9),
        keyed("fresh", 3, 9),
        new_artwork(1),
    ];
    let results = in_one_transaction(&database, &log, batch).await?;
    let [first, conflict, duplicate, reused, fresh, last] = results.as_slice() else {
        anyhow::bail!("six appends have {} answers", results.len());
    };
    // Position 4 is the append that held the others up.
    assert!(matches!(first, Ok(Appended::Now { position: Position(6) })), "{first:?}");
    assert!(matches!(conflict, Err(AppendError::Conflict { actual: Version(1), .. })), "{conflict:?}");
    let known = Appended::Before { position: before, answer: json!({ "answer": 1 }) };
    assert!(matches!(duplicate, Ok(answered) if *answered == known), "{duplicate:?}");
    assert!(matches!(reused, Err(AppendError::KeyReused(key)) if key == "reused"), "{reused:?}");
    assert!(matches!(fresh, Ok(Appended::Now { position: Position(7) })), "{fresh:?}");
    assert!(matches!(last, Ok(Appended::Now { position: Position(8) })), "{last:?}");
    assert_eq!(commits(&database).await?, 5, "the batch was one transaction");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_the_database_cannot_take_fails_alone() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let log = database.log();
    let artwork = ArtworkId::new();
    let nul = append(&Stream::artwork(artwork), ExpectedVersion::NoStream, vec![created(artwork, "a\0b")]);
    let nul_in_the_actor = {
        let event: Event = uploaded(artwork);
        let mut append = append(&Stream::artwork(artwork), ExpectedVersion::Any, Vec::new());
        append.writes[0].events = vec![NewEvent::new(event, &Context::command("ada\0actor"))];
        append
    };
    let batch = vec![new_artwork(1), nul, new_artwork(1), nul_in_the_actor, new_artwork(1)];
    let results = in_one_transaction(&database, &log, batch).await?;
    let taken: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [true, false, true, false, true], "{results:?}");
    assert!(matches!(results[1], Err(AppendError::Database(_))), "{results:?}");
    assert_eq!(log.head().await?, Position(4));
    Ok(())
}

#[tokio::test]
async fn an_append_to_two_streams_is_refused_as_a_whole() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let log = database.log();
    let mut both = new_artwork(1);
    both.writes.extend(conflicting(ArtworkId::new()).writes);
    let refused = log.append(both).await;
    assert!(matches!(refused, Err(AppendError::Conflict { actual: Version(0), .. })), "{refused:?}");
    assert_eq!(log.head().await?, Position(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_from_thirty_two_clients_is_taken_once_and_all_get_the_same_answer() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let processes = [database.log(), another_process(&database).await?];
    let clients = (0..32_i32).map(|client| {
        let log = processes[usize::from(client % 2 == 0)].clone();
        tokio::spawn(async move { (client, log.append(keyed("key", 1, client)).await) })
    });
    let (mut taken, mut answers) = (Vec::new(), Vec::new());
    for client in join_all(clients).await {
        match client? {
            (client, Ok(Appended::Now { position })) => taken.push((position, json!({ "answer": client }))),
            (_, Ok(Appended::Before { position, answer })) => answers.push((position, answer)),
            (client, Err(error)) => anyhow::bail!("client {client}: {error}"),
        }
    }
    assert_eq!(taken.len(), 1);
    assert_eq!(answers, vec![taken[0].clone(); 31]);
    assert_eq!(processes[0].head().await?, Position(1));

    let again = processes[1].answered("key", &[1; 32]).await?;
    assert_eq!(again.map(|answered| answered.position()), Some(Position(1)));
    let other_request = processes[1].answered("key", &[2; 32]).await;
    assert!(matches!(other_request, Err(AppendError::KeyReused(_))), "{other_request:?}");
    Ok(())
}

#[tokio::test]
async fn a_key_whose_append_was_refused_can_be_used_again() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let log = database.log();
    let mut refused = keyed("key", 1, 1);
    refused.writes = conflicting(ArtworkId::new()).writes;
    assert!(log.append(refused).await.is_err());
    assert!(matches!(log.append(keyed("key", 1, 2)).await?, Appended::Now { .. }));
    Ok(())
}

#[tokio::test]
async fn history_can_be_neither_updated_nor_deleted_nor_truncated() -> anyhow::Result<()> {
    let database = Database::create().await?;
    database.log().append(new_artwork(3)).await?;
    for statement in [
        "update events set actor = 'eve'",
        "delete from events where position = 3",
        "truncate events cascade",
        "update log_links set link = sha256('eve')",
        "delete from log_links",
        "truncate log_links",
    ] {
        let refused = sqlx::query(statement).execute(&database.pool).await;
        let refused = refused.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.contains("the log is append-only"), "{statement}: {refused}");
    }
    Ok(())
}
