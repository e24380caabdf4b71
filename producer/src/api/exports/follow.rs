//! `GET /v1/exports/{id}/progress`: how far packing is, as server-sent events, until it has ended.

use std::convert::Infallible;
use std::time::Duration;

use atelier_events::ExportId;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream as Events};

use super::read::{ExportAnswer, ExportProgress, Seen, find};
use crate::app::App;
use crate::input::Id;
use crate::problem::{self, Problem};

/// How often it is looked for: as often as workers tell it.
const LOOK: Duration = Duration::from_secs(1);

/// How often a comment says that the connection lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Follows an export until it has ended: each event is named after its state, `data` is what reading it answers.
#[utoipa::path(
    get, path = "/v1/exports/{id}/progress", tag = "exports", params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 200, description = "How far it has come, whenever that changes", body = String, content_type = "text/event-stream"),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn follow_export(State(app): State<App>, Id(id): Id<ExportId>) -> Result<Response, Problem> {
    find(&app, id).await?;
    let follower = Follower { app, id, told: None };
    Ok(Sse::new(follower.events()).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

struct Follower {
    app: App,
    id: ExportId,
    /// State and progress that were sent last.
    told: Option<(String, Option<ExportProgress>)>,
}

impl Follower {
    fn events(self) -> impl Events<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut follower| async move {
            let event = follower.next().await?;
            Some((Ok(event), follower))
        })
    }

    /// What is news, waiting for it; none when it has ended, and that was told.
    async fn next(&mut self) -> Option<Event> {
        let mut progress = self.app.index.progress();
        loop {
            if self.app.stopping.is_cancelled() || self.told.as_ref().is_some_and(|(state, _)| state != "pending") {
                return None;
            }
            progress.borrow_and_update();
            match self.look().await {
                Ok(Some(event)) => return Some(event),
                Ok(None) => {}
                Err(problem) => tracing::warn!(?problem, "an export could not be read; trying again"),
            }
            tokio::select! {
                _ = progress.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = self.app.stopping.cancelled() => return None,
            }
        }
    }

    async fn look(&mut self) -> Result<Option<Event>, Problem> {
        let seen = Seen::of(&self.app, find(&self.app, self.id).await?).await?;
        let now = (seen.row.state.clone(), seen.progress.clone());
        if self.told.as_ref() == Some(&now) {
            return Ok(None);
        }
        let state = now.0.clone();
        self.told = Some(now);
        let answer = ExportAnswer::of(&self.app, seen).await?;
        // An answer is made of strings, numbers and JSON; it is representable as JSON.
        Event::default().event(state).json_data(answer).map(Some).map_err(Problem::internal)
    }
}
