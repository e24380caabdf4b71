//! `/v1/replays`: projections built again from the log, by the daemon whose they are.

use atelier_events::Consumer;
use atelier_events::consumer::Kind as ConsumerKind;
use atelier_events::replays::{self, Replay, Wanted};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Asking;
use crate::input::{Asked, Command, Params, not_one_of};
use crate::problem::{self, Flaws, Kind, Problem};

/// What a replay may start from.
const FROM: [&str; 2] = ["log", "backup"];

/// Which projection is to be replayed, and how.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct ReplayOrder {
    /// `index` or `site`.
    #[schema(example = "index")]
    consumer: Option<String>,
    /// Change nothing: only tell what differs from what is live.
    dry_run: bool,
    /// Of the index: `log`, which is meant when nothing is said, or `backup`: what was live before the last replay.
    from: Option<String>,
    /// Of the index: start over, although an interrupted replay could be gone on with.
    fresh: bool,
}

impl Command for ReplayOrder {
    fn check(&self, flaws: &mut Flaws) {
        if self.consumer.is_none() {
            flaws.at("/consumer", format!("name what is to be replayed: {}", projections().join(" or ")));
        }
        flaws.fields([
            ("consumer", not_one_of(self.consumer.as_deref(), &projections())),
            ("from", not_one_of(self.from.as_deref(), &FROM)),
        ]);
        let of_the_index = self.from.is_some() || self.fresh;
        if of_the_index && self.consumer.as_deref() != Some(Consumer::Index.name()) {
            flaws.at(
                "/consumer",
                "\"from\" and \"fresh\" are for the index: nothing else keeps what a replay could start from",
            );
        }
        if self.fresh && self.from.as_deref() == Some("backup") {
            flaws.at("/fresh", "a replay from the backup has nothing to start over from");
        }
    }
}

/// Which replays.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Listing {
    /// `index` or `site`.
    consumer: Option<String>,
}

/// A replay that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReplayAnswer {
    id: i64,
    /// `index` or `site`.
    consumer: String,
    /// `waiting` for the projection's daemon, `running`, `done`, `failed` or `cancelled`.
    state: &'static str,
    /// Whether it changes nothing.
    dry_run: bool,
    /// `log` or `backup`.
    from: &'static str,
    /// Whether it starts over, whatever an interrupted replay has left.
    fresh: bool,
    asked_by: String,
    #[serde(with = "time::serde::rfc3339")]
    asked_at: OffsetDateTime,
    /// When a daemon took it.
    #[serde(with = "time::serde::rfc3339::option")]
    began_at: Option<OffsetDateTime>,
    /// Of the index: what it is doing (`load`, `index`, `catch_up`), the position it is at and that of the log's last event.
    #[schema(value_type = Option<Object>)]
    progress: Option<Value>,
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    /// What came of it, as the command `replay --json` says it: the new position, or what differs.
    #[schema(value_type = Option<Object>)]
    outcome: Option<Value>,
    /// Why nothing came of it.
    error: Option<String>,
}

impl From<Replay> for ReplayAnswer {
    fn from(replay: Replay) -> Self {
        Self {
            id: replay.id,
            state: replay.state(),
            consumer: replay.consumer,
            dry_run: replay.wanted.dry_run,
            from: if replay.wanted.from_backup { "backup" } else { "log" },
            fresh: replay.wanted.fresh,
            asked_by: replay.asked_by,
            asked_at: replay.asked_at,
            began_at: replay.began_at,
            progress: replay.progress,
            ended_at: replay.ended_at,
            outcome: replay.outcome,
            error: replay.error,
        }
    }
}

/// Replays that were asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReplaysAnswer {
    /// Newest first, at most 100.
    items: Vec<ReplayAnswer>,
}

/// Asks for a replay: the daemon of the projection begins it within seconds. What is live stays live until it is done.
#[utoipa::path(
    post, path = "/v1/replays", tag = "operations", request_body = ReplayOrder,
    responses(
        (status = 202, description = "It is asked for: GET /v1/replays/{id} tells how far it is", body = ReplayAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn ask_replay(
    State(app): State<App>,
    asking: Asking,
    Asked { command, .. }: Asked<ReplayOrder>,
) -> Result<(StatusCode, Json<ReplayAnswer>), Problem> {
    let consumer = command.consumer.as_deref().and_then(Consumer::from_name);
    let consumer = consumer.ok_or_else(|| Problem::internal(anyhow::anyhow!("a checked order names no consumer")))?;
    let from_backup = command.from.as_deref() == Some("backup");
    let wanted = Wanted { dry_run: command.dry_run, from_backup, fresh: command.fresh };
    let asked = replays::ask(&app.log, consumer, wanted, &asking.owner).await?;
    let asked = asked.ok_or_else(|| {
        Problem::new(Kind::Conflict, format!("a replay of {consumer} is open: wait for it, or cancel it first"))
    })?;
    Ok((StatusCode::ACCEPTED, Json(asked.into())))
}

/// Lists replays that were asked for over HTTP.
#[utoipa::path(
    get, path = "/v1/replays", tag = "operations", params(Listing),
    responses(
        (status = 200, description = "The newest", body = ReplaysAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_replays(
    State(app): State<App>,
    Params(listing): Params<Listing>,
) -> Result<Json<ReplaysAnswer>, Problem> {
    let mut flaws = Flaws::default();
    flaws.parameters([("consumer", not_one_of(listing.consumer.as_deref(), &projections()))]);
    flaws.refuse(Kind::Invalid)?;
    let listed = replays::list(app.log.pool(), listing.consumer.as_deref().and_then(Consumer::from_name)).await?;
    Ok(Json(ReplaysAnswer { items: listed.into_iter().map(ReplayAnswer::from).collect() }))
}

/// Tells how far a replay is, or what came of it.
#[utoipa::path(
    get, path = "/v1/replays/{id}", tag = "operations", params(("id" = i64, Path)),
    responses(
        (status = 200, description = "The replay", body = ReplayAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read_replay(State(app): State<App>, Path(id): Path<String>) -> Result<Json<ReplayAnswer>, Problem> {
    find(&app, &id).await.map(|replay| Json(replay.into()))
}

/// Cancels a replay that has not ended: its daemon stops within seconds, and what is live stays as it is. One of the site that
/// runs is not broken off.
#[utoipa::path(
    post, path = "/v1/replays/{id}/cancel", tag = "operations", params(("id" = i64, Path)),
    responses(
        (status = 200, description = "It is cancelled, unless it had ended", body = ReplayAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel_replay(
    State(app): State<App>,
    asking: Asking,
    Path(id): Path<String>,
) -> Result<Json<ReplayAnswer>, Problem> {
    let replay = find(&app, &id).await?;
    let is_cancelled = replays::cancel(&app.log, replay.id, &asking.owner).await?;
    let replay = find(&app, &id).await?;
    if !is_cancelled && replay.ended_at.is_none() {
        return Err(Problem::new(Kind::Conflict, "a replay of the site that runs is not broken off: wait for its end"));
    }
    Ok(Json(replay.into()))
}

async fn find(app: &App, id: &str) -> Result<Replay, Problem> {
    let unknown = || Problem::new(Kind::NotFound, format!("there is no replay {id:?}: GET /v1/replays lists them"));
    let id = id.parse().map_err(|_| unknown())?;
    replays::find(app.log.pool(), id).await?.ok_or_else(unknown)
}

fn projections() -> Vec<&'static str> {
    Consumer::ALL
        .into_iter()
        .filter(|consumer| consumer.kind() == ConsumerKind::Projection)
        .map(Consumer::name)
        .collect()
}
