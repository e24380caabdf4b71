//! `/v1/poison-messages`: what the broker carried to a consumer and no consumer could take.

use atelier_events::poison::{self, BODY_LIMIT, BULK_LIMIT, Filter, Poison};
use atelier_events::{Consumer, Position};
use axum::Json;
use axum::extract::{Path, State};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::cursor::Page;
use crate::input::{Asked, Command, Params, check_count, not_a_time, not_one_of, page_size, time};
use crate::problem::{self, Flaws, Kind, Problem};

/// Which messages, and which page of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Listing {
    /// How many, 50 when nothing is said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before, with the same filters.
    cursor: Option<String>,
    /// Whose queue it was in: `generate`, `thumbnails`, `exports`, `webhooks`, `sidecars`, `index` or `site`.
    consumer: Option<String>,
    /// Whose error holds these words, whatever their case.
    error: Option<String>,
    /// That came, last, at this time or later (RFC 3339).
    #[param(format = DateTime)]
    since: Option<String>,
    /// That came, last, before this time (RFC 3339).
    #[param(format = DateTime)]
    until: Option<String>,
}

/// A message that no consumer could take. Those with the same body are one, and counted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PoisonAnswer {
    id: i64,
    /// Whose queue it was in.
    consumer: String,
    /// `rejected` (it is no event), `delivery_limit` (delivered again and again, never acknowledged) or another word of
    /// the broker's.
    reason: String,
    /// What is wrong with it.
    error: String,
    /// Of the event it carries, where it carries one.
    position: Option<i64>,
    /// What AMQP says of the last of them: content type, ids, exchange and routing key.
    #[schema(value_type = Object)]
    properties: Value,
    /// Of the last of them; `x-death` is the broker's account of how it died.
    #[schema(value_type = Object)]
    headers: Value,
    /// The length of its body.
    body_bytes: i64,
    /// How often it came.
    times: i64,
    #[serde(with = "time::serde::rfc3339")]
    first_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    last_at: OffsetDateTime,
}

impl From<Poison> for PoisonAnswer {
    fn from(poison: Poison) -> Self {
        Self {
            id: poison.id,
            consumer: poison.consumer,
            reason: poison.reason,
            error: poison.error,
            position: poison.position.map(|Position(position)| position),
            properties: poison.properties,
            headers: poison.headers,
            body_bytes: poison.body_bytes,
            times: poison.times,
            first_at: poison.first_at,
            last_at: poison.last_at,
        }
    }
}

/// A page of messages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PoisonsAnswer {
    /// Newest first.
    items: Vec<PoisonAnswer>,
    /// Names the page after this one; none on the last.
    next_cursor: Option<String>,
}

/// A message with its body.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WholePoison {
    #[serde(flatten)]
    message: PoisonAnswer,
    /// The first 65,536 bytes of it, in Base64.
    body: String,
    /// Whether that is all of it.
    body_is_whole: bool,
}

/// Lists poison messages, newest first.
#[utoipa::path(
    get, path = "/v1/poison-messages", tag = "operations", params(Listing),
    responses(
        (status = 200, description = "A page of them", body = PoisonsAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_poison(
    State(app): State<App>,
    Params(listing): Params<Listing>,
) -> Result<Json<PoisonsAnswer>, Problem> {
    let limit = check(&listing)?;
    let words = format!("poison {:?}", (&listing.consumer, &listing.error, &listing.since, &listing.until));
    let page = Page::open(words, listing.cursor.as_deref(), limit)?;
    let filter = Filter {
        ids: None,
        consumer: listing.consumer,
        error: listing.error,
        since: listing.since.as_deref().and_then(time),
        until: listing.until.as_deref().and_then(time),
        before: page.last_before,
    };
    let mut found = poison::list(app.log.pool(), &filter, page.rows()).await?;
    let next_cursor = page.cut(&mut found, |message| message.id);
    Ok(Json(PoisonsAnswer { items: found.into_iter().map(PoisonAnswer::from).collect(), next_cursor }))
}

/// Shows a poison message whole.
#[utoipa::path(
    get, path = "/v1/poison-messages/{id}", tag = "operations", params(("id" = i64, Path)),
    responses(
        (status = 200, description = "The message", body = WholePoison),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read_poison(State(app): State<App>, Path(id): Path<String>) -> Result<Json<WholePoison>, Problem> {
    let unknown = || {
        Problem::new(Kind::NotFound, format!("there is no poison message {id:?}: GET /v1/poison-messages lists them"))
    };
    let number: i64 = id.parse().map_err(|_| unknown())?;
    let only = Filter { ids: Some(vec![number]), ..Filter::default() };
    let message = poison::list(app.log.pool(), &only, 1).await?.pop().ok_or_else(unknown)?;
    let body = poison::body(app.log.pool(), number).await?.ok_or_else(unknown)?;
    let body_is_whole = usize::try_from(message.body_bytes).is_ok_and(|bytes| bytes <= BODY_LIMIT);
    Ok(Json(WholePoison { message: message.into(), body: BASE64_STANDARD.encode(body), body_is_whole }))
}

/// Which messages to forget: those that everything given here is true of. To mean all, say so.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct PoisonOrder {
    /// These, at most 1,000.
    #[schema(max_items = 1_000)]
    ids: Option<Vec<i64>>,
    /// Whose queue it was in.
    consumer: Option<String>,
    /// Whose error holds these words, whatever their case.
    error: Option<String>,
    /// That came, last, at this time or later.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// That came, last, before this time.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// Every one there is.
    all: bool,
}

impl Command for PoisonOrder {
    fn check(&self, flaws: &mut Flaws) {
        let words = [&self.consumer, &self.error, &self.since, &self.until];
        if self.ids.is_none() && words.into_iter().all(Option::is_none) && !self.all {
            flaws.at("/all", "name some messages by ids, consumer, error, since or until, or give \"all\": true");
        }
        let most = usize::try_from(BULK_LIMIT).unwrap_or(usize::MAX);
        check_count("/ids", self.ids.as_deref().map_or(0, <[i64]>::len), most, flaws);
        flaws.fields([
            ("consumer", not_one_of(self.consumer.as_deref(), &Consumer::ALL.map(Consumer::name))),
            ("since", not_a_time(self.since.as_deref())),
            ("until", not_a_time(self.until.as_deref())),
        ]);
    }
}

/// What was forgotten.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PurgeAnswer {
    /// Their ids.
    messages: Vec<i64>,
    /// It stops after 1,000: send it again for the rest.
    more: bool,
}

/// Forgets poison messages.
#[utoipa::path(
    post, path = "/v1/poison-messages/purge", tag = "operations", request_body = PoisonOrder,
    responses(
        (status = 200, description = "They are forgotten", body = PurgeAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn purge_poison(
    State(app): State<App>,
    Asked { command, .. }: Asked<PoisonOrder>,
) -> Result<Json<PurgeAnswer>, Problem> {
    let filter = Filter {
        ids: command.ids,
        consumer: command.consumer,
        error: command.error,
        since: command.since.as_deref().and_then(time),
        until: command.until.as_deref().and_then(time),
        before: None,
    };
    let messages = poison::purge(app.log.pool(), &filter).await?;
    let more = i64::try_from(messages.len()).is_ok_and(|count| count == BULK_LIMIT);
    Ok(Json(PurgeAnswer { messages, more }))
}

fn check(listing: &Listing) -> Result<i64, Problem> {
    let mut flaws = Flaws::default();
    let limit = page_size(listing.limit, &mut flaws);
    flaws.parameters([
        ("consumer", not_one_of(listing.consumer.as_deref(), &Consumer::ALL.map(Consumer::name))),
        ("since", not_a_time(listing.since.as_deref())),
        ("until", not_a_time(listing.until.as_deref())),
    ]);
    flaws.refuse(Kind::Invalid)?;
    Ok(limit)
}
