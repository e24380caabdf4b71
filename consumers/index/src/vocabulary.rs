//! Which event types the programs knew that wrote to a read model. Two versions may run beside each other, or one after
//! the other, without losing what only the newer understands:
//!
//! ```text
//! an event of a type that this program does not know
//!   known to no program that has written here   passed over, and that is written down
//!   known to another that has                   not touched: the other applies it, and this one goes on after it
//! a program that starts and knows a type that was passed over   replays, since rows are missing
//! ```

use anyhow::bail;
use atelier_events::{Event, Position, Recorded};
use sqlx::PgConnection;

/// A type, in a schema, that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unknown {
    event_type: String,
    schema: i16,
}

impl Unknown {
    pub(crate) fn of(recorded: &Recorded) -> Self {
        Self { event_type: recorded.event_type.clone(), schema: recorded.schema }
    }
}

/// Writes down that this program writes here, and what it knows.
pub(crate) async fn learn(transaction: &mut PgConnection) -> sqlx::Result<()> {
    let learn = sqlx::query(include_str!("../sql/learn_types.sql")).bind(Event::TYPES).bind(newest_schemas());
    learn.execute(transaction).await.map(drop)
}

/// The types this program knows and of which events were passed over: they are missing from the rows.
pub(crate) async fn passed_over(transaction: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    let find = sqlx::query_scalar(include_str!("../sql/find_passed_over.sql"));
    find.bind(Event::TYPES).bind(newest_schemas()).fetch_all(transaction).await
}

/// Of each type there is, in their order.
fn newest_schemas() -> Vec<i32> {
    Event::TYPES.iter().map(|event_type| i32::from(Event::schema_of(event_type))).collect()
}

/// Passes over events of a type that this version does not know, the first of them here; an error where another version
/// knows it.
pub(crate) async fn pass_over(
    transaction: &mut PgConnection,
    unknown: &Unknown,
    position: Position,
) -> anyhow::Result<()> {
    let Unknown { event_type, schema } = unknown;
    let pass_over = sqlx::query_scalar::<_, bool>(include_str!("../sql/pass_over.sql"));
    let passed = pass_over.bind(event_type).bind(schema).bind(position).fetch_optional(transaction).await?;
    let Some(first) = passed else {
        bail!(
            "the event at position {position} is left to a newer atelier-index, which knows its type {event_type:?} of \
             schema {schema} and has written to this read model; if that is gone for good, replay with this one"
        );
    };
    if first {
        tracing::warn!(
            event.type = event_type, event.schema = schema, event.position = position.0,
            "passed over, and so are all that follow: no version here knows this type"
        );
    }
    Ok(())
}
