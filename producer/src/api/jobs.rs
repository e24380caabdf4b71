//! `GET /v1/jobs`: what the consumers have done, do and will do.

pub(super) mod explain;
pub(super) mod orders;

use atelier_events::Stream;
use atelier_events::jobs::{self, Filter, Job, STATES};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::cursor::Page;
use crate::input::{Params, not_a_time, not_one_of, page_size, time};
use crate::problem::{self, Flaws, Kind, Problem};

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
    /// `generate`, `thumbnails`, `exports`, `webhooks` or `sidecars`.
    consumer: Option<String>,
    /// `available`, `scheduled`, `running`, `retryable`, `completed`, `cancelled` or `discarded`.
    state: Option<String>,
    /// About this stream, such as `artwork-<id>`.
    stream: Option<String>,
    /// About artworks of this owner, or exports that they asked for.
    owner: Option<String>,
    /// Whose last error holds these words, whatever their case.
    error: Option<String>,
    /// That came into their state at this time or later (RFC 3339).
    #[param(format = DateTime)]
    since: Option<String>,
    /// That came into their state before this time (RFC 3339).
    #[param(format = DateTime)]
    until: Option<String>,
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
    /// `interactive` or `bulk`, which waits until nothing interactive does.
    priority: &'static str,
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
    /// The last twenty errors, the oldest first.
    #[schema(value_type = Vec<FailureOfAttempt>)]
    failures: Value,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When the last try began.
    #[serde(with = "time::serde::rfc3339::option")]
    attempted_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
    /// How far it has come, of one that runs and says so.
    #[schema(value_type = Option<Object>)]
    progress: Option<Value>,
    /// The trace that it belongs to: that of the request which led to its event.
    trace_id: Option<String>,
}

impl From<Job> for JobAnswer {
    fn from(job: Job) -> Self {
        Self {
            id: job.id,
            consumer: job.consumer,
            position: job.position.0,
            stream: job.stream.as_str().to_owned(),
            priority: if job.priority == 0 { "interactive" } else { "bulk" },
            state: job.state,
            attempt: job.attempt,
            run_at: job.run_at,
            worker: job.worker,
            error: job.error,
            failures: job.failures,
            created_at: job.created_at,
            attempted_at: job.attempted_at,
            finished_at: job.finished_at,
            progress: job.progress,
            trace_id: job.trace_id,
        }
    }
}

/// An attempt that failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailureOfAttempt {
    /// Which, from 1.
    attempt: i32,
    /// Who tried.
    worker: Option<String>,
    /// What went wrong, with its causes.
    error: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
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
    let Listing { consumer, state, stream, owner, error, since, until, .. } = &listing;
    let words = (consumer, state, stream, owner, error, since, until);
    let page = Page::open(format!("jobs {words:?}"), listing.cursor.as_deref(), limit)?;
    let filter = Filter {
        consumer: listing.consumer,
        state: listing.state,
        stream: listing.stream.map(Stream::from),
        owner: listing.owner,
        error: listing.error,
        since: listing.since.as_deref().and_then(time),
        until: listing.until.as_deref().and_then(time),
        before: page.last_before,
        ..Filter::default()
    };
    let mut jobs = jobs::list(app.log.pool(), &filter, page.rows()).await?;
    let next_cursor = page.cut(&mut jobs, |job| job.id);
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
    flaws.parameters([
        ("consumer", not_one_of(listing.consumer.as_deref(), &jobs::consumer_names())),
        ("state", not_one_of(listing.state.as_deref(), &STATES)),
        ("since", not_a_time(listing.since.as_deref())),
        ("until", not_a_time(listing.until.as_deref())),
    ]);
    flaws.refuse(Kind::Invalid)?;
    Ok(limit)
}
