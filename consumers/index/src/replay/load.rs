//! The load: ranges of streams side by side, each read ahead while it is folded and written.

use anyhow::Context;
use atelier_events::log::read_by_stream;
use atelier_events::{Event, Log, Position, Recorded, Unreadable, Version};
use sqlx::{Connection, PgConnection};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::shadow::{Part, Shadow};
use super::streams::{Folding, Rows};
use crate::applier;
use crate::copy::Lines;
use crate::schema::INDEXES;
use crate::vocabulary;

/// Batches that are read ahead for each range.
const READ_AHEAD: usize = 2;

/// Events whose rows go into one transaction, about.
const WRITE_EVENTS: i64 = 10_000;

/// Numbers of events on their way to whoever shows them.
const APPLIED_LIMIT: usize = 64;

type Batch = Vec<(Recorded, Option<Event>)>;

/// Loads what is not loaded yet. `applied` is told of events as they are.
pub(super) async fn load(log: &Log, shadow: Shadow, mut applied: impl FnMut(i64)) -> anyhow::Result<()> {
    let (tell, mut told) = mpsc::channel(APPLIED_LIMIT);
    let mut parts = JoinSet::new();
    for part in shadow.parts(log).await? {
        parts.spawn(load_part(log.clone(), shadow, part, tell.clone()));
    }
    drop(tell);
    loop {
        tokio::select! {
            Some(events) = told.recv() => applied(events),
            Some(ended) = parts.join_next() => ended??,
            else => return Ok(()),
        }
    }
}

/// Makes the keys and indexes that are not there, side by side.
pub(super) async fn index(log: &Log, shadow: Shadow) -> anyhow::Result<()> {
    let mut indexes = JoinSet::new();
    for (create, find) in INDEXES {
        let log = log.clone();
        indexes.spawn(async move {
            let mut connection = Shadow::connect(log.pool()).await?;
            let mut tx = connection.begin().await?;
            shadow.hold(&mut tx).await?;
            if !sqlx::query_scalar(find).fetch_one(&mut *tx).await? {
                sqlx::raw_sql(create).execute(&mut *tx).await.context("making keys and indexes")?;
            }
            tx.commit().await?;
            anyhow::Ok(connection.close().await?)
        });
    }
    while let Some(ended) = indexes.join_next().await {
        ended??;
    }
    Ok(())
}

/// The load is done: from here on it is a read model like any other.
pub(super) async fn finish(log: &Log, shadow: Shadow) -> anyhow::Result<()> {
    let mut connection = Shadow::connect(log.pool()).await?;
    let mut tx = connection.begin().await?;
    shadow.hold(&mut tx).await?;
    sqlx::query(include_str!("../../sql/move_checkpoint.sql")).bind(shadow.up_to).execute(&mut *tx).await?;
    sqlx::query(include_str!("../../sql/end_load.sql")).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(connection.close().await?)
}

async fn load_part(log: Log, shadow: Shadow, part: Part, tell: mpsc::Sender<i64>) -> anyhow::Result<()> {
    let (sender, mut batches) = mpsc::channel(READ_AHEAD);
    let mut reading = JoinSet::new();
    reading.spawn(read(log.clone(), part.clone(), shadow.up_to, sender));
    let mut connection = Shadow::connect(log.pool()).await?;
    let (mut folding, mut rows) = (Folding::default(), Rows::default());
    while let Some(batch) = batches.recv().await {
        for (recorded, event) in &batch {
            folding.fold(recorded, event.as_ref(), &mut rows)?;
        }
        if rows.events >= WRITE_EVENTS {
            write(&mut connection, shadow, part.number, &rows, false).await?;
            tell.send(rows.events).await?;
            rows.clear();
        }
    }
    // No batch more: the end, or an error.
    while let Some(ended) = reading.join_next().await {
        ended??;
    }
    folding.finish(&mut rows)?;
    write(&mut connection, shadow, part.number, &rows, true).await?;
    tell.send(rows.events).await?;
    Ok(connection.close().await?)
}

async fn read(log: Log, part: Part, up_to: Position, sender: mpsc::Sender<Batch>) -> anyhow::Result<()> {
    let mut connection = Shadow::connect(log.pool()).await?;
    // After all versions of the last stream that is loaded.
    let (mut stream, mut version) = (part.loaded_stream, Version(i64::MAX));
    loop {
        let events = read_by_stream(&mut connection, (&stream, version), &part.last_stream, up_to);
        let events = events.await.context("reading the log")?;
        let Some(last) = events.last() else { break };
        (stream, version) = (last.stream.clone(), last.version);
        let batch = events.into_iter().map(parsed).collect::<anyhow::Result<Batch>>()?;
        if sender.send(batch).await.is_err() {
            break;
        }
    }
    Ok(connection.close().await?)
}

/// Reads the content of an event, which is not needed any more then.
fn parsed(mut recorded: Recorded) -> anyhow::Result<(Recorded, Option<Event>)> {
    let data = std::mem::take(&mut recorded.data);
    match Event::parse(&recorded.event_type, recorded.schema, &data) {
        Ok(event) => Ok((recorded, Some(event))),
        Err(Unreadable::UnknownType(_)) => Ok((recorded, None)),
        Err(error) => Err(error).with_context(|| format!("event at position {}", recorded.position)),
    }
}

/// Writes rows, and up to where the part is loaded with them.
async fn write(
    connection: &mut PgConnection,
    shadow: Shadow,
    part: i32,
    rows: &Rows,
    done: bool,
) -> anyhow::Result<()> {
    let mut tx = connection.begin().await?;
    shadow.hold(&mut tx).await?;
    copy(&mut tx, include_str!("../../sql/copy_artworks.sql"), &rows.artworks).await?;
    copy(&mut tx, include_str!("../../sql/copy_variants.sql"), &rows.variants).await?;
    copy(&mut tx, include_str!("../../sql/copy_lineage.sql"), &rows.lineage).await?;
    copy(&mut tx, include_str!("../../sql/copy_renditions.sql"), &rows.renditions).await?;
    copy(&mut tx, include_str!("../../sql/copy_exports.sql"), &rows.exports).await?;
    if let Some((recorded, deployed)) = &rows.site {
        applier::put_site(&mut tx, recorded, deployed).await?;
    }
    for (unknown, first) in &rows.unknown {
        vocabulary::pass_over(&mut tx, unknown, *first).await?;
    }
    let move_part = sqlx::query(include_str!("../../sql/move_part.sql")).bind(part).bind(&rows.last_stream);
    move_part.bind(rows.events).bind(done).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

async fn copy(transaction: &mut PgConnection, statement: &str, lines: &Lines) -> anyhow::Result<()> {
    if !lines.as_bytes().is_empty() {
        let mut copy = transaction.copy_in_raw(statement).await?;
        copy.send(lines.as_bytes()).await?;
        copy.finish().await.context("copying rows")?;
    }
    Ok(())
}
