//! What is wrong is refused, or fails, with the reason in words; whoever sent it, all else goes on.

use anyhow::{Context as _, ensure};
use atelier_e2e::{Broker, Database, until};
use atelier_events::{ArtworkId, Event, Log, Stream, VariantEvent, keys};
use atelier_standalone::client::{NewArtwork, Refused};
use bytes::Bytes;
use image::ImageFormat;
use reqwest::Method;
use serde_json::{Value, json};

use crate::commands::{sketches, upload};
use crate::harness::{Processes, with_processes};
use crate::{gallery, history, pictures};

/// An id that nothing has.
const NOBODY: &str = "0199fd2e-3c5b-7cc1-b0f3-6f6f0a4c1d2e";

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_or_fails_with_its_reason_and_everything_goes_on() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let outcome = with_processes(&database.url, broker.settings.clone(), &[], async |processes| {
        let log = &processes.connections.log;
        until("the API reads what the index has made", || async { reads(processes).await }).await?;
        refused(processes).await?;
        put_as_another_type(processes).await?;
        let mut happened = history::events(log).await?;
        // An empty gallery is deployed at the start.
        happened.retain(|event| event.event_type != "site.deployed");
        ensure!(happened.is_empty(), "what was refused is in the log: {happened:?}");
        failed(processes).await?;
        sketches(&processes.client, "after-all-that", 1, 128).await?;
        let good = pictures::small(7, 128, ImageFormat::Jpeg)?;
        upload(&processes.client, "good.jpg", "image/jpeg", &good).await?;
        history::at_rest(log, i64::try_from(FAILING)? + 3).await?;
        let artworks = gallery::check(&processes.site, log).await?;
        ensure!(artworks.len() == 3, "{} artworks are published", artworks.len());
        Ok(())
    })
    .await;
    broker.delete().await?;
    outcome
}

async fn reads(processes: &Processes) -> anyhow::Result<bool> {
    let request = reqwest::Client::new().get(format!("{}/v1/artworks", processes.api_url));
    let answer = request.bearer_auth(&processes.api_key).send().await;
    Ok(answer.is_ok_and(|answer| answer.status().is_success()))
}

/// A request and the problem it is answered with.
struct Case {
    what: &'static str,
    method: Method,
    path: String,
    key: Key,
    media_type: &'static str,
    body: String,
    status: u16,
    problem: &'static str,
    words: &'static [&'static str],
}

/// What a request says about who asks.
enum Key {
    Right,
    Wrong,
    None,
}

impl Case {
    fn get(what: &'static str, path: &str, status: u16, problem: &'static str, words: &'static [&'static str]) -> Self {
        let (path, body) = (path.to_owned(), String::new());
        Self {
            what,
            method: Method::GET,
            path,
            key: Key::Right,
            media_type: "text/plain",
            body,
            status,
            problem,
            words,
        }
    }

    fn post(what: &'static str, path: &str, body: String, words: &'static [&'static str]) -> Self {
        let (method, media_type) = (Method::POST, "application/json");
        Self { method, media_type, body, ..Self::get(what, path, 400, "invalid-request", words) }
    }

    fn artwork(what: &'static str, body: &Value, words: &'static [&'static str]) -> Self {
        Self::post(what, "/v1/artworks", body.to_string(), words)
    }

    fn titled(what: &'static str, title: impl Into<Value>, words: &'static [&'static str]) -> Self {
        let body = json!({ "upload_key": format!("uploads/{NOBODY}/a.png"), "title": title.into() });
        Self::artwork(what, &body, words)
    }

    fn generation(what: &'static str, body: &Value, words: &'static [&'static str]) -> Self {
        Self::post(what, "/v1/generations", body.to_string(), words)
    }

    fn upload(what: &'static str, media_type: &str, size: u64, words: &'static [&'static str]) -> Self {
        let body = json!({ "filename": "a.png", "content_type": media_type, "size": size });
        Self::post(what, "/v1/uploads", body.to_string(), words)
    }

    /// The same, answered with another problem.
    fn is(self, status: u16, problem: &'static str) -> Self {
        Self { status, problem, ..self }
    }
}

async fn refused(processes: &Processes) -> anyhow::Result<()> {
    let http = reqwest::Client::new();
    for case in commands().into_iter().chain(questions()) {
        let url = format!("{}{}", processes.api_url, case.path);
        let request = http.request(case.method.clone(), url).body(case.body.clone());
        let request = request.header("content-type", case.media_type);
        let request = match case.key {
            Key::Right => request.bearer_auth(&processes.api_key),
            Key::Wrong => request.bearer_auth("not-the-key"),
            Key::None => request,
        };
        let response = request.send().await.with_context(|| case.what.to_owned())?;
        check_problem(&case, response).await.with_context(|| case.what.to_owned())?;
    }
    Ok(())
}

async fn check_problem(case: &Case, response: reqwest::Response) -> anyhow::Result<()> {
    let status = response.status().as_u16();
    let media_type = response.headers().get("content-type").cloned().context("an answer says what it is")?;
    let text = response.text().await?;
    ensure!(media_type == "application/problem+json", "{status} {media_type:?}: {text}");
    let problem: Value = serde_json::from_str(&text)?;
    ensure!(status == case.status && problem["status"] == status, "status {status}: {text}");
    ensure!(problem["type"] == format!("urn:atelier:problem:{}", case.problem), "{text}");
    let detail = problem["detail"].as_str().unwrap_or_default();
    for word in case.words {
        ensure!(detail.contains(word), "{word:?} is not in {text}");
    }
    Ok(())
}

/// What a client may get wrong when it wants something done.
fn commands() -> Vec<Case> {
    vec![
        Case::artwork("missing fields", &json!({}), &["upload_key: is missing", "title: is missing"]),
        Case::artwork("an unknown field", &json!({ "colour": 1 }), &["colour: is not known", "upload_key, "]),
        Case::artwork(
            "a key that is none",
            &json!({ "upload_key": "../secret", "title": "t" }),
            &["upload_key: is not"],
        ),
        Case::titled("an upload that is not there", "t", &["there is no upload", "PUT the file first"])
            .is(422, "unprocessable"),
        Case::titled("a title of 10,000 characters", "x".repeat(10_000), &["title: has 10000 characters", "200"]),
        Case::titled("a control character in a title", "a\u{7}b", &["title: holds a control character"]),
        Case::titled("a line break in a title", "a\nb", &["title: holds a control character"]),
        Case::titled("a NUL in a title", "a\0b", &["title: holds a NUL"]),
        Case::titled("a title of nothing but spaces", "  ", &["title: is empty"]),
        Case::titled("a title that is no text", 5, &["title: invalid type"]),
        Case::artwork(
            "a link that runs",
            &json!({ "source_url": "javascript:alert(1)" }),
            &["source_url", "is not a link"],
        ),
        Case::upload("an empty file", "image/png", 0, &["size: is 0"]),
        Case::upload("a file of no picture", "text/plain", 1, &["text/plain", "image/png"]).is(415, "unsupported-type"),
        Case::upload("a file that is too large", "image/png", 1_000_000_000, &["1000000000"]).is(413, "too-large"),
        Case::generation("an empty prompt", &json!({ "prompt": " " }), &["prompt: is empty"]),
        Case::generation("a picture without width", &json!({ "prompt": "p", "width": 0 }), &["width: 0", "64"]),
        Case::generation("too many pictures", &json!({ "prompt": "p", "count": 1_000 }), &["count: 1000", "16"]),
        Case::post("malformed JSON", "/v1/artworks", "{\"title\":".to_owned(), &["not JSON"])
            .is(400, "malformed-request"),
        Case::post("a body that is a list", "/v1/artworks", "[]".to_owned(), &["object"]).is(400, "malformed-request"),
        Case {
            media_type: "text/plain",
            ..Case::artwork("a body that is text", &json!({}), &["text/plain", "application/json"])
                .is(415, "unsupported-type")
        },
    ]
}

/// What a client may get wrong when it wants to know something.
fn questions() -> Vec<Case> {
    let at = |what: &str| format!("/v1/{what}/{NOBODY}");
    vec![
        Case::get("a path that is none", "/v1/nothing", 404, "not-found", &["/v1/nothing"]),
        Case::get("an unknown cursor", "/v1/artworks?cursor=bm9ib2R5", 400, "unknown-cursor", &["cursor"]),
        Case::get("an unknown parameter", "/v1/artworks?colour=red", 400, "invalid-request", &["colour"]),
        Case::get("an unknown status", "/v1/artworks?status=fine", 400, "invalid-request", &["fine", "active"]),
        Case::get("an unknown artwork", &at("artworks"), 404, "not-found", &[NOBODY]),
        Case::get("an unknown generation", &at("generations"), 404, "not-found", &[NOBODY]),
        Case::get("an unknown export", &at("exports"), 404, "not-found", &[NOBODY]),
        Case::get("an id that is none", "/v1/artworks/one", 404, "not-found", &["one"]),
        Case {
            method: Method::DELETE,
            ..Case::get("a method that is not for a path", "/v1/artworks", 405, "method-not-allowed", &["DELETE"])
        },
        Case { key: Key::Wrong, ..Case::get("a wrong key", "/v1/artworks", 401, "unauthorized", &["key"]) },
        Case { key: Key::None, ..Case::get("no key", "/v1/artworks", 401, "unauthorized", &["Bearer"]) },
    ]
}

/// The signature covers the type that was declared: a file cannot be put as another.
async fn put_as_another_type(processes: &Processes) -> anyhow::Result<()> {
    let bytes = pictures::small(1, 64, ImageFormat::Png)?;
    let slot = processes.client.begin_upload("a.png", "image/png", u64::try_from(bytes.len())?, None).await?;
    let put = reqwest::Client::new().put(&slot.url).header("content-type", "text/html").body(bytes);
    let status = put.send().await?.status();
    ensure!(status.as_u16() == 403, "a file was put as another type: {status}");
    Ok(())
}

/// Files that are taken, since only who reads them knows what they are, and cannot become renditions.
const FAILING: usize = 4;

async fn failed(processes: &Processes) -> anyhow::Result<()> {
    let Processes { client, connections, .. } = processes;
    let jpeg = pictures::small(1, 300, ImageFormat::Jpeg)?;
    let png = pictures::small(2, 200, ImageFormat::Png)?;
    let truncated = [pictures::truncated(&jpeg)?, pictures::truncated(&png)?];
    let bomb = pictures::bomb(20_000)?;
    let files: [(&str, &str, &[u8], &str); FAILING] = [
        (
            "not-an-image.png",
            "image/png",
            b"<!doctype html><title>not an image</title>",
            "not a JPEG, PNG, WebP or GIF",
        ),
        ("truncated.jpg", "image/jpeg", &truncated[0], "damaged"),
        ("truncated.png", "image/png", &truncated[1], "damaged"),
        ("bomb.png", "image/png", &bomb, "20000 x 20000"),
    ];
    for (name, media_type, bytes, reason) in files {
        let artwork = upload(client, name, media_type, bytes).await?;
        let answer = client.published(artwork, atelier_e2e::PATIENCE).await;
        let error = format!("{:#}", answer.err().with_context(|| format!("{name} was published"))?);
        ensure!(error.contains(reason), "{name}: {error}");
        ensure!(failures(&connections.log, artwork).await? == 1, "{name} failed more than once");
    }
    empty(processes).await?;

    // What a file is, is what is in it.
    let artwork = upload(client, "a-png.jpg", "image/jpeg", &png).await?;
    client.published(artwork, atelier_e2e::PATIENCE).await?;
    let events = connections.log.read_stream(&Stream::artwork(artwork)).await?;
    let kept = atelier_events::Artwork::of(&events)?.context("it is an artwork")?;
    let original = kept.cover().and_then(|cover| cover.original.clone()).context("it is complete")?;
    ensure!(original.media_type == "image/png" && original.key.rsplit('.').next() == Some("png"), "{original:?}");
    Ok(())
}

/// An empty file cannot be put with a URL of the API's, which covers the length, but a bucket may have one all the same.
async fn empty(processes: &Processes) -> anyhow::Result<()> {
    let upload_key = keys::upload(NOBODY.parse()?, "empty.png");
    processes.connections.blobs.put(&upload_key, Bytes::new(), "image/png").await?;
    let artwork = NewArtwork { upload_key, title: "Empty".to_owned(), ..NewArtwork::default() };
    let refused = processes.client.create_artwork(&artwork, "empty").await.err().context("it was taken")?;
    let refused = refused.downcast_ref::<Refused>().context("the API refuses it")?;
    ensure!(refused.is("unprocessable") && refused.to_string().contains("is empty"), "{refused}");
    Ok(())
}

async fn failures(log: &Log, artwork: ArtworkId) -> anyhow::Result<usize> {
    let events = log.read_stream(&Stream::artwork(artwork)).await?;
    let failed =
        |event: &atelier_events::Recorded| Ok(matches!(event.event()?, Event::Variant(VariantEvent::Failed(_))));
    let failed: Vec<bool> = events.iter().map(failed).collect::<anyhow::Result<_>>()?;
    Ok(failed.into_iter().filter(|failed| *failed).count())
}
