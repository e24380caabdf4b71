//! The log: appends one by one and by the hundred, and verification. The baseline is a plain table with the same columns
//! and indexes, and none of what makes it a log.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use atelier_events::artwork::{Created, default_category};
use atelier_events::log::{Write, verify};
use atelier_events::signal::Signals;
use atelier_events::{
    Append, ArtworkEvent, ArtworkId, Context, Details, Event, ExpectedVersion, Log, NewEvent, Stream,
};
use sqlx::PgPool;

use super::Measured;
use super::rounds::{alternate, per_second};
use super::scratch::Scratch;

/// Clients that append one event each and wait for it.
const SINGLE_CLIENTS: u32 = 32;

/// Clients that append many events each and wait for them.
const BATCH_CLIENTS: u32 = 8;

/// Events of such an append.
const BATCH_EVENTS: u32 = 100;

/// What makes an event's content some 400 bytes.
const DESCRIPTION: &str = "A harbour at dusk: three boats lie still, the lamps along the quay are lit one after the \
                           other, and the water takes on the last of the sky, green at its edge.";

/// Measures all there is to it.
pub(super) async fn measure(
    scratch: &Scratch,
    length: Duration,
    on_measured: &mut impl FnMut(Measured) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    sqlx::raw_sql(include_str!("../../sql/create_plain_events.sql")).execute(&scratch.pool).await?;
    let log = Log::start(scratch.pool.clone(), Signals::start(&scratch.pool));

    let plain = scratch.connections(SINGLE_CLIENTS).await?;
    let measured = alternate(
        length,
        async |length| per_second(count(SINGLE_CLIENTS), length, appends(&log, 1)).await,
        async |length| per_second(count(SINGLE_CLIENTS), length, inserts_of_one(&plain)).await,
    );
    on_measured(events_per_second(
        "append_single_32",
        "32 connections inserting one row each into a plain table, autocommit",
        measured.await?,
    ))?;

    let measured = alternate(
        length,
        async |length| per_second(count(BATCH_CLIENTS), length, appends(&log, BATCH_EVENTS)).await,
        async |length| per_second(count(BATCH_CLIENTS), length, inserts_of_many(&plain, BATCH_EVENTS)).await,
    );
    on_measured(events_per_second(
        "append_batch",
        "8 connections inserting 100 rows at a time into a plain table, autocommit",
        measured.await?,
    ))?;
    plain.close().await;

    // What has just been written is tidied up by whoever reads it first; that is to be neither of the two.
    sqlx::query("vacuum analyze events").execute(&scratch.pool).await?;
    let measured = alternate(
        length,
        async |length| repeatedly(length, async || verified(&scratch.pool).await).await,
        async |length| repeatedly(length, async || selected(&scratch.pool).await).await,
    );
    on_measured(events_per_second("verify", "selecting the same rows", measured.await?))
}

fn events_per_second(name: &'static str, baseline: &'static str, (value, baseline_value): (f64, f64)) -> Measured {
    Measured { name, value, unit: "events/s", baseline, baseline_value, ratio: value / baseline_value }
}

fn count(clients: u32) -> usize {
    usize::try_from(clients).unwrap_or(usize::MAX)
}

/// An artwork's beginning, with a stream of its own.
fn events(count: u32) -> (Stream, Vec<NewEvent>) {
    let artwork_id = ArtworkId::new();
    let context = Context::command("bench");
    let event = |number: u32| {
        let details = Details {
            title: format!("harbour at dusk {number}"),
            description: DESCRIPTION.to_owned(),
            artist: "bench".to_owned(),
            materials: None,
            dimensions: Some("30 x 40 cm".to_owned()),
            created_on: None,
            category: default_category(),
            tags: vec!["harbour".to_owned(), "dusk".to_owned()],
            featured: false,
            source_url: None,
            video_url: None,
        };
        NewEvent::new(
            Event::Artwork(ArtworkEvent::Created(Created::new(artwork_id, "bench".to_owned(), details))),
            &context,
        )
    };
    (Stream::artwork(artwork_id), (1..=count).map(event).collect())
}

fn appends(log: &Log, size: u32) -> impl Fn() -> AppendFuture + Clone + Send + 'static {
    let log = log.clone();
    move || {
        let log = log.clone();
        Box::pin(async move {
            let (stream, events) = events(size);
            let write = Write { stream, expected: ExpectedVersion::NoStream, events };
            log.append(Append { key: None, writes: vec![write] }).await.context("appending")?;
            Ok(size)
        })
    }
}

type AppendFuture = std::pin::Pin<Box<dyn Future<Output = anyhow::Result<u32>> + Send>>;

fn inserts_of_one(plain: &PgPool) -> impl Fn() -> AppendFuture + Clone + Send + 'static {
    let plain = plain.clone();
    move || {
        let plain = plain.clone();
        Box::pin(async move {
            let (stream, events) = events(1);
            for event in events {
                sqlx::query(include_str!("../../sql/insert_plain_event.sql"))
                    .bind(&stream)
                    .bind(1_i64)
                    .bind(event.id)
                    .bind(event.event.type_name())
                    .bind(1_i16)
                    .bind(String::from(event.event.data()))
                    .bind(&event.context.actor)
                    .bind(event.context.correlation_id)
                    .bind([0_u8; 32].as_slice())
                    .execute(&plain)
                    .await
                    .context("inserting a row")?;
            }
            Ok(1)
        })
    }
}

fn inserts_of_many(plain: &PgPool, size: u32) -> impl Fn() -> AppendFuture + Clone + Send + 'static {
    let plain = plain.clone();
    move || {
        let plain = plain.clone();
        Box::pin(async move {
            let (stream, events) = events(size);
            let column = events.iter();
            sqlx::query(include_str!("../../sql/insert_plain_events.sql"))
                .bind(&stream)
                .bind((1_i64..).take(events.len()).collect::<Vec<_>>())
                .bind(column.clone().map(|event| event.id).collect::<Vec<_>>())
                .bind(column.clone().map(|event| event.event.type_name()).collect::<Vec<_>>())
                .bind(1_i16)
                .bind(column.clone().map(|event| String::from(event.event.data())).collect::<Vec<_>>())
                .bind(column.clone().map(|event| event.context.actor.as_str()).collect::<Vec<_>>())
                .bind(column.map(|event| event.context.correlation_id).collect::<Vec<_>>())
                .bind([0_u8; 32].as_slice())
                .execute(&plain)
                .await
                .context("inserting rows")?;
            Ok(size)
        })
    }
}

/// Goes through all events again and again until the time is over, and answers events per second.
async fn repeatedly(length: Duration, pass: impl AsyncFn() -> anyhow::Result<u32>) -> anyhow::Result<f64> {
    let began = Instant::now();
    let mut events = f64::from(pass().await?);
    while began.elapsed() < length {
        events += f64::from(pass().await?);
    }
    Ok(events / began.elapsed().as_secs_f64())
}

async fn verified(pool: &PgPool) -> anyhow::Result<u32> {
    let verified = verify(pool, |_| {}).await?;
    anyhow::ensure!(verified.flaws.is_empty(), "the log that was measured has flaws: {:?}", verified.flaws);
    Ok(u32::try_from(verified.events)?)
}

async fn selected(pool: &PgPool) -> anyhow::Result<u32> {
    let (mut events, mut after) = (0, 0_i64);
    loop {
        let rows: Vec<sqlx::postgres::PgRow> =
            sqlx::query(include_str!("../../sql/select_events.sql")).bind(after).fetch_all(pool).await?;
        let Some(last) = rows.last() else { return Ok(events) };
        after = sqlx::Row::try_get(last, "position")?;
        events += u32::try_from(rows.len())?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_some_400_bytes() {
        let (_, events) = events(2);
        for event in events {
            let length = String::from(event.event.data()).len();
            assert!((380..=420).contains(&length), "{length}");
        }
    }
}
