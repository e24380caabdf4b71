//! An S3 store that notes what it is asked, and can be told to refuse.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use atelier_events::Blobs;
use atelier_events::blobs::StoreSettings;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;
use tokio::net::TcpListener;

pub(crate) struct Store {
    pub settings: StoreSettings,
    pub blobs: Blobs,
    desk: Desk,
    _folder: TempDir,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub method: Method,
    /// Below the bucket; empty for the bucket itself.
    pub key: String,
    pub headers: HeaderMap,
}

#[derive(Clone)]
struct Desk {
    service: S3Service,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Files that may be put until it refuses.
    puts: Arc<AtomicUsize>,
    failing: Arc<Mutex<Failing>>,
    under_way: Arc<AtomicUsize>,
}

/// When it fails.
#[derive(Default)]
struct Failing {
    spared: usize,
    requests: usize,
    failed: usize,
}

impl Failing {
    fn fails(&mut self) -> bool {
        let fails = self.spared == 0 && self.failed < self.requests;
        self.failed += usize::from(fails);
        self.spared = self.spared.saturating_sub(1);
        fails
    }
}

impl Store {
    pub(crate) async fn create() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let files = s3s_fs::FileSystem::new(folder.path()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single("test", "of the test"));
        let puts = Arc::new(AtomicUsize::new(usize::MAX));
        let service = service.build();
        let desk = Desk { service, asked: Arc::default(), puts, failing: Arc::default(), under_way: Arc::default() };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let settings = StoreSettings {
            endpoint: format!("http://{}", listener.local_addr()?),
            access_key_id: "test".to_owned(),
            secret_access_key: "of the test".to_owned(),
            ..StoreSettings::default()
        };
        let router = Router::new().fallback(answer).with_state(desk.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let blobs = Blobs::connect(&settings);
        blobs.create_bucket().await?;
        Ok(Self { settings, blobs, desk, _folder: folder })
    }

    /// What it has been asked since this was called last.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.desk.asked.lock().expect("no holder panics"))
    }

    /// The keys of the files about which it has been asked this way since then.
    pub(crate) fn asked_by(&self, method: &Method) -> Vec<String> {
        self.asked()
            .into_iter()
            .filter(|asked| asked.method == method && !asked.key.is_empty())
            .map(|asked| asked.key)
            .collect()
    }

    /// Refuses once so many files have been put.
    pub(crate) fn break_after(&self, puts: usize) {
        self.desk.puts.store(puts, Ordering::SeqCst);
    }

    pub(crate) fn mend(&self) {
        self.break_after(usize::MAX);
    }

    /// After so many requests it answers so many that something is wrong with it.
    pub(crate) fn fail_after(&self, spared: usize, requests: usize) {
        *self.desk.failing.lock().expect("no holder panics") = Failing { spared, requests, failed: 0 };
    }

    /// How often it has done so since then.
    pub(crate) fn failed(&self) -> usize {
        self.desk.failing.lock().expect("no holder panics").failed
    }

    /// Waits until what clients have asked that went away is done or not.
    pub(crate) async fn at_rest(&self) {
        while self.desk.under_way.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// What lies below a folder, by its path there.
    pub(crate) async fn files(&self, folder: &str) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
        let (mut files, mut next) = (BTreeMap::new(), None);
        loop {
            let page = self.blobs.page(folder, next).await?;
            for entry in page.entries {
                let bytes = self.blobs.get(&entry.key, u64::MAX).await?;
                files.insert(entry.key[folder.len()..].to_owned(), bytes.to_vec());
            }
            next = page.next;
            if next.is_none() {
                return Ok(files);
            }
        }
    }
}

async fn answer(State(desk): State<Desk>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().trim_start_matches('/');
    // The sample has blanks in its names.
    let key = path.split_once('/').map_or("", |(_, key)| key).replace("%20", " ");
    let is_file = parts.method == Method::PUT && !key.is_empty();
    let left = |left: usize| if left == usize::MAX { Some(left) } else { left.checked_sub(1) };
    if is_file && desk.puts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_err() {
        return (StatusCode::FORBIDDEN, "no more").into_response();
    }
    if desk.failing.lock().expect("no holder panics").fails() {
        return (StatusCode::INTERNAL_SERVER_ERROR, "a disk is gone").into_response();
    }
    let asked = Asked { method: parts.method.clone(), key, headers: parts.headers.clone() };
    desk.asked.lock().expect("no holder panics").push(asked);
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    // A store does what it was asked whole or not at all. This one would be stopped in the middle, between a file and its
    // headers, were it not on its own when its client goes away.
    desk.under_way.fetch_add(1, Ordering::SeqCst);
    let answered = tokio::spawn(async move {
        let answered = desk.service.call(axum::http::Request::from_parts(parts, s3s::Body::from(bytes))).await;
        desk.under_way.fetch_sub(1, Ordering::SeqCst);
        answered
    });
    match answered.await.expect("it does not panic") {
        Ok(answer) => answer.map(Body::new),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}")).into_response(),
    }
}
