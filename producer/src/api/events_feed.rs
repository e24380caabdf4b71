//! `GET /v1/events`: the log as server-sent events, from any position, without a gap.
//!
//! The hint that the log has grown is registered for before the log is read, so what comes between a read and the wait
//! ends the wait. A hint that is lost costs [`POLL`].

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use atelier_events::log::Filter;
use atelier_events::{Event as LoggedEvent, Position, Recorded, Stream};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream as Events};
use serde::Deserialize;
use tokio::sync::watch;
use utoipa::IntoParams;

use crate::app::App;
use crate::input::Params;
use crate::problem::{self, Flaws, Kind, Problem};

/// How often the log is looked at when nothing hints at it.
const POLL: Duration = Duration::from_secs(1);

/// How often a comment says that the connection lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// When a client that lost its connection comes back.
const RETRY: Duration = Duration::from_secs(1);

/// Events that one read brings; a slow client holds no more than these.
const BATCH: i64 = 200;

/// Which events.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Following {
    /// Those after this position; 0, all of them, when nothing is said. `Last-Event-ID` goes before it.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Those of this stream, such as `artwork-<id>`: an artwork's tells of everything that becomes of it, with
    /// `artwork.published` of the address at which its page is live.
    stream: Option<String>,
    /// Those of this type, such as `variant.failed`.
    r#type: Option<String>,
    /// So many, and then the end.
    #[param(minimum = 1)]
    limit: Option<i64>,
    /// `false`: those that there are now, and then the end.
    follow: Option<bool>,
}

/// Follows the log: `id` is the event's position, `event` its type, `data` the event as JSON.
#[utoipa::path(
    get, path = "/v1/events", tag = "events", params(
        Following,
        ("Last-Event-ID" = Option<i64>, Header, description = "Goes on after this position"),
    ),
    responses(
        (status = 200, description = "The events, in order and without a gap", body = String, content_type = "text/event-stream"),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn follow_events(
    State(app): State<App>,
    headers: HeaderMap,
    Params(following): Params<Following>,
) -> Result<Response, Problem> {
    let feed = Feed::open(app, &headers, following).await?;
    let keep_alive = KeepAlive::new().interval(HEARTBEAT);
    let events = feed.events();
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}

/// One client's place in the log.
struct Feed {
    app: App,
    grown: watch::Receiver<u64>,
    /// Everything up to here has been sent or lies in `ready`.
    at: Position,
    /// Where to end, when not to follow.
    until: Option<Position>,
    filter: Filter,
    /// How many may still be sent.
    left: Option<i64>,
    ready: VecDeque<Recorded>,
    greeted: bool,
}

impl Feed {
    async fn open(app: App, headers: &HeaderMap, following: Following) -> Result<Self, Problem> {
        let mut flaws = Flaws::default();
        let last =
            headers.get("last-event-id").map(|value| value.to_str().ok().and_then(|text| text.trim().parse().ok()));
        if last == Some(None) {
            flaws.parameter("Last-Event-ID", "is not a position of the log: send the id of the last event");
        }
        let after = last.flatten().or(following.after).unwrap_or_default();
        if after < 0 {
            flaws.parameter("after", format!("{after} is before the log: 0 is its beginning"));
        }
        if let Some(limit) = following.limit.filter(|limit| *limit < 1) {
            flaws.parameter("limit", format!("{limit} is less than 1"));
        }
        if let Some(Err(error)) = following.r#type.as_deref().map(LoggedEvent::known_type) {
            flaws.parameter("type", error.to_string());
        }
        flaws.refuse(Kind::Invalid)?;
        let grown = app.log.grown();
        let head = app.log.head().await?;
        Ok(Self {
            app,
            grown,
            at: Position(after),
            until: (following.follow == Some(false)).then_some(head),
            filter: Filter {
                stream: following.stream.map(Stream::from),
                types: following.r#type.into_iter().collect(),
            },
            left: following.limit,
            ready: VecDeque::new(),
            greeted: false,
        })
    }

    fn events(self) -> impl Events<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut feed| async move {
            if !feed.greeted {
                feed.greeted = true;
                return Some((Ok(Event::default().retry(RETRY)), feed));
            }
            let event = feed.next().await?;
            Some((Ok(written(&event)), feed))
        })
    }

    /// The next event, waiting for it; none at the end.
    async fn next(&mut self) -> Option<Recorded> {
        loop {
            // The client goes on from its last event elsewhere.
            if self.left == Some(0) || self.app.stopping.is_cancelled() {
                return None;
            }
            if let Some(event) = self.ready.pop_front() {
                if self.until.is_some_and(|until| event.position > until) {
                    return None;
                }
                self.left = self.left.map(|left| left - 1);
                return Some(event);
            }
            if self.until.is_some_and(|until| self.at >= until) {
                return None;
            }
            self.grown.borrow_and_update();
            if self.read().await {
                continue;
            }
            tokio::select! {
                changed = self.grown.changed() => changed.ok()?,
                () = tokio::time::sleep(POLL) => {}
                () = self.app.stopping.cancelled() => return None,
            }
        }
    }

    /// Reads on. False when there is nothing more to read now.
    async fn read(&mut self) -> bool {
        match self.read_on().await {
            Ok(at) => at > std::mem::replace(&mut self.at, at),
            Err(error) => {
                tracing::warn!(error = %error, "the event feed could not read the log; trying again");
                false
            }
        }
    }

    /// Looks up the next ones, so that the rest of the log need not be read for them; answers up to where it has looked.
    async fn read_on(&mut self) -> sqlx::Result<Position> {
        // Before they are looked up: what is appended after it is found the next time.
        let head = self.app.log.head().await?;
        if head <= self.at {
            return Ok(self.at);
        }
        let found = self.app.log.find(&self.filter, self.at, BATCH).await?;
        let last = found.last().map_or(self.at, |last| last.position);
        let is_all = i64::try_from(found.len()).is_ok_and(|count| count < BATCH);
        self.ready.extend(found);
        Ok(if is_all { head.max(last) } else { last })
    }
}

fn written(event: &Recorded) -> Event {
    let written = Event::default().id(event.position.to_string()).event(&event.event_type);
    // A recorded event is made of strings, numbers and JSON; it is representable as JSON.
    written.json_data(event).unwrap_or_else(|error| Event::default().comment(error.to_string()))
}
