//! An API of a test's own: a database, a bucket, a server on a free port, and the index as far as the test wants it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use atelier_e2e::Database;
use atelier_events::bus::{Bus, PostgresBus};
use atelier_events::keys::RenditionSet;
use atelier_events::log::Write;
use atelier_events::variant::{Failed, Rendered, VariantEvent};
use atelier_events::{
    Append, ArtworkId, Blob, Context, Event, ExpectedVersion, Log, Look, NewEvent, Position, Rendition, RenditionKind,
    Stage, Stream, Swatch, VariantId, keys,
};
use atelier_index::ReadModel;
use atelier_producer::settings::{ApiSettings, Settings, SiteAddress};
use atelier_producer::{App, serve};
use atelier_runtime::Projection as _;
use metrics_exporter_prometheus::PrometheusBuilder;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use atelier_e2e::Bucket;

/// By which [`Studio::render`] has sets cut.
pub(crate) const RECIPE: &str = "5f2c9e01d7ab";
pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and no more";

pub(crate) struct Studio {
    pub(crate) log: Log,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) shutdown: CancellationToken,
    _stop: DropGuard,
    pub(crate) bucket: Bucket,
    base: String,
    http: Client,
    // Last, so that its connections are asked to end before it is dropped.
    _database: Database,
}

impl Studio {
    /// With the read model's schema, and nothing applied to it.
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let studio = Self::without_index().await?;
        ReadModel::open(&studio.log).await?;
        Ok(studio)
    }

    /// As before the index daemon was ever started.
    pub(crate) async fn without_index() -> anyhow::Result<Self> {
        let database = Database::create().await?;
        let bucket = Bucket::create().await?;
        let log = database.log();
        let bus: Arc<dyn Bus> = Arc::new(PostgresBus::new(log.signals().clone()));
        let api = ApiSettings {
            keys: vec!["ann:of-ann".to_owned(), "bob:of-bob".to_owned()],
            media_url: "https://cdn.example".to_owned(),
            max_body_bytes: 100_000,
            max_upload_bytes: 1_000_000,
            after_timeout_ms: 400,
            ..ApiSettings::default()
        };
        let site = SiteAddress { base_url: "https://gallery.example".to_owned() };
        let settings = Settings { store: bucket.settings.clone(), api, site, ..Settings::default() };
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let app = App::new(log.clone(), Arc::clone(&bus), bucket.blobs.clone(), metrics, &settings)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let base = format!("http://{}", listener.local_addr()?);
        let shutdown = CancellationToken::new();
        tokio::spawn(serve(listener, app, shutdown.clone()));
        // One may have been installed by another test of this process; any of them does.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = Client::builder().timeout(Duration::from_mins(1)).build()?;
        let stop = shutdown.clone().drop_guard();
        Ok(Self { log, bus, shutdown, _stop: stop, bucket, base, http, _database: database })
    }

    /// A request without a key.
    pub(crate) fn stranger(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// A request of Ann's.
    pub(crate) fn ann(&self, method: Method, path: &str) -> RequestBuilder {
        self.stranger(method, path).bearer_auth("of-ann")
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        answer(self.ann(Method::GET, path).send().await?, StatusCode::OK).await
    }

    /// Sends a command and expects it to be taken.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let response = self.ann(Method::POST, path).json(body).send().await?;
        let expected = if path == "/v1/uploads" { StatusCode::CREATED } else { StatusCode::ACCEPTED };
        answer(response, expected).await
    }

    /// Sends a command and expects it to be refused with this status; answers the problem.
    pub(crate) async fn refused(&self, path: &str, body: &Value, status: u16) -> anyhow::Result<Value> {
        let response = self.ann(Method::POST, path).json(body).send().await?;
        problem(response, status).await
    }

    /// Puts a file into the bucket as a client does; answers its key.
    pub(crate) async fn upload(&self, bytes: &'static [u8]) -> anyhow::Result<String> {
        let body = json!({ "filename": "harbour.png", "content_type": "image/png", "size": bytes.len() });
        let slot = self.post("/v1/uploads", &body).await?;
        let mut put = self.http.put(slot["url"].as_str().context("a url")?).body(bytes);
        for (name, value) in slot["headers"].as_object().context("headers")? {
            put = put.header(name, value.as_str().context("a header")?);
        }
        let stored = put.send().await?;
        ensure!(stored.status().is_success(), "the store said {}", stored.status());
        Ok(slot["key"].as_str().context("a key")?.to_owned())
    }

    /// An artwork from an upload; answers what the API said.
    pub(crate) async fn artwork(&self, title: &str) -> anyhow::Result<Value> {
        let key = self.upload(PNG).await?;
        self.post("/v1/artworks", &json!({ "upload_key": key, "title": title })).await
    }

    /// Lets the index catch up with the log.
    pub(crate) async fn index(&self) -> anyhow::Result<()> {
        let mut read_model = ReadModel::open(&self.log).await?;
        loop {
            let after = read_model.checkpoint().await?;
            let events = self.log.read(after, 1_000).await?;
            if events.is_empty() {
                return Ok(());
            }
            read_model.apply(&events).await?;
        }
    }

    /// Appends an event as a daemon would.
    pub(crate) async fn tell(&self, stream: Stream, event: Event) -> anyhow::Result<Position> {
        let events = vec![NewEvent::new(event, &Context::command("test"))];
        let write = Write { stream, expected: ExpectedVersion::Any, events };
        Ok(self.log.append(Append { key: None, writes: vec![write] }).await?.position())
    }

    /// The thumbnails are there.
    pub(crate) async fn render(&self, artwork: ArtworkId, variant: VariantId) -> anyhow::Result<Position> {
        let blob = |key| Blob { key, sha256: "0a".repeat(32), media_type: "image/jpeg".to_owned(), length: 7 };
        let kinds = [RenditionKind::Display, RenditionKind::Thumb, RenditionKind::Icon, RenditionKind::Preview];
        let original = blob(keys::original("ann", variant, "jpg"));
        let set = RenditionSet { owner: "ann", variant, original: &original.sha256, recipe: RECIPE };
        let rendition = |kind| Rendition { kind, blob: blob(set.rendition(kind)), width: 3, height: 2 };
        let rendered = Rendered {
            variant_id: variant,
            renditions: kinds.map(rendition).to_vec(),
            original,
            width: 30,
            height: 20,
            look: Look::Photo,
            palette: vec![Swatch { colour: "#102030".to_owned(), per_mille: 1000 }],
            placeholder: "3OcRJYB4d3h/iIeHeEh3eIhw+j2w".to_owned(),
            recipe_hash: Some(RECIPE.to_owned()),
        };
        self.tell(Stream::artwork(artwork), Event::Variant(VariantEvent::Rendered(rendered))).await
    }

    /// The thumbnails cannot be cut.
    pub(crate) async fn fail(&self, artwork: ArtworkId, variant: VariantId, error: &str) -> anyhow::Result<Position> {
        let failed = Failed { variant_id: variant, stage: Stage::Renditions, error: error.to_owned() };
        self.tell(Stream::artwork(artwork), Event::Variant(VariantEvent::Failed(failed))).await
    }
}

/// The body of an answer with this status.
pub(crate) async fn answer(response: Response, status: StatusCode) -> anyhow::Result<Value> {
    let (found, body) = (response.status(), response.text().await?);
    ensure!(found == status, "{found} instead of {status}: {body}");
    Ok(serde_json::from_str(&body)?)
}

/// The body of a problem with this status, after a look at what every problem has.
pub(crate) async fn problem(response: Response, status: u16) -> anyhow::Result<Value> {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (media_type, request_id) = (header("content-type"), header("x-request-id"));
    let path = response.url().path().to_owned();
    let problem = answer(response, StatusCode::from_u16(status)?).await?;
    ensure!(media_type.as_deref() == Some("application/problem+json"), "a problem of type {media_type:?}");
    ensure!(problem["status"] == status && problem["instance"] == path, "{problem}");
    ensure!(request_id.is_some() && problem["request_id"].as_str() == request_id.as_deref(), "{problem}");
    ensure!(problem["type"].as_str().is_some_and(|uri| uri.starts_with("urn:atelier:problem:")), "{problem}");
    Ok(problem)
}

/// The places that a problem names, in order.
pub(crate) fn pointers(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut at: Vec<&str> =
        errors.iter().filter_map(|flaw| flaw["pointer"].as_str().or_else(|| flaw["parameter"].as_str())).collect();
    at.sort_unstable();
    at
}

/// An id in an answer.
pub(crate) fn id<T: std::str::FromStr>(value: &Value) -> anyhow::Result<T> {
    value.as_str().and_then(|text| text.parse().ok()).with_context(|| format!("{value} is not an id"))
}
