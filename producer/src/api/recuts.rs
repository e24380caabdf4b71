//! `POST /v1/variants/recut`: renditions cut again, by the recipe of today.

use atelier_events::jobs::BULK_LIMIT;
use atelier_events::{ArtworkId, Position};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::answers::accepted;
use crate::app::App;
use crate::auth::Asking;
use crate::cursor::Page;
use crate::idempotency::{self, IdempotencyKey};
use crate::input::{Asked, Command, check_count, not_a_time, not_one_of, time};
use crate::problem::{self, Flaws, Problem};
use crate::recut::{Recipes, STATES, Selection, choose, requests};

/// Which variants are to be cut again: those that everything given here is true of. To mean all, say so.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct RecutOrder {
    /// Of these artworks, at most 1,000.
    #[schema(max_items = 1_000)]
    artwork_ids: Option<Vec<Uuid>>,
    /// Of this owner's artworks.
    owner: Option<String>,
    /// `completed`, which is meant when nothing is said, or `failed`: refused when they were cut.
    #[schema(example = "completed")]
    state: Option<String>,
    /// Cut by another recipe than the one of this hash, which `atelier recut --dry-run` prints and variants carry.
    #[schema(example = "5f2c9e01d7ab")]
    other_than: Option<String>,
    /// Of artworks added at this time or later.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// Of artworks added before this time.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// Every variant in the state.
    all: bool,
    /// Only count them.
    dry_run: bool,
    /// The `next_cursor` of the order before, with the same filters.
    cursor: Option<String>,
}

impl Command for RecutOrder {
    fn check(&self, flaws: &mut Flaws) {
        let words = [&self.owner, &self.other_than, &self.since, &self.until];
        // A state alone means all in it.
        if self.artwork_ids.is_none() && words.into_iter().all(Option::is_none) && !self.all {
            flaws.at(
                "/all",
                "name some variants by artwork_ids, owner, other_than, since or until, or give \"all\": true",
            );
        }
        let most = usize::try_from(BULK_LIMIT).unwrap_or(usize::MAX);
        check_count("/artwork_ids", self.artwork_ids.as_deref().map_or(0, <[Uuid]>::len), most, flaws);
        flaws.fields([
            ("state", not_one_of(self.state.as_deref(), &STATES)),
            ("since", not_a_time(self.since.as_deref())),
            ("until", not_a_time(self.until.as_deref())),
        ]);
    }
}

impl RecutOrder {
    fn selection(self) -> Selection {
        Selection {
            artworks: self.artwork_ids.map(|ids| ids.into_iter().map(ArtworkId).collect()),
            owner: self.owner,
            state: self.state,
            other_than: self.other_than.map(|everywhere| Recipes { everywhere, ..Recipes::default() }),
            since: self.since.as_deref().and_then(time),
            until: self.until.as_deref().and_then(time),
        }
    }

    /// What a cursor is bound to.
    fn words(&self) -> String {
        let Self { artwork_ids, owner, state, other_than, since, until, all: _, dry_run: _, cursor: _ } = self;
        format!("recuts {:?}", (artwork_ids, owner, state, other_than, since, until))
    }
}

/// What came of an order.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecutAnswer {
    /// Those that are going to be cut again, at most 1,000; none of a dry run.
    variants: Vec<Uuid>,
    /// How many match, with those that are left for the next orders.
    matching: i64,
    /// To be given with the next order, with the same filters, which goes on behind these; none when these were the last.
    next_cursor: Option<String>,
    /// Of the last event that asks for it, if any does: to be given as `?after=`.
    position: Option<i64>,
}

/// Has renditions cut again by the recipe of today. They go behind whatever somebody waits for; what is shown stays until
/// the new ones are there, and what was cut by today's recipe already is not cut again.
#[utoipa::path(
    post, path = "/v1/variants/recut", tag = "operations", request_body = RecutOrder,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes sending the same request again harmless, for 30 days or what `relay.keep_idempotency_keys_s` says")),
    responses(
        (status = 200, description = "There was nothing to do, or it was a dry run", body = RecutAnswer),
        (status = 202, description = "They are going to be cut", body = RecutAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn recut_variants(
    State(app): State<App>,
    asking: Asking,
    key: IdempotencyKey,
    Asked { command, fingerprint }: Asked<RecutOrder>,
) -> Result<Response, Problem> {
    let idempotent = idempotency::Command::new(&asking, key, fingerprint);
    if let Some(answered) = idempotent.answered(&app.log).await? {
        return accepted(answered);
    }
    let page = Page::open(command.words(), command.cursor.as_deref(), BULK_LIMIT)?;
    let after = Position(page.last_before.unwrap_or_default());
    let dry_run = command.dry_run;
    let mut chosen = choose(app.log.pool(), &command.selection(), after, page.rows()).await?;
    let matching = chosen.first().map_or(0, |first| first.matching);
    if dry_run || chosen.is_empty() {
        return Ok(
            Json(RecutAnswer { variants: Vec::new(), matching, next_cursor: None, position: None }).into_response()
        );
    }
    let next_cursor = page.cut(&mut chosen, |last| last.requested_position.0);
    let variants: Vec<Uuid> = chosen.iter().map(|one| one.variant_id).collect();
    let answer = json!({ "variants": variants, "matching": matching, "next_cursor": next_cursor });
    accepted(idempotent.append(&app.log, requests(&chosen, &asking.context), answer).await?)
}
