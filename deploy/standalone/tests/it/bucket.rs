//! What the embedded S3 server promises to whoever is not `Blobs`, and across its own end.

use std::time::{Duration, SystemTime};

use atelier_standalone::bucket;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::{Client, Method, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::store::{Store, bytes};

const MINUTE: Duration = Duration::from_mins(1);

fn client() -> Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::new()
}

#[tokio::test]
async fn a_restart_keeps_blobs_and_their_headers() {
    let (store, blobs) = Store::start().await;
    let put = blobs.put("a/b.png", bytes(100_000), "image/png").await.unwrap();
    let mut upload = blobs.upload("a/c.zip", "application/zip").unwrap();
    upload.write(bytes(9_000_000)).await.unwrap();
    let uploaded = upload.finish().await.unwrap();
    let before = (blobs.head("a/b.png").await.unwrap(), blobs.head("a/c.zip").await.unwrap());

    let store = store.restart().await;
    let blobs = store.connect();
    blobs.ready().await.unwrap();
    assert_eq!((blobs.head("a/b.png").await.unwrap(), blobs.head("a/c.zip").await.unwrap()), before);
    for blob in [put, uploaded] {
        assert_eq!(blobs.digest(&blob.key).await.unwrap(), Some((blob.sha256, blob.length)));
    }
    let request = blobs.presign_get("a/b.png", None, MINUTE).await.unwrap();
    let response = client().get(request.url).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "image/png");
    assert_eq!(response.headers()["cache-control"], "public, max-age=31536000, immutable");
}

#[tokio::test]
async fn a_shutdown_lets_an_answer_under_way_end() {
    let (store, blobs) = Store::start().await;
    blobs.put("a", bytes(30_000_000), "image/png").await.unwrap();
    let mut download = blobs.stream("a").await.unwrap();
    let mut length = download.chunk().await.unwrap().unwrap().len();
    let reading = async {
        while let Some(chunk) = download.chunk().await.unwrap() {
            length += chunk.len();
        }
        length
    };
    let (_store, length) = tokio::join!(store.restart(), reading);
    assert_eq!(length, 30_000_000);
}

#[tokio::test]
async fn a_folder_is_served_once() {
    let (store, _) = Store::start().await;
    let listen = "127.0.0.1:0".parse().unwrap();
    let second = bucket::serve(store.root(), listen, "someone", "secret", CancellationToken::new()).await;
    let error = second.unwrap_err().to_string();
    assert!(error.contains("is served by another process"), "{error}");
}

#[tokio::test]
async fn a_range_is_answered_alone() {
    let (_store, blobs) = Store::start().await;
    // Of several of the pieces that the server reads at a time.
    let whole = bytes(1_000_000);
    blobs.put("a", whole.clone(), "image/png").await.unwrap();
    let request = blobs.presign_get("a", None, MINUTE).await.unwrap();
    let ranges = [
        ("bytes=100-199", 100..200),
        ("bytes=200000-800000", 200_000..800_001),
        ("bytes=300000-", 300_000..1_000_000),
        ("bytes=-5", 999_995..1_000_000),
    ];
    for (range, expected) in ranges {
        let response = client().get(&request.url).header("range", range).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(response.bytes().await.unwrap(), whole.slice(expected), "{range}");
    }
}

#[tokio::test]
async fn an_unsigned_request_gets_nothing() {
    let (store, blobs) = Store::start().await;
    blobs.put("a", bytes(10), "image/png").await.unwrap();
    let url = format!("{}/atelier/a", store.settings.endpoint);
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
        let response = client().request(method.clone(), &url).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{method}");
    }
    assert!(blobs.head("a").await.unwrap().is_some());
}

#[tokio::test]
async fn a_page_of_another_origin_may_upload() {
    let (store, blobs) = Store::start().await;
    let preflight = client()
        .request(Method::OPTIONS, format!("{}/atelier/uploads/1", store.settings.endpoint))
        .header("origin", "https://gallery.example")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "content-type");
    let answer = preflight.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert!(answer.headers()["access-control-allow-methods"].to_str().unwrap().contains("PUT"));
    assert_eq!(answer.headers()["access-control-allow-headers"], "*");

    let request = blobs.presign_put("uploads/1", "image/png", 10, MINUTE).await.unwrap();
    let put = client().put(request.url).header("origin", "https://gallery.example").header("content-type", "image/png");
    let answer = put.body(bytes(10)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
}

#[tokio::test]
async fn parts_that_nobody_finished_are_swept_after_a_day() {
    let (store, blobs) = Store::start().await;
    blobs.put("kept", bytes(10), "image/png").await.unwrap();
    let mut upload = blobs.upload("exports/1.zip", "application/zip").unwrap();
    upload.write(bytes(9_000_000)).await.unwrap();
    // As if the client had died: it never aborts.
    std::mem::forget(upload);
    let id = store
        .beside_the_bucket()
        .into_iter()
        .find_map(|name| Some(name.strip_prefix(".upload-")?.strip_suffix(".json")?.to_owned()));
    let id = id.unwrap();

    let store = store.restart().await;
    let left = |store: &Store| store.beside_the_bucket().iter().filter(|name| name.contains(&id)).count();
    assert!(left(&store) >= 2, "an upload of today is left alone");
    let yesterday = SystemTime::now() - Duration::from_hours(25);
    for name in store.beside_the_bucket() {
        std::fs::File::open(store.root().join(name)).unwrap().set_modified(yesterday).unwrap();
    }
    let store = store.restart().await;
    assert_eq!(left(&store), 0);
    assert_eq!(store.connect().get("kept", 10).await.unwrap(), bytes(10));
}

#[tokio::test]
async fn what_a_copy_left_beside_the_bucket_when_the_server_died_is_gone_after_a_restart() {
    let (store, blobs) = Store::start().await;
    blobs.put("kept", bytes(10), "image/png").await.unwrap();
    let before = store.beside_the_bucket();
    // The headers of a blob lie under its key as it was asked for.
    let aside = ".tmp.6f1ed002-ab5b-4e1f-8d0f-2b5ec2f0a7f1.internal.part";
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let sidecar = |kind| format!(".bucket-{}.object-{}.{kind}.json", encode("atelier"), encode(&format!("../{aside}")));
    for name in [aside.to_owned(), sidecar("metadata"), sidecar("internal")] {
        std::fs::write(store.root().join(name), "{}").unwrap();
    }
    let store = store.restart().await;
    assert_eq!(store.beside_the_bucket(), before);
    assert_eq!(store.connect().head("kept").await.unwrap().unwrap().media_type, "image/png");
}
