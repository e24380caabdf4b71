//! What the queue is measured against: plain SQL on the same server, a table of jobs without history, filled by single
//! inserts and emptied by deletes; and messages that nobody does anything about.

use std::slice;
use std::time::Instant;

use anyhow::Context as _;
use atelier_events::bus::{Bus as _, Message, RabbitBus, Received};
use atelier_events::{Consumer, Recorded};
use sqlx::PgPool;
use sqlx::postgres::PgListener;

use super::{Command, percentiles, upload};

/// Jobs that plain SQL takes at a time.
const BATCH: i64 = 500;
/// Requests of the latency measurement.
const HINTS: u32 = 200;

/// One connection's insert after insert.
pub(super) fn inserts(plain: &PgPool) -> impl Fn() -> Command + Clone + Send + 'static {
    let plain = plain.clone();
    move || {
        let plain = plain.clone();
        Box::pin(async move {
            let write = upload();
            let insert = sqlx::query(include_str!("../../../sql/insert_plain_job.sql"));
            insert
                .bind(write.events[0].event.data().to_value())
                .execute(&plain)
                .await
                .context("inserting a plain job")?;
            Ok(1)
        })
    }
}

/// Jobs per second that it takes from a table of so many until it is empty.
pub(super) async fn drain(plain: &PgPool, jobs: u32) -> anyhow::Result<f64> {
    sqlx::query(include_str!("../../../sql/fill_plain_jobs.sql")).bind(i64::from(jobs)).execute(plain).await?;
    let (began, mut jobs) = (Instant::now(), 0_u32);
    loop {
        let taken: Vec<sqlx::postgres::PgRow> =
            sqlx::query(include_str!("../../../sql/take_plain_jobs.sql")).bind(BATCH).fetch_all(plain).await?;
        if taken.is_empty() {
            return Ok(f64::from(jobs) / began.elapsed().as_secs_f64());
        }
        jobs += u32::try_from(taken.len())?;
    }
}

/// Milliseconds from before a commit to the notification that follows it: half of the requests, and all but one in a
/// hundred.
pub(super) async fn hints(plain: &PgPool) -> anyhow::Result<(f64, f64)> {
    let mut listener = PgListener::connect_with(plain).await?;
    listener.listen("bench").await?;
    let mut waits = Vec::new();
    for _ in 0..HINTS {
        let began = Instant::now();
        inserts(plain)().await?;
        sqlx::query("select pg_notify('bench', '')").execute(plain).await?;
        listener.recv().await?;
        waits.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(percentiles(waits))
}

/// Milliseconds from before an event is published to its arrival: half of them, and all but one in a hundred.
pub(super) async fn messages(rabbit: &RabbitBus, events: &[Recorded]) -> anyhow::Result<(f64, f64)> {
    let mut inbox = rabbit.inbox(Consumer::Thumbnails, 1).await?;
    let mut waits = Vec::new();
    for event in events {
        let began = Instant::now();
        let arrival = async {
            loop {
                if let Received::Messages(messages) = inbox.receive(1).await {
                    return (began.elapsed().as_secs_f64() * 1_000.0, messages);
                }
            }
        };
        let (published, (waited, messages)) = tokio::join!(rabbit.publish(slice::from_ref(event)), arrival);
        published?;
        Message::ack_all(messages).await;
        waits.push(waited);
    }
    Ok(percentiles(waits))
}
