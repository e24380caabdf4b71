//! `POST /v1/jobs/{cancel,requeue,purge}`: orders for jobs, one or a thousand at a time.

use atelier_events::jobs::{self, BULK_LIMIT, Filter, Ordered, Refused, STATES};
use atelier_events::{Position, Stream};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Asking;
use crate::input::{Asked, Command, check_count, not_a_time, not_one_of, time};
use crate::problem::{self, Flaws, Problem};

/// Which jobs an order is for: those that everything given here is true of. To mean all, say so.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct JobsOrder {
    /// These, at most 1,000.
    #[schema(max_items = 1_000)]
    ids: Option<Vec<i64>>,
    /// `generate`, `thumbnails`, `exports`, `webhooks` or `sidecars`.
    consumer: Option<String>,
    /// In this state.
    state: Option<String>,
    /// About this stream, such as `artwork-<id>`.
    stream: Option<String>,
    /// About artworks of this owner, or exports that they asked for.
    owner: Option<String>,
    /// Whose last error holds these words, whatever their case.
    error: Option<String>,
    /// That came into their state at this time or later.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// That came into their state before this time.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// Every job that the order can be carried out on.
    all: bool,
}

impl JobsOrder {
    fn filter(self) -> Filter {
        Filter {
            consumer: self.consumer,
            state: self.state,
            stream: self.stream.map(Stream::from),
            ids: self.ids,
            owner: self.owner,
            error: self.error,
            since: self.since.as_deref().and_then(time),
            until: self.until.as_deref().and_then(time),
            ..Filter::default()
        }
    }

    fn names_nothing(&self) -> bool {
        let words = [&self.consumer, &self.state, &self.stream, &self.owner, &self.error, &self.since, &self.until];
        self.ids.is_none() && words.into_iter().all(Option::is_none)
    }
}

impl Command for JobsOrder {
    fn check(&self, flaws: &mut Flaws) {
        if self.names_nothing() && !self.all {
            flaws.at(
                "/all",
                "name some jobs by ids, consumer, state, stream, owner, error, since or until, or give \"all\": true",
            );
        }
        let most = usize::try_from(BULK_LIMIT).unwrap_or(usize::MAX);
        check_count("/ids", self.ids.as_deref().map_or(0, <[i64]>::len), most, flaws);
        flaws.fields([
            ("consumer", not_one_of(self.consumer.as_deref(), &jobs::consumer_names())),
            ("state", not_one_of(self.state.as_deref(), &STATES)),
            ("since", not_a_time(self.since.as_deref())),
            ("until", not_a_time(self.until.as_deref())),
        ]);
    }
}

/// What came of an order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderAnswer {
    /// The jobs it was carried out on: of those named, all in a state that allows it.
    jobs: Vec<i64>,
    /// It stops after 1,000 jobs of a state: send it again for the rest.
    more: bool,
    /// Of the last event that tells of it, if any does: to be given as `?after=`.
    position: Option<i64>,
}

impl From<Ordered> for OrderAnswer {
    fn from(ordered: Ordered) -> Self {
        let Ordered { jobs, more, position } = ordered;
        Self { jobs, more, position: position.map(|Position(position)| position) }
    }
}

/// Cancels jobs that wait or run; what has ended stays as it is.
#[utoipa::path(
    post, path = "/v1/jobs/cancel", tag = "operations", request_body = JobsOrder,
    responses(
        (status = 200, description = "They are cancelled", body = OrderAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel_jobs(
    State(app): State<App>,
    asking: Asking,
    Asked { command, .. }: Asked<JobsOrder>,
) -> Result<Json<OrderAnswer>, Problem> {
    let ordered = jobs::cancel(&app.log, &command.filter(), &asking.owner).await.map_err(refused)?;
    Ok(Json(ordered.into()))
}

/// Gives discarded and cancelled jobs all their attempts again.
#[utoipa::path(
    post, path = "/v1/jobs/requeue", tag = "operations", request_body = JobsOrder,
    responses(
        (status = 200, description = "They are available", body = OrderAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn requeue_jobs(
    State(app): State<App>,
    Asked { command, .. }: Asked<JobsOrder>,
) -> Result<Json<OrderAnswer>, Problem> {
    let ordered = jobs::requeue(&app.log, &command.filter()).await.map_err(refused)?;
    Ok(Json(ordered.into()))
}

/// Forgets discarded and cancelled jobs. What the log says of them stays.
#[utoipa::path(
    post, path = "/v1/jobs/purge", tag = "operations", request_body = JobsOrder,
    responses(
        (status = 200, description = "They are forgotten", body = OrderAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn purge_jobs(
    State(app): State<App>,
    Asked { command, .. }: Asked<JobsOrder>,
) -> Result<Json<OrderAnswer>, Problem> {
    let ordered = jobs::purge(&app.log, &command.filter()).await.map_err(refused)?;
    Ok(Json(ordered.into()))
}

pub(crate) fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::Database(error) => error.into(),
        Refused::Log(error) => error.into(),
    }
}
