//! The API as a client outside would use it: `import` and `demo` know no other way in.
//!
//! A request that the API was too busy for, or that found no API, is sent again with a growing pause, [`ATTEMPTS`] times
//! in all. That does no harm: such a request was not carried out, and what creates something carries an idempotency key.

mod answers;
mod feed;
mod refused;
mod send;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use atelier_events::{ArtworkId, ExportId, GenerationId, Position, Stream, VariantId};
use reqwest::header::HeaderMap;
use reqwest::{Body, Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use answers::Accepted;
pub use answers::{
    AcceptedArtwork, AcceptedExport, AcceptedGeneration, Artwork, Export, Failure, Generating, Generation, Job,
    JobCount, Jobs, NewArtwork, NewExport, NewGeneration, Original, Restore, UploadSlot, Variant,
};
pub use feed::Feed;
pub use refused::{Flaw, Refused};
pub use send::ATTEMPTS;

/// How long an ordinary request may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest that the API holds a read back until what is waited for has happened.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// How often a variant is looked at that is waited for: the API waits for artworks.
const PAUSE: Duration = Duration::from_millis(250);

/// The slowest line that an upload may be sent over, in bytes per second; slower than this counts as stuck.
const SLOWEST_UPLOAD: u64 = 50_000;

/// What an artwork is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Its renditions are there.
    Ready,
    /// Its page is live.
    Published,
}

/// One API, as seen with one key. What it was told to do it also reads: a read waits for the index to get as far as the
/// commands before it. Cheap to clone; clones share their connections and what they have commanded.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: HeaderMap,
    /// The last position that a command was answered with.
    commanded: Arc<AtomicI64>,
}

impl Client {
    /// A client of the API at this address (`http://127.0.0.1:8080`). Nothing is sent until the first request.
    pub fn new(base_url: &str, api_key: &str) -> anyhow::Result<Self> {
        // There may be one already; which of them it is makes no difference.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(5)).build()?;
        let mut bearer = format!("Bearer {api_key}")
            .parse::<reqwest::header::HeaderValue>()
            .context("the API key holds characters that cannot be sent")?;
        bearer.set_sensitive(true);
        let key = HeaderMap::from_iter([(reqwest::header::AUTHORIZATION, bearer)]);
        let base = base_url.trim_end_matches('/').to_owned();
        Ok(Self { http, base, key, commanded: Arc::default() })
    }

    /// Asks where a file may be put. The same idempotency key names the same place.
    pub async fn begin_upload(
        &self,
        filename: &str,
        media_type: &str,
        length: u64,
        idempotency_key: Option<&str>,
    ) -> anyhow::Result<UploadSlot> {
        let body = serde_json::json!({ "filename": filename, "content_type": media_type, "size": length });
        Ok(self.post("/v1/uploads", &body, idempotency_key).await?.0)
    }

    /// Puts a file where [`Self::begin_upload`] said. It goes from the disk to the bucket piece by piece.
    pub async fn put(&self, path: &Path, slot: &UploadSlot) -> anyhow::Result<()> {
        let length = tokio::fs::metadata(path).await?.len();
        let headers = slot.headers.iter().map(|(name, value)| anyhow::Ok((name.parse()?, value.parse()?)));
        let headers: HeaderMap = headers.collect::<anyhow::Result<_>>()?;
        let limit = TIMEOUT + Duration::from_secs(length / SLOWEST_UPLOAD);
        send::patiently(|| {
            // Opened for every attempt: one that broke off has read a part of it.
            let file = File::from_std(std::fs::File::open(path)?);
            let body = Body::wrap_stream(ReaderStream::with_capacity(file, 256 * 1024));
            Ok(self.http.put(&slot.url).headers(headers.clone()).timeout(limit).body(body))
        })
        .await?;
        Ok(())
    }

    /// Creates an artwork from an upload.
    pub async fn create_artwork(&self, artwork: &NewArtwork, idempotency_key: &str) -> anyhow::Result<AcceptedArtwork> {
        let (accepted, replayed): (AcceptedArtwork, _) = self.command("/v1/artworks", artwork, idempotency_key).await?;
        Ok(AcceptedArtwork { replayed, ..accepted })
    }

    /// Asks for pictures to be generated.
    pub async fn create_generation(
        &self,
        generation: &NewGeneration,
        idempotency_key: &str,
    ) -> anyhow::Result<AcceptedGeneration> {
        Ok(self.command("/v1/generations", generation, idempotency_key).await?.0)
    }

    /// Asks for a ZIP.
    pub async fn create_export(&self, export: &NewExport, idempotency_key: &str) -> anyhow::Result<AcceptedExport> {
        Ok(self.command("/v1/exports", export, idempotency_key).await?.0)
    }

    /// An artwork, as soon as it is what is waited for, failed, or the wait is over (a minute at most; zero: at once).
    pub async fn artwork(&self, id: ArtworkId, wait: Duration, until: Until) -> anyhow::Result<Artwork> {
        let wait_for = match until {
            Until::Ready => "ready",
            Until::Published => "published",
        };
        self.read(&format!("/v1/artworks/{id}"), wait, &[("wait_for", wait_for)]).await
    }

    /// Waits until an artwork's page is live. An error when it failed, or is not there by the time limit.
    pub async fn published(&self, id: ArtworkId, limit: Duration) -> anyhow::Result<Artwork> {
        let began = Instant::now();
        loop {
            let wait = limit.saturating_sub(began.elapsed());
            let artwork = self.artwork(id, wait.max(Duration::from_secs(1)), Until::Published).await?;
            if artwork.published {
                return Ok(artwork);
            }
            if let Some(failure) = artwork.failure() {
                bail!("{failure}");
            }
            if wait.is_zero() {
                bail!("is not published after {} s; its status is {:?}", limit.as_secs(), artwork.status);
            }
        }
    }

    /// Waits until a variant of an artwork is complete. An error when it failed, or is not there by the time limit.
    pub async fn complete(&self, id: ArtworkId, variant: VariantId, limit: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let artwork = self.artwork(id, Duration::ZERO, Until::Ready).await?;
            let variant = artwork.variants.iter().find(|found| found.id == variant).context("it is not there")?;
            match (variant.state.as_str(), &variant.failure) {
                ("completed", _) => return Ok(()),
                ("failed", Some(failure)) => bail!("{}", failure.error),
                (state, _) if began.elapsed() >= limit => {
                    bail!("is not complete after {} s; its state is {state:?}", limit.as_secs())
                }
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// A generation, as soon as all its variants have ended or the wait is over.
    pub async fn generation(&self, id: GenerationId, wait: Duration) -> anyhow::Result<Generation> {
        self.read(&format!("/v1/generations/{id}"), wait, &[]).await
    }

    /// An export, as soon as it has ended or the wait is over.
    pub async fn export(&self, id: ExportId, wait: Duration) -> anyhow::Result<Export> {
        self.read(&format!("/v1/exports/{id}"), wait, &[]).await
    }

    /// Writes what is at a signed address to a file, and answers its sha256.
    pub async fn fetch(&self, url: &str, file: &mut File) -> anyhow::Result<String> {
        // The key is the API's, and the address needs none. A large ZIP takes what it takes; a line that stands still does not.
        let mut response = send::patiently(|| Ok(self.http.get(url))).await?;
        let mut sha256 = Sha256::new();
        while let Some(bytes) = tokio::time::timeout(TIMEOUT, response.chunk()).await.context("nothing comes")?? {
            sha256.update(&bytes);
            file.write_all(&bytes).await?;
        }
        file.flush().await?;
        let hex: Vec<String> = sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(hex.concat())
    }

    /// The newest jobs about a stream, or about any.
    pub async fn jobs(&self, stream: Option<&Stream>) -> anyhow::Result<Jobs> {
        let filter: Vec<_> = stream.map(|stream| ("stream", stream.as_str())).into_iter().collect();
        self.get("/v1/jobs", TIMEOUT, &filter).await
    }

    /// Events after a position as they come, without end and without a gap.
    #[must_use]
    pub fn events(&self, after: Position) -> Feed {
        Feed::new(self.clone(), after)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
        idempotency_key: Option<&str>,
    ) -> anyhow::Result<(T, bool)> {
        let response = send::patiently(|| {
            let mut request = self.request(Method::POST, path).timeout(TIMEOUT).json(body);
            if let Some(key) = idempotency_key {
                request = request.header("idempotency-key", key);
            }
            Ok(request)
        })
        .await
        .with_context(|| format!("POST {path}"))?;
        let replayed = response.headers().get("idempotency-replayed").is_some_and(|value| value == "true");
        Ok((response.json().await.with_context(|| format!("the answer to POST {path}"))?, replayed))
    }

    async fn command<T: DeserializeOwned + Accepted>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
        idempotency_key: &str,
    ) -> anyhow::Result<(T, bool)> {
        let (accepted, replayed) = self.post::<T>(path, body, Some(idempotency_key)).await?;
        self.commanded.fetch_max(accepted.position().0, Ordering::Relaxed);
        Ok((accepted, replayed))
    }

    /// Reads what commands have changed, as soon as it has come to where `wait` waits for it.
    async fn read<T: DeserializeOwned>(&self, path: &str, wait: Duration, query: &[(&str, &str)]) -> anyhow::Result<T> {
        let wait = wait.min(LONGEST_WAIT);
        let after = self.commanded.load(Ordering::Relaxed).to_string();
        let wait_ms = format!("{}ms", wait.as_millis());
        let query = [query, &[("after", &after), ("wait", &wait_ms)]].concat();
        self.get(path, TIMEOUT + wait, &query).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, limit: Duration, query: &[(&str, &str)]) -> anyhow::Result<T> {
        let response = send::patiently(|| Ok(self.request(Method::GET, path).query(query).timeout(limit)))
            .await
            .with_context(|| format!("GET {path}"))?;
        response.json().await.with_context(|| format!("the answer to GET {path}"))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).headers(self.key.clone())
    }
}
