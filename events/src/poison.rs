//! Poison messages: what the broker carried to a consumer and no consumer could take. They are kept in the database, beside
//! the jobs that were given up, until somebody purges them.
//!
//! They are nobody's job: a job's message may be lost without harm, since its consumer finds it in the table. So there is
//! nothing to run again, and what is kept is for who wants to know which stranger sends what.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use time::OffsetDateTime;

use crate::bus::DeadLetter;
use crate::consumer::Consumer;
use crate::id::Position;

/// How much of a body is kept, in bytes.
pub const BODY_LIMIT: usize = 65_536;
/// Messages that one purge forgets at the most; what is left over needs another.
pub const BULK_LIMIT: i64 = 1_000;

/// A poison message as it is kept. The same body, given up for the same reason, is kept once and counted.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Poison {
    /// Its id.
    pub id: i64,
    /// Whose queue it was in.
    pub consumer: String,
    /// Why it was taken from there: `rejected` (it is no event), `delivery_limit` (it was delivered again and again and
    /// never acknowledged), or another word of the broker's.
    pub reason: String,
    /// What is wrong with it, in words.
    pub error: String,
    /// Of the event it carries, where it carries one.
    pub position: Option<Position>,
    /// What AMQP says of it: content type, ids, exchange and routing key. Of the last of them.
    pub properties: Value,
    /// Its headers, of which `x-death` is the broker's account of how it died. Of the last of them.
    pub headers: Value,
    /// The length of its body in bytes.
    pub body_bytes: i64,
    /// How often it came; a crash between keeping and acknowledging counts one too many.
    pub times: i64,
    /// When it came first.
    #[serde(with = "time::serde::rfc3339")]
    pub first_at: OffsetDateTime,
    /// When it came last.
    #[serde(with = "time::serde::rfc3339")]
    pub last_at: OffsetDateTime,
}

/// Which messages; a filter that is not set is off.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// These.
    pub ids: Option<Vec<i64>>,
    /// From the queue of this consumer.
    pub consumer: Option<String>,
    /// Whose error holds these words, whatever their case.
    pub error: Option<String>,
    /// That came, last, at this time or later.
    pub since: Option<OffsetDateTime>,
    /// That came, last, before this time.
    pub until: Option<OffsetDateTime>,
    /// Older than this one: the last of the page before.
    pub before: Option<i64>,
}

/// How many there are from one consumer's queue.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Count {
    /// Whose.
    pub consumer: String,
    /// How many, those that are alike counted once.
    pub messages: i64,
}

/// Keeps a message. Once this has come back, the broker can forget it.
pub async fn keep(pool: &PgPool, letter: &DeadLetter) -> sqlx::Result<()> {
    let kept = &letter.body[..letter.body.len().min(BODY_LIMIT)];
    sqlx::query(include_str!("../sql/keep_poison.sql"))
        .bind(letter.consumer.name())
        .bind(&letter.reason)
        .bind(&letter.error)
        .bind(letter.position)
        .bind(&letter.properties)
        .bind(&letter.headers)
        .bind(kept)
        .bind(i64::try_from(letter.body.len()).unwrap_or(i64::MAX))
        .bind(Sha256::digest(&letter.body).as_slice())
        .execute(pool)
        .await
        .map(drop)
}

/// Messages, newest first.
pub async fn list(pool: &PgPool, filter: &Filter, limit: i64) -> sqlx::Result<Vec<Poison>> {
    sqlx::query_as(include_str!("../sql/list_poison.sql"))
        .bind(&filter.ids)
        .bind(&filter.consumer)
        .bind(&filter.error)
        .bind(filter.since)
        .bind(filter.until)
        .bind(filter.before)
        .bind(limit)
        .fetch_all(pool)
        .await
}

/// The first [`BODY_LIMIT`] bytes of a message's body; none when there is no such message.
pub async fn body(pool: &PgPool, id: i64) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar(include_str!("../sql/read_poison_body.sql")).bind(id).fetch_optional(pool).await
}

/// Forgets messages, and answers which; when it is [`BULK_LIMIT`] of them, there may be more.
pub async fn purge(pool: &PgPool, filter: &Filter) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar(include_str!("../sql/purge_poison.sql"))
        .bind(&filter.ids)
        .bind(&filter.consumer)
        .bind(&filter.error)
        .bind(filter.since)
        .bind(filter.until)
        .bind(BULK_LIMIT)
        .fetch_all(pool)
        .await
}

/// How many there are, by consumer, those without any included.
pub async fn count(pool: &PgPool) -> sqlx::Result<Vec<Count>> {
    let names: Vec<&str> = Consumer::ALL.into_iter().map(Consumer::name).collect();
    sqlx::query_as(include_str!("../sql/count_poison.sql")).bind(names).fetch_all(pool).await
}
