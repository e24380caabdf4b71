//! Errors as the API answers them: RFC 9457 problem details. HTTP status codes are in this file alone.

use atelier_events::bus::BusError;
use atelier_events::{AppendError, BlobError, infrastructure};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// The header that names a request in log lines and in problems.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What kind of problem it is: what a client does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Correct the request's form.
    Malformed,
    /// Correct the fields that are named.
    Invalid,
    /// Start again from the first page.
    UnknownCursor,
    /// Send a key.
    Unauthorized,
    /// Use another key.
    Forbidden,
    /// There is nothing.
    NotFound,
    /// Use one of the methods in `Allow`.
    MethodNotAllowed,
    /// Send less.
    TooLarge,
    /// Send another type.
    UnsupportedType,
    /// The request is well formed and does not fit what is there.
    Unprocessable,
    /// Use a new `Idempotency-Key` for a new request.
    KeyReused,
    /// Read again and decide again.
    Conflict,
    /// It was there, and is not any more.
    Gone,
    /// Wait for the index, then ask again.
    IndexBehind,
    /// Something this needs is down: ask again later.
    Unavailable,
    /// Make room on the database's disk, then ask again.
    StorageFull,
    /// A fault of ours.
    Internal,
}

impl Kind {
    fn known(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed => (StatusCode::BAD_REQUEST, "malformed-request", "The request cannot be read"),
            Self::Invalid => (StatusCode::BAD_REQUEST, "invalid-request", "The request has invalid values"),
            Self::UnknownCursor => {
                (StatusCode::BAD_REQUEST, "unknown-cursor", "The cursor does not belong to this list")
            }
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "An API key is needed"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "The key may not do this"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is no such thing"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method is not for this path")
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large"),
            Self::UnsupportedType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-type", "The media type is not supported")
            }
            Self::Unprocessable => {
                (StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", "The request does not fit what is there")
            }
            Self::KeyReused => {
                (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The idempotency key was used before")
            }
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "Something else happened first"),
            Self::Gone => (StatusCode::GONE, "gone", "It is not there any more"),
            Self::IndexBehind => (StatusCode::SERVICE_UNAVAILABLE, "index-behind", "The index has not got there yet"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Something this needs is not there"),
            Self::StorageFull => (StatusCode::INSUFFICIENT_STORAGE, "storage-full", "There is no room left"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong here"),
        }
    }
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Flaw {
    /// JSON pointer to the value in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pointer: Option<String>,
    /// The parameter or header, when it is not in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameter: Option<String>,
    /// What is wrong, and what would be right.
    pub(crate) detail: String,
}

/// All that is wrong with a request.
#[derive(Debug, Default)]
pub(crate) struct Flaws(pub(crate) Vec<Flaw>);

impl Flaws {
    /// Something wrong in the body, at a JSON pointer.
    pub(crate) fn at(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Flaw { pointer: Some(pointer.into()), parameter: None, detail: detail.into() });
    }

    /// Something wrong with a parameter or header.
    pub(crate) fn parameter(&mut self, name: &str, detail: impl Into<String>) {
        self.0.push(Flaw { pointer: None, parameter: Some(name.to_owned()), detail: detail.into() });
    }

    /// What is wrong with fields of the body, where something is.
    pub(crate) fn fields<const N: usize>(&mut self, found: [(&str, Option<String>); N]) {
        for (name, detail) in found {
            self.0.extend(detail.map(|detail| Flaw { pointer: Some(format!("/{name}")), parameter: None, detail }));
        }
    }

    /// What is wrong with parameters, where something is.
    pub(crate) fn parameters<const N: usize>(&mut self, found: [(&str, Option<String>); N]) {
        for (name, detail) in found {
            self.0.extend(detail.map(|detail| Flaw { pointer: None, parameter: Some(name.to_owned()), detail }));
        }
    }

    /// Refuses the request when anything is wrong with it.
    pub(crate) fn refuse(self, kind: Kind) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::flawed(kind, self)) }
    }
}

/// The body of an error's answer (RFC 9457, `application/problem+json`).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Details {
    /// What kind of problem it is; stable: `urn:atelier:problem:<name>`.
    #[serde(rename = "type")]
    problem_type: String,
    /// The kind, in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong this time.
    detail: String,
    /// The path that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    /// The request's name in the log lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// Everything that is wrong, each with where it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Flaw>,
}

/// An error on its way to the client.
#[derive(Debug)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<Flaw>,
    source: Option<anyhow::Error>,
}

impl Problem {
    /// A problem of this kind; the detail says what is wrong and what would be right.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), source: None }
    }

    /// A problem that lists all that is wrong.
    pub(crate) fn flawed(kind: Kind, flaws: Flaws) -> Self {
        let name = |flaw: &Flaw| flaw.pointer.as_deref().map(|at| at.trim_start_matches('/').to_owned());
        let parts = flaws.0.iter().map(|flaw| {
            let at = name(flaw).or_else(|| flaw.parameter.clone()).unwrap_or_default();
            if at.is_empty() { flaw.detail.clone() } else { format!("{at}: {}", flaw.detail) }
        });
        let detail = parts.collect::<Vec<_>>().join("; ");
        Self { kind, detail, errors: flaws.0, source: None }
    }

    /// A fault of ours: the client learns that there is one, the log learns which.
    pub(crate) fn internal(source: impl Into<anyhow::Error>) -> Self {
        let detail = "the request failed for a reason that is not its own; the log names it by the request id";
        Self { kind: Kind::Internal, detail: detail.to_owned(), errors: Vec::new(), source: Some(source.into()) }
    }

    /// Something this needs does not answer.
    pub(crate) fn unavailable(detail: impl Into<String>, source: impl Into<anyhow::Error>) -> Self {
        Self { source: Some(source.into()), ..Self::new(Kind::Unavailable, detail) }
    }

    /// What is wrong with the request, each with where it is.
    #[cfg(test)]
    pub(crate) fn errors(&self) -> &[Flaw] {
        &self.errors
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, name, title) = self.kind.known();
        match &self.source {
            Some(source) if self.kind == Kind::Internal => {
                tracing::error!(error = format!("{source:#}"), "a request failed");
            }
            Some(source) => tracing::warn!(error = format!("{source:#}"), problem.kind = name, "a request was put off"),
            None => {}
        }
        let details = Details {
            problem_type: format!("urn:atelier:problem:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail,
            instance: None,
            request_id: None,
            errors: self.errors,
        };
        let mut response = render(status, &details);
        let headers = response.headers_mut();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(details);
        response
    }
}

fn render(status: StatusCode, details: &Details) -> Response {
    let body = serde_json::to_vec(details).unwrap_or_default();
    let content_type = HeaderValue::from_static("application/problem+json");
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// Adds to every problem which request it was about.
pub(crate) async fn name_request(request: Request, next: Next) -> Response {
    let instance = request.uri().path().to_owned();
    let request_id = text(request.headers(), &REQUEST_ID);
    let mut response = next.run(request).await;
    let Some(details) = response.extensions_mut().remove::<Details>() else { return response };
    let named = render(response.status(), &Details { instance: Some(instance), request_id, ..details });
    // The other headers (Allow, Retry-After, …) stay; the length is that of the new body.
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = named.into_body();
    response
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        // The code of a relation or schema that does not exist: the index daemon makes them.
        let code = error.as_database_error().and_then(|error| error.code().map(std::borrow::Cow::into_owned));
        if matches!(code.as_deref(), Some("42P01" | "3F000" | "42883")) {
            return Self::new(Kind::IndexBehind, "the index has not been built yet: start atelier-index");
        }
        if code.as_deref() == Some("53100") {
            let detail =
                "the database's disk is full: nothing of this was done, and it can be asked again when there is room";
            return Self { source: Some(error.into()), ..Self::new(Kind::StorageFull, detail) };
        }
        if infrastructure::is_to_blame(&error) {
            Self::unavailable("the database does not answer", error)
        } else {
            Self::internal(error)
        }
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict { .. } => Self::new(Kind::Conflict, error.to_string()),
            // The log's key has the caller's name in it, which the caller did not write.
            AppendError::KeyReused(_) => Self::new(
                Kind::KeyReused,
                "this Idempotency-Key was used before with a different request: use a new key for a new request",
            ),
            AppendError::Stopped => Self::new(Kind::Unavailable, "this process is going down: ask another, or later"),
            AppendError::Database(error) => error.into(),
        }
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        if error.is_transient() {
            Self::unavailable("the bucket does not answer", error)
        } else {
            Self::internal(error)
        }
    }
}

impl From<BusError> for Problem {
    fn from(error: BusError) -> Self {
        Self::unavailable("the bus does not answer", error)
    }
}
