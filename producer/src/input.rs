//! What comes in: bodies, query parameters and path ids, refused with everything that is wrong with them.

mod body;
mod checks;
mod duration;

use std::str::FromStr;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

pub(crate) use body::{Asked, Command};
pub(crate) use checks::{
    check_count, check_date, check_line, check_tags, check_text, check_url, not_a_priority, not_a_time, not_one_of,
    priority, tidy_tags, time,
};
pub(crate) use duration::Wait;

use crate::problem::{Flaws, Kind, Problem};

/// The query parameters. `T` refuses those it does not know.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // Postgres takes no NUL in a text, so one could only ever fail, and later.
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(Problem::new(Kind::Malformed, "the query holds a NUL (%00): leave it out"));
        }
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(params)| Self(params)).map_err(|rejection| refused_query(&rejection))
    }
}

fn refused_query(rejection: &QueryRejection) -> Problem {
    let text = rejection.body_text();
    let reason = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
    let mut flaws = Flaws::default();
    match reason.split_once(": ") {
        Some((name, reason)) if !name.contains(' ') => flaws.parameter(name, reason),
        _ => return Problem::new(Kind::Malformed, reason),
    }
    Problem::flawed(Kind::Invalid, flaws)
}

/// The id in the path. What is not an id names nothing.
pub(crate) struct Id<T>(pub(crate) T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(id) = path.map_err(|rejection| Problem::new(Kind::Malformed, rejection.body_text()))?;
        let none = |_| Problem::new(Kind::NotFound, format!("{id:?} is not an id (a UUID), so nothing has it"));
        id.parse().map(Self).map_err(none)
    }
}

/// How many rows a page has: what was asked for, within the bounds.
pub(crate) fn page_size(limit: Option<i64>, flaws: &mut Flaws) -> i64 {
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        flaws.parameter("limit", format!("{limit} is not from 1 to {PAGE_MAX}"));
    }
    limit
}

const PAGE_DEFAULT: i64 = 50;
const PAGE_MAX: i64 = 200;
