//! The projection: the log becomes a gallery, and a gallery that has changed becomes a release.
//!
//! What is published follows from the log alone. It is folded from the first event at every start (see `works.rs`), so
//! there is no table to keep; the log also says which release is live (`site.deployed`), so a deploy that was done and
//! not told is told, and none is done twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use atelier_events::log::{Append, AppendError, READ_LIMIT, Write};
use atelier_events::site::Deployed;
use atelier_events::{
    Blobs, Consumer, Event, ExpectedVersion, Log, NewEvent, Position, Recorded, Site as SiteState, SiteEvent, Stream,
    Unreadable, Version,
};
use atelier_runtime::Projection;

use crate::gallery::{Image, SiteMeta};
use crate::pages::Site;
use crate::release::{self, Folder};
use crate::settings::SiteSettings;
use crate::works::Works;

/// Who the log says did it.
const ACTOR: &str = "atelier-site";
/// The name of the one site there is.
const SITE: &str = "main";

/// Publishes the gallery.
pub struct Publication {
    log: Log,
    blobs: Blobs,
    meta: SiteMeta,
    folder: Folder,
    quiet: Duration,
    burst_max: Duration,
    /// The log has been folded up to here.
    folded: Position,
    works: Works,
    site: SiteState,
    site_version: Version,
    /// The last event that changed what is to be seen.
    changed: Position,
    /// When the burst began that has not been deployed yet.
    burst_began: Option<Instant>,
    /// This process has compared what is live with its own templates and settings, which the log knows nothing of.
    compared: bool,
}

impl Publication {
    /// A gallery of this log, deployed to the folder of the settings.
    pub fn new(log: Log, blobs: Blobs, settings: SiteSettings) -> anyhow::Result<Self> {
        Ok(Self {
            works: Works::new(log.clone(), settings.kept_artworks),
            log,
            blobs,
            folder: Folder::new(&settings.dir)?,
            quiet: Duration::from_millis(settings.quiet_ms),
            burst_max: Duration::from_millis(settings.burst_max_ms),
            meta: SiteMeta {
                title: settings.title,
                description: settings.description,
                base_url: settings.base_url.trim_end_matches('/').to_owned(),
                author: settings.author,
                language: settings.language,
            },
            folded: Position(0),
            site: SiteState::default(),
            site_version: Version(0),
            changed: Position(0),
            burst_began: None,
            compared: false,
        })
    }

    fn fold(&mut self, recorded: &Recorded) -> anyhow::Result<()> {
        // Whatever it says: what is told next expects to come after it.
        if recorded.stream == Stream::site(SITE) {
            self.site_version = recorded.version;
        }
        match recorded.event() {
            Ok(Event::Artwork(_) | Event::Variant(_)) => {
                let id = recorded.stream.artwork_id().context("an artwork's event lies on another stream")?;
                self.works.fold(id, recorded)?;
                if Consumer::Site.event_types().contains(&recorded.event_type.as_str()) {
                    self.changed = recorded.position;
                    self.burst_began.get_or_insert_with(Instant::now);
                }
            }
            Ok(Event::Site(_)) => {
                self.site = SiteState::fold(std::mem::take(&mut self.site), recorded)?;
            }
            // Exports show nothing, and a newer version's event is for who knows it.
            Ok(Event::Export(_)) | Err(Unreadable::UnknownType(_)) => {}
            Err(unreadable) => return Err(unreadable.into()),
        }
        self.folded = recorded.position;
        Ok(())
    }

    fn is_live(&self) -> bool {
        self.site.live.as_ref().is_some_and(|live| live.position >= self.changed)
    }

    fn is_done(&self) -> bool {
        self.is_live() && self.compared
    }

    async fn deploy(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        let gallery = self.works.gallery();
        let artworks = gallery.artworks().len() as u64;
        let site = Arc::new(Site::new(self.meta.clone(), gallery)?);
        let position = u64::try_from(self.changed.0).context("a position is never negative")?;
        let blobs = &self.blobs;
        let fetch = |image: Image| async move { Ok(blobs.get(&image.key, image.length).await?) };
        let done = self.folder.deploy(position, site, fetch).await?;
        self.compared = true;
        if self.is_live() && !done.changed {
            return Ok(());
        }
        metrics::histogram!("atelier_site_deploy_seconds").record(began.elapsed().as_secs_f64());
        tracing::info!(
            event.position = self.changed.0,
            artworks,
            files = done.files,
            files.written = done.files_written,
            "deployed"
        );
        self.tell(artworks, &done).await
    }

    async fn tell(&mut self, artworks: u64, done: &release::Deployed) -> anyhow::Result<()> {
        let deployed = Deployed {
            position: self.changed,
            artworks,
            files: done.files,
            files_written: done.files_written,
            bytes_written: done.bytes_written,
            url: format!("{}/", self.meta.base_url),
        };
        let event = Event::Site(SiteEvent::Deployed(deployed));
        let told = Write {
            stream: Stream::site(SITE),
            expected: match self.site_version {
                Version(0) => ExpectedVersion::NoStream,
                version => ExpectedVersion::Exactly(version),
            },
            events: vec![NewEvent::new(event, &atelier_events::Context::command(ACTOR))],
        };
        match self.log.append(Append { key: None, writes: vec![told] }).await {
            // Another daemon has deployed meanwhile; its event is about to be folded, and then it is decided again.
            Err(AppendError::Conflict { .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Projection for Publication {
    const CONSUMER: Consumer = Consumer::Site;

    async fn checkpoint(&mut self) -> anyhow::Result<Position> {
        Ok(self.folded)
    }

    async fn apply(&mut self, events: &[Recorded]) -> anyhow::Result<()> {
        self.works.recall(events, self.folded).await?;
        let applied = events.iter().try_for_each(|event| self.fold(event));
        self.works.forget();
        applied
    }

    async fn caught_up(&mut self) -> anyhow::Result<()> {
        // What comes during a burst is read here. To wait for the next message would leave the burst undeployed until
        // somebody looks: this consumer is told of renditions alone, and the log grows by other events too.
        while !self.is_done() && self.burst_began.is_some_and(|began| began.elapsed() < self.burst_max) {
            tokio::time::sleep(self.quiet).await;
            let events = self.log.read(self.folded, READ_LIMIT).await?;
            if events.is_empty() {
                break;
            }
            self.apply(&events).await?;
        }
        if !self.is_done() {
            self.deploy().await?;
        }
        self.burst_began = None;
        Ok(())
    }
}
