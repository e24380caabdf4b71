//! An append: what one command adds, taken or refused as a whole, and the statement that takes a batch of them.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::digest::Content;
use crate::event::{Event, NewEvent, Recorded};
use crate::id::{Position, Stream, Version};

/// What one command adds to the log: all of it or nothing.
#[derive(Clone, Debug)]
pub struct Append {
    /// Set for a command that may be sent twice.
    pub key: Option<Keyed>,
    /// At most one per stream.
    pub writes: Vec<Write>,
}

/// A command's idempotency key, and what it will have answered.
#[derive(Clone, Debug)]
pub struct Keyed {
    /// The client's key.
    pub key: String,
    /// sha256 of what was asked, so that the same key with another request is told apart.
    pub fingerprint: [u8; 32],
    /// What to answer, now and whenever the key comes again.
    pub answer: Value,
}

/// The events that go to one stream.
#[derive(Clone, Debug)]
pub struct Write {
    /// Which stream.
    pub stream: Stream,
    /// What the stream must be at.
    pub expected: ExpectedVersion,
    /// At least one.
    pub events: Vec<NewEvent>,
}

impl Write {
    /// What came of an event, on the same stream: true whatever else has happened there since.
    #[must_use]
    pub fn answer(cause: &Recorded, actor: &str, event: Event) -> Self {
        Self {
            stream: cause.stream.clone(),
            expected: ExpectedVersion::Any,
            events: vec![NewEvent::new(event, &cause.caused(actor))],
        }
    }
}

/// What a stream must be at for a write to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedVersion {
    /// Wherever it is: for facts that are true whatever came before.
    Any,
    /// It does not exist yet.
    NoStream,
    /// Exactly here: for decisions made on what was read.
    Exactly(Version),
}

/// An append that was taken, now or before.
#[derive(Clone, Debug, PartialEq)]
pub enum Appended {
    /// Its events are in the log.
    Now {
        /// The position of its last event.
        position: Position,
    },
    /// Its key was seen before with the same request: this is what was answered then.
    Before {
        /// The position of the first time's last event.
        position: Position,
        /// What was answered.
        answer: Value,
    },
}

impl Appended {
    /// The position of the append's last event.
    #[must_use]
    pub fn position(&self) -> Position {
        match self {
            Self::Now { position } | Self::Before { position, .. } => *position,
        }
    }
}

/// Why an append was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Someone else was first: read the stream again and decide again.
    #[error("stream \"{stream}\" is at version {actual}, not where the command expected it")]
    Conflict {
        /// Which stream.
        stream: Stream,
        /// Where it is.
        actual: Version,
    },
    /// The key was used for another request.
    #[error("idempotency key {0:?} was used before with a different request: use a new key for a new request")]
    KeyReused(String),
    /// This process's appender has ended: the process is going down.
    #[error("the log's appender has stopped")]
    Stopped,
    /// The database refused or could not be reached; unknown whether the append happened when the connection broke.
    #[error("the database did not take the append")]
    Database(#[from] sqlx::Error),
}

#[derive(sqlx::FromRow)]
struct Row {
    /// None in the row that tells where the head was.
    append: Option<i32>,
    outcome: String,
    stream: Option<String>,
    version: Option<Version>,
    position: Option<Position>,
    fingerprint: Option<Vec<u8>>,
    answer: Option<Value>,
}

/// Appends a batch on this connection: one statement, which a caller that is inside a transaction makes its last but
/// for the commit. Answers one result per append, in order; one that is refused does not disturb the others.
///
/// No two appends of a batch may name the same stream or key.
pub async fn append_in(
    connection: &mut PgConnection,
    batch: &[&Append],
) -> Result<Vec<Result<Appended, AppendError>>, sqlx::Error> {
    let columns = Columns::of(batch)?;
    let rows: Vec<Row> = sqlx::query_as(include_str!("../../sql/append_events.sql"))
        .bind(columns.key_append)
        .bind(columns.key)
        .bind(columns.key_fingerprint)
        .bind(columns.key_answer)
        .bind(columns.write_append)
        .bind(columns.write_stream)
        .bind(columns.write_expected)
        .bind(columns.event_write)
        .bind(columns.event_number)
        .bind(columns.event_id)
        .bind(columns.event_type)
        .bind(columns.event_schema)
        .bind(columns.event_data)
        .bind(columns.event_actor)
        .bind(columns.event_correlation)
        .bind(columns.event_causation)
        .bind(columns.event_traceparent)
        .bind(columns.event_digests)
        .fetch_all(connection)
        .await?;
    let mut head = None;
    let mut refusals: HashMap<i32, Row> = HashMap::new();
    for row in rows {
        match row.append {
            Some(append) => drop(refusals.entry(append).or_insert(row)),
            None => head = row.position,
        }
    }
    let Position(mut position) = head.ok_or(sqlx::Error::RowNotFound)?;
    Ok((0..)
        .zip(batch)
        .map(|(index, append)| {
            if let Some(row) = refusals.remove(&index) {
                return row.refusal(append);
            }
            position += append.events();
            Ok(Appended::Now { position: Position(position) })
        })
        .collect())
}

impl Append {
    /// How many there are.
    fn events(&self) -> i64 {
        self.writes.iter().map(|write| i64::try_from(write.events.len()).unwrap_or(i64::MAX)).sum()
    }
}

impl Row {
    /// Why the append is not in the batch's commit.
    fn refusal(self, append: &Append) -> Result<Appended, AppendError> {
        match (self.outcome.as_str(), self.position, self.version) {
            ("conflict", _, Some(actual)) => {
                Err(AppendError::Conflict { stream: Stream::from(self.stream.unwrap_or_default()), actual })
            }
            ("duplicate", Some(position), _) => {
                let key = append.key.as_ref().ok_or(sqlx::Error::RowNotFound)?;
                let seen = self.fingerprint.unwrap_or_default();
                duplicate(&key.key, &key.fingerprint, &seen, self.answer.unwrap_or_default(), position)
            }
            _ => Err(sqlx::Error::RowNotFound.into()),
        }
    }
}

pub(super) fn duplicate(
    key: &str,
    fingerprint: &[u8; 32],
    seen: &[u8],
    answer: Value,
    position: Position,
) -> Result<Appended, AppendError> {
    if seen == fingerprint.as_slice() {
        Ok(Appended::Before { position, answer })
    } else {
        Err(AppendError::KeyReused(key.to_owned()))
    }
}

/// A batch as the arrays that `append_events` takes.
#[derive(Default)]
struct Columns<'a> {
    key_append: Vec<i32>,
    key: Vec<&'a str>,
    key_fingerprint: Vec<&'a [u8]>,
    key_answer: Vec<Json<&'a Value>>,
    write_append: Vec<i32>,
    write_stream: Vec<&'a str>,
    write_expected: Vec<i64>,
    event_write: Vec<i32>,
    event_number: Vec<i32>,
    event_id: Vec<Uuid>,
    event_type: Vec<&'static str>,
    event_schema: Vec<i16>,
    event_data: Vec<String>,
    event_actor: Vec<&'a str>,
    event_correlation: Vec<Uuid>,
    event_causation: Vec<Option<Uuid>>,
    event_traceparent: Vec<Option<&'a str>>,
    event_digests: Vec<u8>,
}

impl<'a> Columns<'a> {
    fn of(batch: &[&'a Append]) -> sqlx::Result<Self> {
        let mut columns = Self::default();
        for (index, append) in (0..).zip(batch) {
            if let Some(keyed) = &append.key {
                columns.key_append.push(index);
                columns.key.push(&keyed.key);
                columns.key_fingerprint.push(&keyed.fingerprint);
                columns.key_answer.push(Json(&keyed.answer));
            }
            for write in &append.writes {
                columns.write(index, write)?;
            }
        }
        Ok(columns)
    }

    fn write(&mut self, append: i32, write: &'a Write) -> sqlx::Result<()> {
        self.write_append.push(append);
        self.write_stream.push(write.stream.as_str());
        self.write_expected.push(match write.expected {
            ExpectedVersion::Any => -1,
            ExpectedVersion::NoStream => 0,
            ExpectedVersion::Exactly(version) => version.0,
        });
        // Ordinality in SQL counts from 1, and so does this.
        let ordinal = i32::try_from(self.write_append.len()).unwrap_or(i32::MAX);
        for (number, event) in (1..).zip(&write.events) {
            let data = stored(&event.event)?;
            let content = Content {
                stream: write.stream.as_str().as_bytes(),
                id: event.id,
                event_type: event.event.type_name().as_bytes(),
                schema: event.event.schema(),
                actor: event.context.actor.as_bytes(),
                correlation_id: event.context.correlation_id,
                causation_id: event.context.causation_id,
                data: data.as_bytes(),
            };
            self.event_digests.extend_from_slice(&content.digest());
            self.event_write.push(ordinal);
            self.event_number.push(number);
            self.event_id.push(event.id);
            self.event_type.push(event.event.type_name());
            self.event_schema.push(event.event.schema());
            self.event_data.push(data);
            self.event_actor.push(&event.context.actor);
            self.event_correlation.push(event.context.correlation_id);
            self.event_causation.push(event.context.causation_id);
            self.event_traceparent.push(event.context.traceparent.as_deref());
        }
        Ok(())
    }
}

/// The content as stored. Postgres takes a NUL in JSON, and then hands it out to nobody who asks for that text: the read
/// model could never be built.
fn stored(event: &Event) -> sqlx::Result<String> {
    let data = event.data();
    if data.as_str().contains("\\u0000") && holds_nul(&data.to_value()) {
        let what = format!("the content of a {} holds a NUL character, which cannot be stored", event.type_name());
        return Err(sqlx::Error::Encode(what.into()));
    }
    Ok(data.into())
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
