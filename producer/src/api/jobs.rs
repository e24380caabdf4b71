//! `GET /v1/jobs`: what the consumers have done, do and will do.

use atelier_events::consumer::Kind as ConsumerKind;
use atelier_events::jobs::{self, Filter, Job};
use atelier_events::{Consumer, Stream};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::cursor;
use crate::input::{Params, page_size};
use crate::problem::{self, Flaws, Kind, Problem};

const STATES: [&str; 7] = ["available", "scheduled", "running", "retryable", "completed", "cancelled", "discarded"];

/// Which jobs, and which page of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Listing {
    /// How many, 50 when nothing is said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before, with the same filters.
    cursor: Option<String>,
    /// `generate`, `thumbnails`, `exports` or `sidecars`.
    consumer: Option<String>,
    /// `available`, `scheduled`, `running`, `retryable`, `completed`, `cancelled` or `discarded`.
    state: Option<String>,
    /// About this stream, such as `artwork-<id>`.
    stream: Option<String>,
}

/// A job: one event that one consumer must act on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobAnswer {
    id: i64,
    /// Whose it is.
    consumer: String,
    /// The event it is about.
    position: i64,
    /// The event's stream.
    stream: String,
    /// `available`, `scheduled`, `running`, `retryable`, `completed`, `cancelled` or `discarded`.
    state: String,
    /// Tries so far.
    attempt: i32,
    /// Not before this.
    #[serde(with = "time::serde::rfc3339")]
    run_at: OffsetDateTime,
    /// Who has, or had, its lease.
    worker: Option<String>,
    /// What went wrong last.
    error: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When the last try began.
    #[serde(with = "time::serde::rfc3339::option")]
    attempted_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
}

impl From<Job> for JobAnswer {
    fn from(job: Job) -> Self {
        Self {
            id: job.id,
            consumer: job.consumer,
            position: job.position.0,
            stream: job.stream.as_str().to_owned(),
            state: job.state,
            attempt: job.attempt,
            run_at: job.run_at,
            worker: job.worker,
            error: job.error,
            created_at: job.created_at,
            attempted_at: job.attempted_at,
            finished_at: job.finished_at,
        }
    }
}

/// How many jobs a consumer has in a state.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobCount {
    consumer: String,
    state: String,
    jobs: i64,
}

/// A page of jobs, and how many there are in all.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobsAnswer {
    /// Newest first.
    items: Vec<JobAnswer>,
    /// Of all jobs, whatever the filters.
    counts: Vec<JobCount>,
    /// Names the page after this one; none on the last.
    next_cursor: Option<String>,
}

/// Lists jobs, newest first.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "operations", params(Listing),
    responses(
        (status = 200, description = "A page of them", body = JobsAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_jobs(
    State(app): State<App>,
    Params(listing): Params<Listing>,
) -> Result<Json<JobsAnswer>, Problem> {
    let limit = check(&listing)?;
    let words = format!("jobs {:?}", (&listing.consumer, &listing.state, &listing.stream));
    let before = listing.cursor.as_deref().map(|word| cursor::read(&words, word)).transpose()?;
    let filter = Filter {
        consumer: listing.consumer,
        state: listing.state,
        stream: listing.stream.map(Stream::from),
        position: None,
        before,
    };
    let mut jobs = jobs::list(app.log.pool(), &filter, limit + 1).await?;
    let more = i64::try_from(jobs.len()).unwrap_or(i64::MAX) > limit;
    jobs.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next_cursor = jobs.last().filter(|_| more).map(|job| cursor::write(&words, job.id));
    let counts = jobs::count(app.log.pool()).await?;
    let count = |count: jobs::Count| JobCount { consumer: count.consumer, state: count.state, jobs: count.jobs };
    Ok(Json(JobsAnswer {
        items: jobs.into_iter().map(JobAnswer::from).collect(),
        counts: counts.into_iter().map(count).collect(),
        next_cursor,
    }))
}

fn check(listing: &Listing) -> Result<i64, Problem> {
    let mut flaws = Flaws::default();
    let limit = page_size(listing.limit, &mut flaws);
    let consumers = Consumer::ALL.into_iter().filter(|consumer| consumer.kind() == ConsumerKind::Job);
    let consumers: Vec<&str> = consumers.map(Consumer::name).collect();
    if let Some(consumer) = listing.consumer.as_deref().filter(|name| !consumers.contains(name)) {
        flaws.parameter("consumer", format!("{consumer:?} is not one of {}", consumers.join(", ")));
    }
    if let Some(state) = listing.state.as_deref().filter(|state| !STATES.contains(state)) {
        flaws.parameter("state", format!("{state:?} is not one of {}", STATES.join(", ")));
    }
    flaws.refuse(Kind::Invalid)?;
    Ok(limit)
}
