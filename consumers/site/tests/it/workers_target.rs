//! Cloudflare Workers that the site is brought to, as a server of our own plays them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use atelier_site::release::{Compare, Folder};
use atelier_site::target::settings::{TargetKind, TargetSettings, WorkersSettings};
use atelier_site::target::{Brought, Difference, Look, Target, TargetError};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{post, put};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::sample::{self, files, from_bucket};

/// Files that go into one bucket.
const BUCKET: usize = 5;

/// What Cloudflare has, and what has been asked of it.
#[derive(Default)]
struct Cloud {
    /// By hash.
    stored: BTreeMap<String, (String, Vec<u8>)>,
    /// Hash by path, of the upload that has begun.
    manifest: BTreeMap<String, String>,
    missing: BTreeSet<String>,
    sessions: usize,
    /// How many files each session asked for.
    asked: Vec<usize>,
    uploads: usize,
    /// Uploads under way, and the most that there have been at once since the list of answers was last set.
    running: usize,
    most: usize,
    /// What the next uploads are answered instead; 200: nothing else.
    answers: Vec<u16>,
    /// What the next sessions are answered instead.
    session_answers: Vec<u16>,
    /// The version that is live: its files, and the metadata it came with.
    live: BTreeMap<String, Vec<u8>>,
    metadata: Value,
}

type Shared = Arc<Mutex<Cloud>>;

fn refused(status: u16) -> Response {
    let said = json!({ "success": false, "errors": [{ "code": 10_013, "message": "not now" }], "result": null });
    (StatusCode::from_u16(status).expect("a status"), [("retry-after", "0")], Json(said)).into_response()
}

fn answered(status: StatusCode, result: &Value) -> Response {
    (status, Json(json!({ "success": true, "errors": [], "result": result }))).into_response()
}

fn is_allowed(headers: &HeaderMap, token: &str) -> bool {
    headers.get("authorization").is_some_and(|value| value == &format!("Bearer {token}"))
}

async fn begin(State(cloud): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let mut cloud = cloud.lock().expect("no holder panics");
    if !is_allowed(&headers, "the token") {
        return refused(403);
    }
    cloud.sessions += 1;
    if let Some(status) = cloud.session_answers.pop() {
        return refused(status);
    }
    let manifest = body["manifest"].as_object().expect("a manifest");
    for (path, file) in manifest {
        assert!(path.starts_with('/') && file["size"].is_u64(), "{path}: {file}");
    }
    cloud.manifest =
        manifest.iter().map(|(path, file)| (path.clone(), file["hash"].as_str().expect("a hash").to_owned())).collect();
    let missing: BTreeSet<String> =
        cloud.manifest.values().filter(|hash| !cloud.stored.contains_key(*hash)).cloned().collect();
    let buckets: Vec<Vec<String>> =
        missing.iter().cloned().collect::<Vec<_>>().chunks(BUCKET).map(<[String]>::to_vec).collect();
    let jwt = if missing.is_empty() { "complete" } else { "session" };
    cloud.asked.push(missing.len());
    cloud.missing = missing;
    answered(StatusCode::OK, &json!({ "jwt": jwt, "buckets": buckets }))
}

async fn upload(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_allowed(&headers, "session") {
        return refused(403);
    }
    let answer = {
        let mut cloud = shared.lock().expect("no holder panics");
        cloud.uploads += 1;
        cloud.running += 1;
        cloud.most = cloud.most.max(cloud.running);
        cloud.answers.pop()
    };
    // Long enough for others to come meanwhile.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let mut cloud = shared.lock().expect("no holder panics");
    cloud.running -= 1;
    if let Some(status) = answer.filter(|status| *status != 200) {
        return refused(status);
    }
    for part in parts(&headers, &body) {
        assert_eq!(part.name, part.filename, "the field is named like its file");
        let content = STANDARD.decode(part.content).expect("base64");
        assert!(cloud.missing.remove(&part.name) || cloud.stored.contains_key(&part.name), "nobody asked for it");
        cloud.stored.insert(part.name, (part.media_type, content));
    }
    let jwt = cloud.missing.is_empty().then_some("complete");
    answered(if jwt.is_some() { StatusCode::CREATED } else { StatusCode::ACCEPTED }, &json!({ "jwt": jwt }))
}

async fn publish(State(cloud): State<Shared>, Path(script): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let mut cloud = cloud.lock().expect("no holder panics");
    if !is_allowed(&headers, "the token") || script != "gallery" {
        return refused(403);
    }
    let metadata: Value = serde_json::from_slice(&parts(&headers, &body)[0].content).expect("metadata");
    if metadata["assets"]["jwt"] != "complete" {
        return refused(400);
    }
    let live = cloud.manifest.iter().map(|(path, hash)| (path[1..].to_owned(), cloud.stored[hash].1.clone())).collect();
    cloud.live = live;
    cloud.metadata = metadata;
    answered(StatusCode::OK, &json!({ "id": script }))
}

struct Part {
    name: String,
    filename: String,
    media_type: String,
    content: Vec<u8>,
}

fn parts(headers: &HeaderMap, body: &[u8]) -> Vec<Part> {
    let media_type = headers["content-type"].to_str().expect("ASCII");
    let boundary = media_type.strip_prefix("multipart/form-data; boundary=").expect("a form");
    let text = std::str::from_utf8(body).expect("base64 and json");
    let text = text.strip_suffix(&format!("--{boundary}--\r\n")).expect("the form ends");
    let attribute = |head: &str, name: &str| {
        head.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
    };
    text.split(&format!("--{boundary}\r\n"))
        .skip(1)
        .map(|part| {
            let (head, content) = part.split_once("\r\n\r\n").expect("a head");
            Part {
                name: attribute(head, "; name"),
                filename: attribute(head, "filename"),
                media_type: head.split("Content-Type: ").nth(1).expect("a type").to_owned(),
                content: content.strip_suffix("\r\n").expect("an end").as_bytes().to_vec(),
            }
        })
        .collect()
}

struct Scene {
    place: TempDir,
    folder: Folder,
    cloud: Shared,
    settings: TargetSettings,
}

impl Scene {
    async fn set() -> anyhow::Result<Self> {
        let place = TempDir::new()?;
        let folder = Folder::new(place.path().join("site"), 3)?;
        let cloud = Shared::default();
        let router = Router::new()
            .route("/accounts/acc/workers/scripts/gallery/assets-upload-session", post(begin))
            .route("/accounts/acc/workers/assets/upload", post(upload))
            .route("/accounts/acc/workers/scripts/{script}", put(publish))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(Arc::clone(&cloud));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let workers = WorkersSettings {
            api_url: format!("http://{}", listener.local_addr()?),
            account_id: "acc".to_owned(),
            script: "gallery".to_owned(),
            api_token: "the token".to_owned(),
            ..WorkersSettings::default()
        };
        tokio::spawn(async move { axum::serve(listener, router).await });
        let settings = TargetSettings {
            kind: TargetKind::Workers,
            workers,
            backoff_initial_ms: 1,
            backoff_max_ms: 2,
            ..TargetSettings::default()
        };
        Ok(Self { place, folder, cloud, settings })
    }

    async fn release(&self, position: u64, artworks: std::ops::Range<u32>) {
        let site = sample::site(artworks.map(sample::artwork).collect());
        self.folder.deploy(position, site, Compare::Since(None), from_bucket).await.expect("deployed");
    }

    async fn bring(&self) -> Result<Brought, TargetError> {
        self.look(Look::Changes).await
    }

    fn target(&self) -> Result<Target, TargetError> {
        Target::new(&self.settings, &atelier_events::blobs::StoreSettings::default(), "https://art.example")
    }

    async fn look(&self, look: Look) -> Result<Brought, TargetError> {
        Ok(self.target()?.bring(&self.folder, look, || Ok(vec![])).await?.expect("there is a release"))
    }

    fn cloud<T>(&self, look: impl FnOnce(&mut Cloud) -> T) -> T {
        look(&mut self.cloud.lock().expect("no holder panics"))
    }

    fn is_live(&self) -> bool {
        self.cloud(|cloud| cloud.live.clone()) == files(&self.place.path().join("site"))
    }
}

#[tokio::test]
async fn a_version_has_the_files_of_the_release_and_no_other() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    scene.release(1, 0..8).await;
    let brought = scene.bring().await?;
    assert!(scene.is_live());
    assert!(brought.changed && brought.files > 30, "{brought:?}");
    let (metadata, most) = scene.cloud(|cloud| (cloud.metadata.clone(), cloud.most));
    assert!((2..=3).contains(&most), "{most} uploads at once");
    let config = &metadata["assets"]["config"];
    assert_eq!(
        (&config["html_handling"], &config["not_found_handling"]),
        (&json!("auto-trailing-slash"), &json!("404-page"))
    );
    let headers = config["_headers"].as_str().expect("headers");
    assert!(headers.contains("/media/*\n  Cache-Control: public, max-age=31536000, immutable\n"), "{headers}");
    for feed in ["feed.xml", "feed.json", "tags/*/rss.xml", "artists/*/feed.json"] {
        assert!(headers.contains(&format!("/{feed}\n  Cache-Control: public, max-age=300\n")), "{headers}");
    }
    scene.cloud(|cloud| {
        for (path, hash) in &cloud.manifest {
            let (media_type, content) = &cloud.stored[hash];
            let extension = path.rsplit('.').next().expect("all have one");
            let whole = blake3::hash(format!("{}{extension}", STANDARD.encode(content)).as_bytes()).to_hex();
            assert_eq!(hash, &whole.as_str()[..32], "{path}");
            assert!(extension != "html" || media_type == "text/html; charset=utf-8", "{path} is {media_type}");
        }
    });
    Ok(())
}

#[tokio::test]
async fn only_what_has_changed_is_hashed_and_sent() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    scene.release(1, 0..8).await;
    scene.bring().await?;
    assert!(!scene.bring().await?.changed);
    assert_eq!(scene.cloud(|cloud| cloud.sessions), 1, "what it has is not asked for");
    // Without the files that have not changed, nothing could be hashed but what has.
    let hashes = scene.place.path().join("site.releases/target-hashes.json");
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&hashes)?)?;
    kept["files"]["about/index.html"]["hash"] = json!("0".repeat(32));
    std::fs::write(&hashes, serde_json::to_vec(&kept)?)?;
    let about = std::fs::read(scene.place.path().join("site/about/index.html"))?;
    scene.cloud(|cloud| cloud.stored.insert("0".repeat(32), ("text/html".to_owned(), about)));
    scene.release(2, 0..9).await;
    let brought = scene.bring().await?;
    assert_eq!(
        scene.cloud(|cloud| cloud.manifest["/about/index.html"].clone()),
        "0".repeat(32),
        "the kept hash is used"
    );
    assert!(brought.files <= 30, "{brought:?}");
    assert!(scene.is_live());
    // Where every byte is asked about, it is not.
    scene.look(Look::Everything).await?;
    assert_ne!(scene.cloud(|cloud| cloud.manifest["/about/index.html"].clone()), "0".repeat(32));
    assert!(scene.is_live());

    scene.folder.roll_back(None).await?;
    assert_eq!(scene.bring().await?.files, 0, "what was live before is stored");
    assert!(scene.is_live());
    Ok(())
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_gone_on_with_and_the_old_version_is_live_until_then() -> anyhow::Result<()> {
    let mut scene = Scene::set().await?;
    scene.release(1, 0..2).await;
    scene.bring().await?;
    let before = scene.cloud(|cloud| cloud.live.clone());
    scene.release(2, 0..12).await;
    scene.settings.attempts = 1;
    // Popped from the end: three buckets are taken, the fourth is refused for good.
    scene.cloud(|cloud| cloud.answers = vec![400, 200, 200, 200]);
    let failed = scene.bring().await;
    assert!(
        matches!(&failed, Err(TargetError::Refused { status: 400, said, .. }) if said.contains("not now")),
        "{failed:?}"
    );
    assert!(scene.cloud(|cloud| cloud.live.clone()) == before);
    let brought = scene.bring().await?;
    assert!(scene.is_live());
    let [.., first, second] = scene.cloud(|cloud| cloud.asked.clone())[..] else { anyhow::bail!("two sessions") };
    assert!(second < first, "what was stored is not asked for again: {second} of {first}");
    assert_eq!(usize::try_from(brought.files)?, second, "and not sent");
    Ok(())
}

#[tokio::test]
async fn limits_are_checked_before_anything_is_sent() -> anyhow::Result<()> {
    let mut scene = Scene::set().await?;
    scene.release(1, 0..8).await;
    scene.settings.workers.max_files = 20;
    let refused = scene.bring().await.expect_err("too many").to_string();
    let files = files(&scene.place.path().join("site"));
    // A rehearsal says so before there is such a release: of what is live and what will be.
    let page = |length| Difference { puts: [("one-more.html".to_owned(), length)].into(), ..Difference::default() };
    scene.settings.workers.max_files = files.len();
    let too_many = scene.target()?.check(&scene.folder, &page(10)).await.expect_err("too many").to_string();
    assert!(too_many.contains(&format!("has {} files", files.len() + 1)), "{too_many}");
    let gone = files.keys().next().expect("there are files").clone();
    let instead = Difference { gone: [gone].into(), ..page(10) };
    scene.target()?.check(&scene.folder, &instead).await.expect("as many as before");
    let large = Difference { puts: page(26 << 20).puts, ..instead };
    let too_large = scene.target()?.check(&scene.folder, &large).await.expect_err("too large").to_string();
    assert!(too_large.contains("one-more.html"), "{too_large}");
    assert!(refused.contains(&format!("has {} files", files.len())) && refused.contains("max_files"), "{refused}");
    scene.settings.workers.max_files = 20_000;
    scene.settings.workers.max_file_bytes = 1_000;
    let refused = scene.bring().await.expect_err("too large").to_string();
    let (longest, bytes) = files.iter().max_by_key(|(_, bytes)| bytes.len()).expect("there are files");
    assert!(refused.contains(longest) && refused.contains(&bytes.len().to_string()), "{refused}");
    assert_eq!(scene.cloud(|cloud| (cloud.sessions, cloud.uploads)), (0, 0));
    Ok(())
}

#[tokio::test]
async fn what_is_too_much_for_the_api_or_its_gateway_is_tried_again_more_slowly() -> anyhow::Result<()> {
    let scene = Scene::set().await?;
    scene.release(1, 0..8).await;
    scene.cloud(|cloud| {
        cloud.session_answers = vec![500, 429];
        cloud.answers = vec![429, 503, 429];
    });
    scene.bring().await?;
    assert!(scene.is_live());
    assert_eq!(scene.cloud(|cloud| cloud.sessions), 3);

    // The first answer of the gateway makes it one at a time.
    scene.release(2, 8..40).await;
    scene.cloud(|cloud| {
        cloud.answers = vec![502, 502, 502];
        cloud.uploads = 0;
    });
    let cloud = Arc::clone(&scene.cloud);
    let watching = tokio::spawn(async move {
        atelier_e2e::until("the gateway has spoken", async || Ok(cloud.lock().expect("no holder panics").uploads > 6))
            .await?;
        cloud.lock().expect("no holder panics").most = 0;
        anyhow::Ok(())
    });
    scene.bring().await?;
    watching.await??;
    assert!(scene.is_live());
    assert_eq!(scene.cloud(|cloud| cloud.most), 1, "one after the other");
    Ok(())
}

#[tokio::test]
async fn an_api_that_always_fails_is_given_up_after_so_many_attempts() -> anyhow::Result<()> {
    let mut scene = Scene::set().await?;
    scene.settings.attempts = 3;
    scene.release(1, 0..1).await;
    scene.cloud(|cloud| cloud.session_answers = vec![500; 10]);
    let failed = scene.bring().await;
    assert!(matches!(failed, Err(TargetError::Refused { status: 500, .. })), "{failed:?}");
    assert_eq!(scene.cloud(|cloud| cloud.sessions), 3);
    scene.cloud(|cloud| cloud.session_answers.clear());
    scene.settings.workers.api_token = "another".to_owned();
    let refused = scene.bring().await;
    assert!(matches!(refused, Err(TargetError::Refused { status: 403, .. })), "{refused:?}");
    assert_eq!(scene.cloud(|cloud| cloud.sessions), 3, "what is wrong is not tried again");
    Ok(())
}
