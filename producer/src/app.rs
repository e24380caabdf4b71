//! What every request of the API shares.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use atelier_events::bus::Bus;
use atelier_events::id::ArtworkId;
use atelier_events::operations::Missing;
use atelier_events::{Blobs, Log, Position};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::auth::Keys;
use crate::index::Index;
use crate::problem::Problem;
use crate::settings::{Settings, media_url};

/// The API with its connections. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// What all clones of an [`App`] share.
pub struct Shared {
    pub(crate) log: Log,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) blobs: Blobs,
    pub(crate) index: Index,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) keys: Keys,
    pub(crate) max_body_bytes: usize,
    pub(crate) max_upload_bytes: u64,
    pub(crate) presign_ttl: Duration,
    pub(crate) after_timeout: Duration,
    public_url: String,
    media_url: String,
    site_url: String,
    /// Held while the log is verified.
    pub(crate) verifying: tokio::sync::Mutex<()>,
    /// Cancelled when the process goes down: whoever waits stops waiting.
    pub(crate) stopping: CancellationToken,
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// Puts the API together. Refuses settings with which nobody could use it. Call inside a tokio runtime.
    pub fn new(
        log: Log,
        bus: Arc<dyn Bus>,
        blobs: Blobs,
        metrics: PrometheusHandle,
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        let api = &settings.api;
        let bare = |url: &str| url.trim_end_matches('/').to_owned();
        Ok(Self(Arc::new(Shared {
            index: Index::new(log.pool().clone()),
            log,
            bus,
            blobs,
            metrics,
            keys: Keys::parse(&api.keys)?,
            max_body_bytes: api.max_body_bytes,
            max_upload_bytes: api.max_upload_bytes,
            presign_ttl: Duration::from_secs(api.presign_ttl_s),
            after_timeout: Duration::from_millis(api.after_timeout_ms),
            public_url: bare(&api.public_url),
            media_url: media_url(api, &settings.site, &settings.store),
            site_url: bare(&settings.site.base_url),
            verifying: tokio::sync::Mutex::default(),
            stopping: CancellationToken::new(),
        })))
    }

    /// Asks what is missing for work, as `/readyz` does.
    #[must_use]
    pub fn missing(&self) -> Missing {
        let app = self.clone();
        Arc::new(move || {
            let app = app.clone();
            Box::pin(async move { api::missing(&app).await.err().unwrap_or_default() })
        })
    }

    /// What a client asks to see this path of the API.
    pub(crate) fn api_url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// Where a public blob is served.
    pub(crate) fn blob_url(&self, key: &str) -> String {
        format!("{}/{key}", self.media_url)
    }

    /// An artwork's page in the published gallery.
    pub(crate) fn page_url(&self, id: ArtworkId) -> String {
        format!("{}/artworks/{id}/", self.site_url)
    }

    /// Waits until the index has got to what a client says it has seen, when it says so.
    pub(crate) async fn caught_up(&self, after: Option<i64>) -> Result<(), Problem> {
        match after {
            Some(position) => self.index.reach(Position(position), self.after_timeout).await,
            None => Ok(()),
        }
    }

    /// Reads what may be too new for the index: when nothing is found, the index gets the time to come to where the log
    /// is now, and is asked once more. So `None` means that there is nothing.
    pub(crate) async fn find<T, F>(&self, read: impl Fn() -> F) -> Result<Option<T>, Problem>
    where
        F: Future<Output = Result<Option<T>, Problem>>,
    {
        if let Some(found) = read().await? {
            return Ok(Some(found));
        }
        self.index.reach(self.log.head().await?, self.after_timeout).await?;
        read().await
    }

    /// Reads again whenever the index has moved, until it is done or the wait is over; answers what was read last.
    pub(crate) async fn wait<T, F>(
        &self,
        wait: Duration,
        read: impl Fn() -> F,
        done: impl Fn(&T) -> bool,
    ) -> Result<T, Problem>
    where
        F: Future<Output = Result<T, Problem>>,
    {
        let deadline = Instant::now() + wait;
        let mut progress = self.index.progress();
        loop {
            progress.borrow_and_update();
            let answer = read().await?;
            if done(&answer) || Instant::now() >= deadline || self.stopping.is_cancelled() {
                return Ok(answer);
            }
            tokio::select! {
                _ = progress.changed() => {}
                () = tokio::time::sleep_until(deadline) => {}
                () = self.stopping.cancelled() => {}
            }
        }
    }
}
