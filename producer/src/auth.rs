//! Who asks. A key's name is the owner of what is made with it, and the actor of its events.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use atelier_events::{Context, trace};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::app::App;
use crate::problem::{Kind, Problem};

const NAME_CHARS: usize = 40;
const DEFAULT_NAME: &str = "local";

/// The keys that may use the API. Holds digests: the secrets themselves are forgotten after the start.
pub(crate) struct Keys(Vec<(Arc<str>, [u8; 32])>);

impl Keys {
    /// Reads `name:secret` or `secret`.
    pub(crate) fn parse(keys: &[String]) -> anyhow::Result<Self> {
        ensure!(!keys.is_empty(), "api.keys is empty, so nobody could use the API: set ATELIER__API__KEYS=name:secret");
        keys.iter().map(|key| Self::one(key)).collect::<anyhow::Result<_>>().map(Self)
    }

    fn one(key: &str) -> anyhow::Result<(Arc<str>, [u8; 32])> {
        let (name, secret) = key.split_once(':').unwrap_or((DEFAULT_NAME, key));
        let plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || matches!(char, '-' | '_');
        ensure!(
            (1..=NAME_CHARS).contains(&name.len()) && name.chars().all(plain),
            "api.keys has the name {name:?}: use 1 to {NAME_CHARS} of a-z, 0-9, - and _"
        );
        ensure!(!secret.is_empty(), "api.keys has no secret for {name:?}: write name:secret");
        Ok((name.into(), digest(secret)))
    }

    /// The name of the key with this secret. Takes the same time whichever matches, and when none does.
    fn owner(&self, secret: &str) -> Option<Arc<str>> {
        let given = digest(secret);
        let mut found = None;
        for (name, expected) in &self.0 {
            let same: Choice = expected.ct_eq(&given);
            if bool::from(same) {
                found = Some(Arc::clone(name));
            }
        }
        found
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// Lets pass who sends a key: `Authorization: Bearer <secret>` or `X-Api-Key: <secret>`.
pub(crate) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Result<Response, Problem> {
    let headers = request.headers();
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, secret) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
    });
    let secret = bearer.or_else(|| headers.get("x-api-key").and_then(|value| value.to_str().ok()));
    let Some(secret) = secret else {
        let hint = "send Authorization: Bearer <key> or X-Api-Key: <key>";
        return Err(Problem::new(Kind::Unauthorized, hint));
    };
    let owner = app.keys.owner(secret).ok_or_else(|| Problem::new(Kind::Unauthorized, "the key is not known here"))?;
    request.extensions_mut().insert(Caller { owner });
    Ok(next.run(request).await)
}

/// Who sent this request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The key's name.
    pub(crate) owner: Arc<str>,
}

/// The context of the events that this request makes: its caller, and the trace it is part of.
pub(crate) struct Asking {
    /// The key's name.
    pub(crate) owner: Arc<str>,
    /// For its events.
    pub(crate) context: Context,
}

impl<S: Sync> FromRequestParts<S> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Caller>().cloned().context("a route without a guard asks who calls");
        let Caller { owner } = caller.map_err(Problem::internal)?;
        // This request's span where there is one, and otherwise what the client sent, which then is handed on.
        let traceparent = trace::current().or_else(|| sent_traceparent(&parts.headers).map(str::to_owned));
        let context = Context { traceparent, ..Context::command(&owner) };
        Ok(Self { owner, context })
    }
}

/// The client's trace, if it says so in the form of W3C trace context.
pub(crate) fn sent_traceparent(headers: &HeaderMap) -> Option<&str> {
    headers.get("traceparent")?.to_str().ok().filter(|value| trace::is_traceparent(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_name_and_a_secret_or_a_secret_alone() {
        let keys = Keys::parse(&["ann:one".to_owned(), "two".to_owned()]).expect("both are keys");
        assert_eq!(keys.owner("one").as_deref(), Some("ann"));
        assert_eq!(keys.owner("two").as_deref(), Some("local"));
        assert_eq!(keys.owner("ann:one"), None);
        assert_eq!(keys.owner(""), None);
    }

    #[test]
    fn keys_that_would_leave_the_api_open_or_its_blobs_misplaced_are_refused() {
        for keys in [vec![], vec!["ann:"], vec![""], vec!["../x:one"], vec![":one"]] {
            let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
            assert!(Keys::parse(&keys).is_err(), "{keys:?}");
        }
    }
}
