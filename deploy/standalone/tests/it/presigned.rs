//! Presigned requests, sent by a client that knows nothing but what it was given.

use std::time::Duration;

use atelier_events::blobs::{Presigned, StoreSettings};
use atelier_events::{BlobError, Blobs};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::channel::mpsc;
use reqwest::{Body, Client, Method, Response, StatusCode};

use crate::store::{Store, bytes, eventually};

const MINUTE: Duration = Duration::from_mins(1);

/// reqwest wants a TLS provider even for plain HTTP.
fn client() -> Client {
    // A second test of the same process finds it installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::new()
}

async fn send(request: &Presigned, body: impl Into<Body>) -> Response {
    let mut builder = client().request(request.method.parse::<Method>().unwrap(), &request.url);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    builder.body(body).send().await.unwrap()
}

async fn read(blobs: &Blobs, key: &str) -> Response {
    let request = blobs.presign_get(key, None, MINUTE).await.unwrap();
    send(&request, "").await
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

#[tokio::test]
async fn a_presigned_put_takes_the_bytes_it_was_signed_for() {
    let (_store, blobs) = Store::start().await;
    let request = blobs.presign_put("uploads/1/cat.png", "image/png", 70_000, MINUTE).await.unwrap();
    assert_eq!(request.method, "PUT");
    let names: Vec<_> = request.headers.keys().map(String::as_str).collect();
    assert_eq!(names, ["content-length", "content-type"]);

    assert_eq!(send(&request, bytes(70_000)).await.status(), StatusCode::OK);
    assert_eq!(blobs.get("uploads/1/cat.png", 70_000).await.unwrap(), bytes(70_000));
    assert_eq!(blobs.head("uploads/1/cat.png").await.unwrap().unwrap().media_type, "image/png");
}

#[tokio::test]
async fn a_presigned_put_refuses_another_length_type_or_key() {
    let (_store, blobs) = Store::start().await;
    let signed = blobs.presign_put("uploads/1", "image/png", 1_000, MINUTE).await.unwrap();
    let changed = |name: &str, value: &str| {
        let mut request = signed.clone();
        request.headers.insert(name.to_owned(), value.to_owned());
        request
    };
    let other_key = Presigned { url: signed.url.replace("uploads/1", "uploads/2"), ..signed.clone() };
    for (what, request, length) in [
        ("longer", changed("content-length", "1001"), 1_001),
        ("shorter", changed("content-length", "999"), 999),
        ("another type", changed("content-type", "text/html"), 1_000),
        ("another key", other_key, 1_000),
    ] {
        assert_eq!(send(&request, bytes(length)).await.status(), StatusCode::FORBIDDEN, "{what}");
    }
    assert_eq!(blobs.page("", None).await.unwrap().entries, []);
}

#[tokio::test]
async fn a_presigned_get_saves_under_the_name_it_was_given() {
    let (_store, blobs) = Store::start().await;
    blobs.put("exports/1.zip", bytes(10), "application/zip").await.unwrap();
    for (name, plain, encoded) in [
        ("art.zip", "art.zip", "art.zip"),
        ("Über \"uns\".zip", "_ber _uns_.zip", "%C3%9Cber%20%22uns%22.zip"),
        ("../a\\b\r\n100%.zip", ".._a_b__100_.zip", ".._a_b__100%25.zip"),
    ] {
        let request = blobs.presign_get("exports/1.zip", Some(name), MINUTE).await.unwrap();
        let response = send(&request, "").await;
        let expected = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}");
        assert_eq!(header(&response, "content-disposition"), expected);
        assert_eq!(response.bytes().await.unwrap(), bytes(10));
    }
}

#[tokio::test]
async fn what_never_changes_is_cached_for_a_year_and_what_does_is_asked_for_again() {
    let (_store, blobs) = Store::start().await;
    let year = "public, max-age=31536000, immutable";
    blobs.put("fixed", bytes(10), "image/png").await.unwrap();
    assert_eq!(header(&read(&blobs, "fixed").await, "cache-control"), year);
    blobs.put_mutable("changing", bytes(10), "application/json").await.unwrap();
    assert_eq!(header(&read(&blobs, "changing").await, "cache-control"), "no-cache");
    let etag = blobs.stream("changing").await.unwrap().etag().unwrap().to_owned();
    assert!(blobs.copy("changing", &etag, "copied", "application/json").await.unwrap());
    assert_eq!(header(&read(&blobs, "copied").await, "cache-control"), year);
    let mut upload = blobs.upload("uploaded", "application/zip").unwrap();
    upload.write(bytes(9_000_000)).await.unwrap();
    upload.finish().await.unwrap();
    assert_eq!(header(&read(&blobs, "uploaded").await, "cache-control"), year);
}

#[tokio::test]
async fn presigned_urls_carry_the_public_endpoint() {
    let (store, _) = Store::start().await;
    // The same server by the other of its names, so that the signature must be for that name.
    let public_endpoint = store.settings.endpoint.replace("127.0.0.1", "localhost");
    let blobs = Blobs::connect(&StoreSettings { public_endpoint: public_endpoint.clone(), ..store.settings.clone() });
    blobs.put("a", bytes(10), "image/png").await.unwrap();
    let request = blobs.presign_get("a", None, MINUTE).await.unwrap();
    assert!(request.url.starts_with(&public_endpoint), "{}", request.url);
    assert_eq!(send(&request, "").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_lifetime_no_store_would_honour_is_refused() {
    let (_store, blobs) = Store::start().await;
    for expires in [Duration::ZERO, Duration::from_hours(8 * 24)] {
        let error = blobs.presign_get("a", None, expires).await.unwrap_err();
        assert!(matches!(error, BlobError::Invalid { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_large_upload_reaches_the_disk_while_it_is_being_sent() {
    let (store, blobs) = Store::start().await;
    let (half, length) = (bytes(25_000_000), 50_000_000);
    let request = blobs.presign_put("uploads/large", "image/png", length, MINUTE).await.unwrap();
    let (sender, receiver) = mpsc::unbounded::<Bytes>();
    let body = Body::wrap_stream(receiver.map(Ok::<_, std::io::Error>));
    let sending = send(&request, body);
    let feeding = async {
        sender.unbounded_send(half.clone()).unwrap();
        // All but what may lie in the buffers of the sockets and of the file.
        eventually("20 MB on the disk before the rest is sent", || unfinished(&store) > 20_000_000).await;
        sender.unbounded_send(half.clone()).unwrap();
        drop(sender);
    };
    let (response, ()) = tokio::join!(sending, feeding);
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(blobs.head("uploads/large").await.unwrap().unwrap().length, length);
}

fn unfinished(store: &Store) -> u64 {
    let files = store.beside_the_bucket().into_iter().filter(|name| name.starts_with(".tmp."));
    files.filter_map(|name| Some(store.root().join(name).metadata().ok()?.len())).sum()
}
