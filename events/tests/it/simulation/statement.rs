//! The real statements, as the library calls them, and how their answers read.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::model::Key;

/// A statement of `events/sql`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    AppendEvents,
    ReadEvents,
    ReadCheckpoint,
    TakeLeadership,
    ResignLeadership,
    AdvanceRelay,
    EnlistJobs,
    DueJobs,
    RescueJobs,
    /// Of this consumer: its rows do not say whose they are.
    ClaimJobs(&'static str),
    RenewLeases,
    CompleteAttempts,
    EndAttempts,
    CancelJobs,
    RequeueJobs,
    PauseConsumer,
    ResumeConsumer,
}

macro_rules! file {
    ($name:literal, $types:literal) => {
        ($name, $types, include_str!(concat!("../../../sql/", $name, ".sql")))
    };
}

/// Name, types of the arguments as the library binds them, text.
pub(super) const FILES: [(&str, &str, &str); 17] = [
    file!(
        "append_events",
        "int[], text[], bytea[], jsonb[], int[], text[], bigint[], int[], int[], uuid[], text[], smallint[], text[], \
         text[], uuid[], uuid[], text[], bytea"
    ),
    file!("read_events", "bigint, bigint"),
    file!("read_checkpoint", "text"),
    file!("take_leadership", "text, text, bigint"),
    file!("resign_leadership", "text, text"),
    file!("advance_relay", "bigint, bigint"),
    file!("enlist_jobs", "text[], text[], boolean[], bigint, bigint"),
    file!("due_jobs", "bigint"),
    file!("rescue_jobs", "bigint"),
    file!("claim_jobs", "text, bigint, text, bigint"),
    file!("renew_leases", "bigint[], bigint[], bigint"),
    file!("complete_attempts", "bigint[], bigint[], bigint[]"),
    file!("end_attempts", "bigint[], bigint[], text[], text[], int[], bigint[]"),
    file!("cancel_jobs", "bigint[], text"),
    file!("requeue_jobs", "bigint[]"),
    file!("pause_consumer", "text, text"),
    file!("resume_consumer", "text"),
];

impl Statement {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AppendEvents => "append_events",
            Self::ReadEvents => "read_events",
            Self::ReadCheckpoint => "read_checkpoint",
            Self::TakeLeadership => "take_leadership",
            Self::ResignLeadership => "resign_leadership",
            Self::AdvanceRelay => "advance_relay",
            Self::EnlistJobs => "enlist_jobs",
            Self::DueJobs => "due_jobs",
            Self::RescueJobs => "rescue_jobs",
            Self::ClaimJobs(_) => "claim_jobs",
            Self::RenewLeases => "renew_leases",
            Self::CompleteAttempts => "complete_attempts",
            Self::EndAttempts => "end_attempts",
            Self::CancelJobs => "cancel_jobs",
            Self::RequeueJobs => "requeue_jobs",
            Self::PauseConsumer => "pause_consumer",
            Self::ResumeConsumer => "resume_consumer",
        }
    }

    /// Whether the order of its rows means something.
    pub(super) fn is_ordered(self) -> bool {
        matches!(self, Self::ClaimJobs(_) | Self::ReadEvents)
    }

    /// A row of its answer as the model tells it. `jobs` learns the ids of what is claimed: all others name those.
    pub(super) fn line(self, row: &PgRow, jobs: &mut HashMap<i64, Key>) -> sqlx::Result<String> {
        let number = |column: &str| row.try_get::<i64, _>(column);
        let text = |column: &str| row.try_get::<String, _>(column);
        Ok(match self {
            Self::AppendEvents => refused_or_appended(row)?,
            Self::ReadEvents => {
                let cause: Option<Uuid> = row.try_get("causation_id")?;
                let cause = cause.map(|cause| format!(" because of {:x}", cause.as_u128())).unwrap_or_default();
                format!("{} {} {} {}{cause}", number("position")?, text("stream")?, number("version")?, text("type")?)
            }
            Self::ReadCheckpoint | Self::AdvanceRelay => format!("at {}", number("position")?),
            Self::TakeLeadership => format!("term {}", number("term")?),
            Self::EnlistJobs => format!("{} new", number("count")?),
            Self::DueJobs | Self::RescueJobs | Self::CancelJobs | Self::RequeueJobs => {
                format!("{}@{}", text("consumer")?, number("position")?)
            }
            Self::ClaimJobs(consumer) => {
                let key = Key { position: number("position")?, consumer };
                jobs.insert(number("job")?, key);
                format!("{key} attempt {} fence {}", row.try_get::<i32, _>("attempt")?, number("fence")?)
            }
            Self::RenewLeases => named(number("job")?, jobs),
            Self::CompleteAttempts => format!("{} fence {}", named(number("job")?, jobs), number("fence")?),
            Self::EndAttempts => format!("{} fence {}", named(number("id")?, jobs), number("fence")?),
            Self::ResignLeadership | Self::PauseConsumer | Self::ResumeConsumer => "an answer".to_owned(),
        })
    }
}

fn refused_or_appended(row: &PgRow) -> sqlx::Result<String> {
    let outcome: String = row.try_get("outcome")?;
    let position: Option<i64> = row.try_get("position")?;
    let (append, position) = (row.try_get::<Option<i32>, _>("append")?.unwrap_or(-1), position.unwrap_or(-1));
    Ok(match outcome.as_str() {
        "conflict" => {
            let (stream, version): (String, i64) = (row.try_get("stream")?, row.try_get("version")?);
            format!("{append} conflicts: {stream} is at {version}")
        }
        "duplicate" => {
            let (fingerprint, answer): (Vec<u8>, serde_json::Value) =
                (row.try_get("fingerprint")?, row.try_get("answer")?);
            let fingerprint = fingerprint.first().copied().unwrap_or_default();
            format!("{append} is a duplicate of {position}: {fingerprint} answered {answer}")
        }
        other => format!("{other} after {position}"),
    })
}

fn named(id: i64, jobs: &HashMap<i64, Key>) -> String {
    jobs.get(&id).map_or_else(|| format!("job {id}"), Key::to_string)
}
