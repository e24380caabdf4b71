//! `GET /v1/artworks`: newest first, a page at a time.

use atelier_events::percent;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::LINK;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::answers::ArtworkAnswer;
use crate::app::App;
use crate::cursor::Page;
use crate::index::ArtworkFilter;
use crate::input::{Params, not_one_of, page_size};
use crate::problem::{self, Flaws, Kind, Problem};

pub(crate) const STATUSES: [&str; 4] = ["pending", "processing", "active", "failed"];
pub(crate) const WORDS_CHARS: usize = 200;

/// Which artworks, and which page of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Listing {
    /// How many, 50 when nothing is said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before, with the same filters.
    cursor: Option<String>,
    /// `pending`, `processing`, `active` or `failed`.
    status: Option<String>,
    /// With this tag.
    tag: Option<String>,
    /// In this category.
    category: Option<String>,
    /// Featured, or not.
    featured: Option<bool>,
    /// Containing these words, as in a web search: quotes, `or` and `-` work.
    #[param(max_length = 200)]
    q: Option<String>,
    /// Of this owner.
    owner: Option<String>,
    /// Waits until the index has got to this position of the log.
    #[param(minimum = 0)]
    after: Option<i64>,
}

/// A page of artworks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ArtworksAnswer {
    /// Newest first.
    items: Vec<ArtworkAnswer>,
    /// Names the page after this one; none on the last. Also in the `Link` header.
    next_cursor: Option<String>,
}

/// Lists artworks, newest first.
#[utoipa::path(
    get, path = "/v1/artworks", tag = "artworks", params(Listing),
    responses(
        (status = 200, description = "A page of them; `Link: <…>; rel=\"next\"` names the next", body = ArtworksAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_artworks(
    State(app): State<App>,
    Params(listing): Params<Listing>,
) -> Result<Response, Problem> {
    let limit = check(&listing)?;
    let page = Page::open(filter_words(&listing), listing.cursor.as_deref(), limit)?;
    app.caught_up(listing.after).await?;
    let filter = ArtworkFilter {
        before: page.last_before,
        id: None,
        status: listing.status.clone(),
        tag: listing.tag.as_ref().map(|tag| tag.trim().to_lowercase()),
        category: listing.category.as_ref().map(|category| category.trim().to_lowercase()),
        featured: listing.featured,
        owner: listing.owner.clone(),
        words: listing.q.clone(),
    };
    let mut rows = app.index.find_artworks(&filter, page.rows()).await?;
    let next_cursor = page.cut(&mut rows, |row| row.created_position);
    let items = rows.into_iter().map(|row| ArtworkAnswer::of(&app, row)).collect();
    let link = next_cursor.as_ref().map(|cursor| next_link(&app, &listing, limit, cursor)).transpose()?;
    let mut response = Json(ArtworksAnswer { items, next_cursor }).into_response();
    if let Some(link) = link {
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

fn check(listing: &Listing) -> Result<i64, Problem> {
    let mut flaws = Flaws::default();
    let limit = page_size(listing.limit, &mut flaws);
    flaws.parameters([("status", not_one_of(listing.status.as_deref(), &STATUSES))]);
    if let Some(chars) = listing.q.as_ref().map(|words| words.chars().count()).filter(|chars| *chars > WORDS_CHARS) {
        flaws.parameter("q", format!("has {chars} characters, at most {WORDS_CHARS} are allowed"));
    }
    flaws.refuse(Kind::Invalid)?;
    Ok(limit)
}

/// The filters as pairs, in one order: what a cursor is bound to and what the next page's address repeats.
fn pairs(listing: &Listing) -> Vec<(&'static str, String)> {
    let text = |name, value: &Option<String>| value.clone().map(|value| (name, value));
    [
        text("status", &listing.status),
        text("tag", &listing.tag),
        text("category", &listing.category),
        listing.featured.map(|featured| ("featured", featured.to_string())),
        text("q", &listing.q),
        text("owner", &listing.owner),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn filter_words(listing: &Listing) -> String {
    format!("artworks {:?}", pairs(listing))
}

fn next_link(app: &App, listing: &Listing, limit: i64, cursor: &str) -> Result<HeaderValue, Problem> {
    let filters = pairs(listing).into_iter().map(|(name, value)| format!("&{name}={}", percent::encode(&value)));
    let query: String = std::iter::once(format!("limit={limit}&cursor={cursor}")).chain(filters).collect();
    let link = format!("<{}?{query}>; rel=\"next\"", app.api_url("/v1/artworks"));
    HeaderValue::from_str(&link).map_err(Problem::internal)
}
