//! How the client meets an API that is busy, gone, or breaks off. A small server stands for such an API.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use atelier_events::{ArtworkId, ExportId, Position};
use atelier_standalone::client::{ATTEMPTS, Client, NewExport, Refused, Until};
use atelier_standalone::export;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, RawQuery};
use axum::http::{HeaderMap, Response};
use axum::routing::{get, post};
use serde_json::json;
use tokio::net::TcpListener;

use crate::installation::{Installation, details};

async fn serve(router: Router) -> Client {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    Client::new(&url, "secret").unwrap()
}

fn answer(status: u16, body: &serde_json::Value) -> Response<Body> {
    let builder = Response::builder().status(status).header("retry-after", "0");
    builder.body(Body::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn a_command_is_sent_again_with_the_same_key_while_the_api_is_busy() {
    let id = ExportId::new();
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let client = serve(Router::new().route(
        "/v1/exports",
        post(async move |headers: HeaderMap, body: Bytes| {
            assert_eq!(headers["idempotency-key"], "once");
            assert_eq!(headers["authorization"], "Bearer secret");
            assert_eq!(body, r#"{"all":true}"#);
            match counted.fetch_add(1, Ordering::Relaxed) {
                0 => answer(503, &json!({})),
                1 => answer(429, &json!({})),
                _ => answer(202, &json!({ "id": id, "position": 7 })),
            }
        }),
    ))
    .await;
    let accepted = client.create_export(&NewExport::all(), "once").await.unwrap();
    assert_eq!((accepted.id, accepted.position), (id, Position(7)));
    assert_eq!(seen.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn an_api_that_stays_busy_is_given_up_with_its_own_words() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let busy = async move || {
        counted.fetch_add(1, Ordering::Relaxed);
        answer(503, &json!({ "type": "urn:atelier:problem:unavailable", "detail": "the database does not answer" }))
    };
    let client = serve(Router::new().route("/v1/exports", post(busy))).await;
    let error = client.create_export(&NewExport::all(), "once").await.unwrap_err();
    let said = format!("{error:#}");
    assert_eq!(said, "POST /v1/exports: refused with status 503: the database does not answer");
    assert_eq!(seen.load(Ordering::Relaxed), usize::try_from(ATTEMPTS).unwrap());
}

#[tokio::test]
async fn a_refusal_is_told_once_with_all_that_is_wrong() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let refuse = async move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let errors =
            json!([{ "pointer": "/artwork_ids", "detail": "is empty" }, { "parameter": "after", "detail": "is old" }]);
        answer(422, &json!({ "type": "urn:atelier:problem:invalid-request", "detail": "x", "errors": errors }))
    };
    let client = serve(Router::new().route("/v1/exports", post(refuse))).await;
    let error = client.create_export(&NewExport::of(Vec::new()), "once").await.unwrap_err();
    let refused = error.downcast_ref::<Refused>().unwrap();
    assert_eq!(refused.to_string(), "refused with status 422: artwork_ids: is empty; after: is old");
    assert!(refused.is("invalid-request") && refused.names("/artwork_ids") && !refused.names("/all"));
    assert_eq!(seen.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_zip_is_fetched_without_the_key_and_gets_its_name_only_when_it_is_whole() {
    const SHA256: &str = "c7be1ed902fb8dd4d48997c6452f5d7e509fbcdbe2808b16bcf4edce4c07d14e";
    let id = ExportId::new();
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let read = async move |headers: HeaderMap| {
        let url = format!("http://{}/zip", headers["host"].to_str().unwrap());
        let missing = json!([{ "artwork_id": ArtworkId::new(), "reason": "there is none" }]);
        answer(
            200,
            &json!({ "id": id, "state": "completed", "download_url": url, "sha256": SHA256, "missing": missing }),
        )
    };
    let zip = async move |headers: HeaderMap| {
        assert!(!headers.contains_key("authorization"), "the bucket is told the API's key");
        if counted.fetch_add(1, Ordering::Relaxed) == 0 { "This is a tost" } else { "This is a test" }
    };
    let router = Router::new()
        .route("/v1/exports", post(async move || answer(202, &json!({ "id": id, "position": 7 }))))
        .route("/v1/exports/{id}", get(read))
        .route("/zip", get(zip));
    let client = serve(router).await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("backup.zip");
    std::fs::write(&out, "the one before").unwrap();
    let args = || export::Args { out: Some(out.clone()), ..export::Args::default() };
    let error = export::export(&client, args()).await.unwrap_err();
    assert!(error.to_string().starts_with("the ZIP was damaged on its way"), "{error:#}");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "the one before");
    let (path, fetched) = export::export(&client, args()).await.unwrap();
    assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), fetched.missing.len()), ("This is a test", 1));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a part is left");
}

/// An API that takes exports and shows one artwork, which has failed; its title is the query it was asked with.
fn failing(export: ExportId, artwork: ArtworkId) -> Router {
    let read = async move |RawQuery(query): RawQuery| {
        let failed =
            json!({ "id": export, "artwork_id": artwork, "state": "failed", "failure": { "error": "no image" } });
        let page = json!({ "id": artwork, "title": query, "status": "failed", "published": false, "page_url": "", "variants": [failed] });
        answer(200, &page)
    };
    Router::new()
        .route("/v1/exports", post(async move || answer(202, &json!({ "id": export, "position": 7 }))))
        .route("/v1/artworks/{id}", get(read))
}

#[tokio::test]
async fn a_read_waits_for_what_was_commanded_before_it() {
    let (export, artwork) = (ExportId::new(), ArtworkId::new());
    let client = serve(failing(export, artwork)).await;
    client.create_export(&NewExport::all(), "once").await.unwrap();
    let wait = Duration::from_millis(1_500);
    // A clone remembers as well.
    let read = client.clone().artwork(artwork, wait, Until::Published).await.unwrap();
    assert_eq!(read.title, "wait_for=published&after=7&wait=1500ms");
}

#[tokio::test]
async fn waiting_for_an_artwork_that_failed_ends_with_the_reason() {
    let artwork = ArtworkId::new();
    let client = serve(failing(ExportId::new(), artwork)).await;
    let error = client.published(artwork, Duration::from_mins(1)).await.unwrap_err();
    assert_eq!(error.to_string(), "no image");
}

#[tokio::test]
async fn an_api_that_starts_late_is_waited_for() {
    let place = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    let client = Client::new(&format!("http://{address}"), "secret").unwrap();
    let began = Instant::now();
    let asking = tokio::spawn(async move { client.jobs(None).await });
    // Late enough for the first request to find nobody.
    tokio::task::yield_now().await;
    while began.elapsed() < Duration::from_millis(100) {
        tokio::task::yield_now().await;
    }
    let listener = TcpListener::bind(address).await.unwrap();
    let jobs = async || answer(200, &json!({ "jobs": [], "counts": [] }));
    tokio::spawn(axum::serve(listener, Router::new().route("/v1/jobs", get(jobs))).into_future());
    assert!(asking.await.unwrap().unwrap().jobs.is_empty());
}

#[tokio::test]
async fn the_feed_goes_on_where_a_connection_broke_off() {
    let installation = Installation::start().await;
    for number in 0..6 {
        installation.complete_artwork(&number.to_string()).await;
    }
    let events = installation.connections.log.read(Position(0), 100).await.unwrap();
    let recorded = events.clone();
    // Each connection brings two events, the second of them cut in the middle.
    let feed = async move |Query(query): Query<Vec<(String, i64)>>| {
        let after = usize::try_from(query[0].1).unwrap();
        let block = |index: usize| {
            let event = recorded.get(index)?;
            Some(format!("id: {}\nevent: x\ndata: {}\n\n", event.position, serde_json::to_string(event).unwrap()))
        };
        let first = block(after).unwrap_or_default();
        let second = block(after + 1).unwrap_or_default();
        let half = second[..second.len() / 2].to_owned();
        let pieces = [": still here\n\n".to_owned(), first, half].map(Ok::<_, Infallible>);
        Body::from_stream(futures::stream::iter(pieces))
    };
    let client = serve(Router::new().route("/v1/events", get(feed))).await;
    let mut feed = client.events(Position(0));
    for expected in &events {
        assert_eq!(feed.next().await.unwrap(), *expected);
    }
}

#[tokio::test]
async fn the_feed_of_the_real_api_brings_what_is_appended_while_it_is_open() {
    let installation = Installation::start().await;
    installation.complete_artwork("before").await;
    let (client, _shutdown) = installation.serve_api().await;
    let mut feed = client.events(Position(2));
    assert_eq!(feed.next().await.unwrap().position, Position(3));
    let created = atelier_events::artwork::Created::new(ArtworkId::new(), "test".to_owned(), details("after"));
    let event = atelier_events::Event::Artwork(atelier_events::ArtworkEvent::Created(created));
    let appending = installation.append(atelier_events::Stream::site("x"), vec![event]);
    let (next, position) = tokio::join!(feed.next(), appending);
    assert_eq!(next.unwrap().position, position);
}
