//! The HTTP API: which path does what, and what surrounds every request.

mod answers;
mod artworks;
mod consumers;
mod events_feed;
mod exports;
mod generations;
mod health;
mod jobs;
mod poison;
mod recuts;
mod replays;
mod uploads;
mod verification;

use std::time::Duration;

use atelier_events::trace;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderValue, Method};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use health::missing;

use crate::app::App;
use crate::auth;
use crate::problem::{self, Kind, Problem, REQUEST_ID};

/// What is asked every few seconds: their requests would bury all others in traces.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The API's description; its paths come from the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Atelier",
        description = "Pictures in, a published gallery out. Commands answer 202 with the log's position; reads take \
                       `?after=` that position and so see what was commanded. Errors are problem details (RFC 9457)."
    ),
    security(("bearer" = []), ("api_key" = [])),
    modifiers(&Schemes)
)]
struct Description;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        components.add_security_scheme("bearer", bearer);
        let header = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Api-Key")));
        components.add_security_scheme("api_key", header);
    }
}

/// The API's description in OpenAPI 3.1, made from the routes that serve it.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    guarded().merge(open()).into_openapi()
}

/// Everything but health: who asks must have a key.
fn guarded() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(uploads::create_upload))
        .routes(routes!(artworks::list::list_artworks, artworks::create::create_artwork))
        .routes(routes!(artworks::read::read_artwork))
        .routes(routes!(generations::create::create_generation))
        .routes(routes!(generations::read::read_generation))
        .routes(routes!(exports::create::create_export))
        .routes(routes!(exports::read::read_export))
        .routes(routes!(exports::follow::follow_export))
        .routes(routes!(exports::download::download_export))
        .routes(routes!(exports::cancel::cancel_export))
        .routes(routes!(generations::cancel::cancel_generation))
        .routes(routes!(jobs::list_jobs))
        .routes(routes!(jobs::explain::explain_job))
        .routes(routes!(jobs::orders::cancel_jobs))
        .routes(routes!(jobs::orders::requeue_jobs))
        .routes(routes!(jobs::orders::purge_jobs))
        .routes(routes!(recuts::recut_variants))
        .routes(routes!(poison::list_poison))
        .routes(routes!(poison::read_poison))
        .routes(routes!(poison::purge_poison))
        .routes(routes!(consumers::list_consumers))
        .routes(routes!(consumers::pause_consumer))
        .routes(routes!(consumers::resume_consumer))
        .routes(routes!(replays::list_replays, replays::ask_replay))
        .routes(routes!(replays::read_replay))
        .routes(routes!(replays::cancel_replay))
        .routes(routes!(events_feed::follow_events))
        .routes(routes!(verification::verify_log))
        .routes(routes!(health::read_metrics))
        .routes(routes!(describe))
}

fn open() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(health::read_health)).routes(routes!(health::read_readiness))
}

/// The whole of it, ready to be served.
pub(crate) fn router(app: App) -> Router {
    let guarded: Router<App> = guarded().into();
    let open: Router<App> = open().into();
    guarded
        .route_layer(from_fn_with_state(app.clone(), auth::guard))
        .merge(open)
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(app.max_body_bytes))
        .layer(from_fn(measure))
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(from_fn(problem::name_request))
        .layer(
            TraceLayer::new_for_http().make_span_with(span).on_request(()).on_response(trace_response).on_failure(()),
        )
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, NewRequestId))
        .with_state(app)
}

/// This API's description in OpenAPI 3.1.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "describe", tag = "operations",
    responses(
        (status = 200, description = "The description", body = serde_json::Value),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
async fn describe() -> Json<utoipa::openapi::OpenApi> {
    Json(openapi())
}

#[derive(Clone, Copy)]
struct NewRequestId;

impl MakeRequestId for NewRequestId {
    fn make_request_id<B>(&mut self, _request: &axum::http::Request<B>) -> Option<RequestId> {
        HeaderValue::from_str(&uuid::Uuid::now_v7().to_string()).ok().map(RequestId::new)
    }
}

fn span<B>(request: &axum::http::Request<B>) -> tracing::Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if route.is_some_and(|route| PROBES.contains(&route)) {
        return tracing::info_span!(target: "probe", "request", request.id = id);
    }
    // The path alone: a query may hold what somebody searches for.
    let span = tracing::info_span!(
        "request",
        http.method = %request.method(),
        http.path = request.uri().path(),
        request.id = id,
        http.status = tracing::field::Empty,
        trace.id = tracing::field::Empty,
        otel.name = tracing::field::Empty,
        otel.kind = tracing::field::Empty,
    );
    trace::follow(&span, auth::sent_traceparent(request.headers()), "server", || {
        format!("{} {}", known(request.method()), route.unwrap_or("none"))
    });
    span
}

fn trace_response<B>(response: &axum::http::Response<B>, elapsed: Duration, span: &tracing::Span) {
    span.record("http.status", response.status().as_u16());
    if response.status().is_server_error() {
        trace::failed(span, response.status().as_str());
    }
    tracing::debug!(http.status = response.status().as_u16(), http.elapsed = ?elapsed, "answered");
}

async fn no_such_path(request: Request) -> Problem {
    Problem::new(
        Kind::NotFound,
        format!("there is nothing at {:?}: /openapi.json lists what there is", request.uri().path()),
    )
}

async fn no_such_method(request: Request) -> Problem {
    let detail = format!("{} is not for {:?}: the Allow header lists what is", request.method(), request.uri().path());
    Problem::new(Kind::MethodNotAllowed, detail)
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn answer_panic(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Problem::internal(anyhow::anyhow!("a panic: {}", text.unwrap_or("without words"))).into_response()
}

/// A method as a label: a client may invent others, and each would be a series of its own.
fn known(method: &Method) -> &'static str {
    let all = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    let names = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    all.iter().zip(names).find(|(known, _)| *known == method).map_or("other", |(_, name)| name)
}

async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = known(request.method());
    let start = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    metrics::histogram!("atelier_http_request_seconds", "method" => method, "route" => route, "status" => status)
        .record(start.elapsed().as_secs_f64());
    response
}
