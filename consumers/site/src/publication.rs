//! The projection: the log becomes a gallery, and a gallery that has changed becomes a release.
//!
//! What is published follows from the log alone. It is folded from the first event at every start (see `works.rs`), so
//! there is no table to keep; the log also says which release is live (`site.deployed`), so a deploy that was done and
//! not told is told, and none is done twice. Likewise each artwork's stream says whether its page is known to be live (see
//! `untold.rs`). What the live release shows already is not rendered again: from its position on
//! it is noted what has changed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use atelier_events::artwork::Published as Told;
use atelier_events::log::{Append, AppendError, READ_LIMIT, Write};
use atelier_events::replays;
use atelier_events::site::Deployed;
use atelier_events::{
    ArtworkEvent, Blobs, Consumer, Event, ExpectedVersion, Log, NewEvent, Position, Recorded, Site as SiteState,
    SiteEvent, Stream, Unreadable, Version,
};
use atelier_runtime::Projection;
use futures::future::join_all;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::gallery::Image;
use crate::pages::Site;
use crate::release::{Compare, DeployError, Extent, Folder, Release};
use crate::replay;
use crate::settings::SiteSettings;
use crate::target::{Brought, Difference, Look, Target, TargetError};
use crate::untold::Untold;
use crate::works::Works;

/// Who the log says did it.
pub(crate) const ACTOR: &str = "atelier-site";
/// The name of the one site there is.
const SITE: &str = "main";
/// Artworks that are told of before the log is looked at for something new to show.
const TELL_LIMIT: usize = 500;

/// Files that are named where it is logged how many differed.
const NAMED_FILES: usize = 10;

const ELSEWHERE: &str = "an artwork's event lies on another stream";

/// Publishes the gallery.
pub struct Publication {
    log: Log,
    blobs: Blobs,
    base_url: String,
    folder: Folder,
    target: Target,
    quiet: Duration,
    burst_max: Duration,
    replay_every: Option<Duration>,
    /// The log has been folded up to here.
    folded: Position,
    works: Works,
    /// Shared with the deploy while one is under way.
    site: Arc<Site>,
    /// What the log says is live.
    told: SiteState,
    site_version: Version,
    /// Artworks that are public and were not told of.
    untold: Untold,
    /// The last event that changed what is to be seen.
    changed: Position,
    /// Its id; nil while there was none.
    changed_by: Uuid,
    /// The latest time of any that did.
    changed_at: Option<OffsetDateTime>,
    /// When the burst began that has not been deployed yet.
    burst_began: Option<Instant>,
    /// The release that was live at the start, while the log has not been folded up to it.
    found: Option<Release>,
    /// The release since which the site notes what has changed; none: it has to be compared.
    since: Option<u64>,
    /// The position up to which that release shows the log.
    shown: u64,
    /// The release that the target has; none: it has to be asked.
    reached: Option<u64>,
    /// When there is something to delete at the target.
    sweep_at: Option<OffsetDateTime>,
    replayed: Instant,
}

/// What a deploy did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// What is live now.
    pub release: Release,
    /// The paths of the files that were not what they are now.
    pub differing: Vec<String>,
    /// False when it was live already.
    pub changed: bool,
    /// What it did at the target; none where the folder is the target.
    pub brought: Option<Brought>,
}

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// What is live now.
    pub release: Release,
    /// The paths of the files that were not what they should be, missing, or none of its own: here, or at a target that can be
    /// asked.
    pub differing: Vec<String>,
}

impl Publication {
    /// A gallery of this log, deployed to the folder of the settings.
    pub fn new(log: Log, blobs: Blobs, settings: SiteSettings) -> anyhow::Result<Self> {
        let folder = settings.folder()?;
        let theme = settings.theme().context("the gallery's theme cannot be used (site.theme)")?;
        let SiteSettings { quiet_ms, burst_max_ms, replay_every_ms, kept_artworks, .. } = settings;
        let meta = settings.into_meta();
        let base_url = meta.base_url.clone();
        let site = Site::themed(meta, theme)?;
        let edition = site.edition();
        Ok(Self {
            works: Works::new(log.clone(), kept_artworks),
            log,
            blobs,
            base_url,
            quiet: Duration::from_millis(quiet_ms),
            burst_max: Duration::from_millis(burst_max_ms),
            replay_every: Some(Duration::from_millis(replay_every_ms)).filter(|every| !every.is_zero()),
            folded: Position(0),
            site: Arc::new(site),
            told: SiteState::default(),
            site_version: Version(0),
            untold: Untold::default(),
            changed: Position(0),
            changed_by: Uuid::nil(),
            burst_began: None,
            // Another edition has other pages: all are compared then.
            found: folder.live()?.filter(|release| release.edition == edition),
            since: None,
            shown: 0,
            reached: None,
            sweep_at: None,
            target: Target::folder(),
            changed_at: None,
            folder,
            replayed: Instant::now(),
        })
    }

    /// The same, brought from that folder to a target.
    #[must_use]
    pub fn brought_to(self, target: Target) -> Self {
        Self { target, ..self }
    }

    /// Renders everything, compares it with every byte that is live, and makes good what differs.
    pub async fn replay(&mut self) -> anyhow::Result<Replayed> {
        let began = Instant::now();
        let Published { release, differing, brought, .. } = self.deploy(Compare::Everything).await?;
        let there = brought.map(|brought| brought.differing).unwrap_or_default();
        let differing: BTreeSet<String> = differing.into_iter().chain(there).collect();
        let differing: Vec<String> = differing.into_iter().collect();
        metrics::counter!("atelier_site_replay_differing_files_total").increment(differing.len() as u64);
        let (files, seconds) = (release.files, began.elapsed().as_secs_f64());
        if differing.is_empty() {
            tracing::info!(files, seconds, "replayed the site: every file was what it should be");
        } else {
            let (differ, first) = (differing.len(), &differing[..differing.len().min(NAMED_FILES)]);
            tracing::warn!(files, files.differing = differ, files.first = ?first, seconds, "replayed the site: files differed");
        }
        self.replayed = Instant::now();
        Ok(Replayed { release, differing })
    }

    /// Deploys what the log says as far as it has been read, and brings it to the target.
    pub async fn publish(&mut self) -> anyhow::Result<Published> {
        self.take_found()?;
        self.deploy(Compare::Since(self.since)).await
    }

    /// What [`Self::publish`] would change at the target. Changes nothing. An error also when it is more than the target takes.
    pub async fn preview(&mut self) -> anyhow::Result<Difference> {
        self.take_found()?;
        let there = self.target.difference(&self.folder, Look::Changes).await?;
        let next = self.difference(Compare::Since(self.since)).await?;
        self.target.check(&self.folder, &next).await.map_err(|error| self.about_target(error))?;
        Ok(there.then(next))
    }

    /// The paths that [`Self::replay`] would make good, here or at a target that can be asked. Changes nothing.
    pub async fn differing(&self) -> anyhow::Result<BTreeSet<String>> {
        let there = self.target.differing(&self.folder).await?;
        let Difference { puts, gone } = self.difference(Compare::Everything).await?;
        Ok(there.into_iter().chain(puts.into_keys()).chain(gone).collect())
    }

    /// What is live here beside what it should be.
    async fn difference(&self, compare: Compare) -> anyhow::Result<Difference> {
        Ok(self.folder.preview(self.extent()?, Arc::clone(&self.site), compare).await?)
    }

    /// Reads the log to its end, or up to a position.
    pub async fn read(&mut self, up_to: Option<Position>) -> anyhow::Result<()> {
        loop {
            let mut events = self.log.read(self.folded, READ_LIMIT).await.context("reading the log")?;
            events.retain(|event| up_to.is_none_or(|up_to| event.position <= up_to));
            if events.is_empty() {
                return Ok(());
            }
            self.apply(&events).await?;
        }
    }

    /// Brings what is live in the folder to the target, whatever the log says. It shows the log up to where it has been read.
    pub async fn bring_live(&mut self) -> anyhow::Result<Option<Brought>> {
        let number = self.folder.number()?.context("nothing has been deployed yet")?;
        self.bring(Look::Changes, number).await
    }

    fn fold(&mut self, recorded: &Recorded) -> anyhow::Result<()> {
        if self
            .found
            .as_ref()
            .is_some_and(|found| u64::try_from(recorded.position.0).is_ok_and(|at| at > found.position))
        {
            self.take_found()?;
        }
        // Whatever it says: what is told next expects to come after it.
        if recorded.stream == Stream::site(SITE) {
            self.site_version = recorded.version;
        }
        if let Some(id) = recorded.stream.artwork_id() {
            self.untold.grown(id, recorded.version);
        }
        match recorded.event() {
            Ok(Event::Artwork(ArtworkEvent::Published(_))) => {
                self.untold.remove(recorded.stream.artwork_id().context(ELSEWHERE)?);
            }
            Ok(Event::Artwork(ArtworkEvent::Created(_)) | Event::Variant(_)) => {
                let id = recorded.stream.artwork_id().context(ELSEWHERE)?;
                if let Some(artwork) = self.works.fold(id, recorded)? {
                    if !self.site.shows(&id.0) {
                        self.untold.add(id, recorded);
                    }
                    self.site()?.show(artwork)?;
                } else {
                    self.untold.remove(id);
                    self.site()?.hide(id.0);
                }
                if Consumer::Site.event_types().contains(&recorded.event_type.as_str()) {
                    (self.changed, self.changed_by) = (recorded.position, recorded.id);
                    self.changed_at = self.changed_at.max(Some(recorded.occurred_at));
                    self.burst_began.get_or_insert_with(Instant::now);
                }
            }
            Ok(Event::Site(_)) => {
                self.told = SiteState::fold(std::mem::take(&mut self.told), recorded)?;
            }
            // Exports show nothing, and a newer version's event is for who knows it.
            Ok(Event::Export(_)) | Err(Unreadable::UnknownType(_)) => {}
            Err(unreadable) => return Err(unreadable.into()),
        }
        self.folded = recorded.position;
        Ok(())
    }

    /// Up to where the log has been folded, as far as anything of it is to be seen.
    fn extent(&self) -> anyhow::Result<Extent> {
        let position = u64::try_from(self.changed.0).context("a position is never negative")?;
        Ok(Extent { position, event: self.changed_by })
    }

    /// The log has been folded up to the release that was live at the start: from here on it is noted what changes. Where that shows
    /// another log, such as the one that was lost before this one was restored, everything is compared.
    fn take_found(&mut self) -> anyhow::Result<()> {
        let extent = self.extent()?;
        if let Some(found) = self.found.take()
            && extent.is_of(&found)
        {
            self.site()?.settle();
            self.since = Some(found.number);
            self.shown = found.position;
        }
        Ok(())
    }

    fn site(&mut self) -> anyhow::Result<&mut Site> {
        Arc::get_mut(&mut self.site).context("a deploy that was given up is still rendering")
    }

    fn is_told(&self) -> bool {
        self.told.live.as_ref().is_some_and(|live| live.position >= self.changed)
    }

    /// Whether what is to be seen is what is live, as far as can be told without looking at every file. Another daemon may
    /// have deployed meanwhile, or somebody may have gone back to an earlier release.
    fn is_done(&self) -> anyhow::Result<bool> {
        let is_there = self.target.is_folder() || self.reached == self.since;
        // Somebody may have gone back to an earlier release while nobody ran: what was told is not what is live then.
        let is_shown = u64::try_from(self.changed.0).is_ok_and(|changed| changed <= self.shown);
        Ok(self.is_told() && is_shown && is_there && self.since.is_some() && self.folder.number()? == self.since)
    }

    async fn deploy(&mut self, compare: Compare) -> anyhow::Result<Published> {
        let began = Instant::now();
        let extent = self.extent()?;
        let blobs = &self.blobs;
        let fetch = |image: Image| async move { Ok(blobs.get(&image.key, image.length).await?) };
        let done = self.folder.deploy(extent, Arc::clone(&self.site), compare, fetch).await?;
        self.site()?.settle();
        self.since = Some(done.release.number);
        self.shown = done.release.position;
        if done.changed {
            metrics::histogram!("atelier_site_deploy_seconds").record(began.elapsed().as_secs_f64());
            tracing::info!(
                event.position = self.changed.0,
                release = done.release.number,
                artworks = done.release.artworks,
                files = done.release.files,
                files.written = done.release.files_written,
                "deployed"
            );
        }
        let look = if compare == Compare::Everything { Look::Everything } else { Look::Changes };
        let brought = self.bring(look, done.release.number).await?;
        if done.changed || !self.is_told() {
            self.tell(&done.release).await?;
        }
        self.tell_of_artworks().await?;
        if (done.changed || brought.as_ref().is_some_and(|brought| brought.changed))
            && let Err(error) = self.folder.prepare().await
        {
            // The site is live; without a spare, the next deploy takes as long as this would have.
            tracing::warn!(error = format!("{:#}", anyhow::Error::from(error)), "no spare tree could be prepared");
        }
        Ok(Published { release: done.release, differing: done.differing, changed: done.changed, brought })
    }

    /// Brings the live release to the target. It is to be this one: another may have been made live meanwhile.
    async fn bring(&mut self, look: Look, number: u64) -> anyhow::Result<Option<Brought>> {
        self.reached = None;
        let metadata = || serde_json::to_vec(&self.site.metadata(self.changed_at));
        let brought = self.target.bring(&self.folder, look, metadata).await;
        let brought = brought.map_err(|error| self.about_target(error))?;
        if let Some(brought) = &brought {
            self.reached = Some(brought.number);
            self.sweep_at = brought.sweep_at;
            if brought.number != number {
                return Err(self.folder.busy().into());
            }
        }
        Ok(brought)
    }

    /// Deletes at the target what is due.
    async fn sweep(&mut self) -> anyhow::Result<()> {
        let swept = self.target.sweep(&self.folder, OffsetDateTime::now_utc()).await;
        self.sweep_at = swept.map_err(|error| self.about_target(error))?;
        Ok(())
    }

    fn about_target(&self, error: TargetError) -> anyhow::Error {
        match error {
            // What the folder says is the same to whoever asks.
            TargetError::Release(error) => error.into(),
            error => anyhow::Error::from(error)
                .context(format!("bringing the release to the target ({})", self.target.kind())),
        }
    }

    async fn tell(&mut self, release: &Release) -> anyhow::Result<()> {
        let Release { artworks, files, files_written, bytes_written, .. } = *release;
        let url = format!("{}/", self.base_url);
        let deployed = Deployed { position: self.changed, artworks, files, files_written, bytes_written, url };
        let event = Event::Site(SiteEvent::Deployed(deployed.clone()));
        let told = Write {
            stream: Stream::site(SITE),
            expected: match self.site_version {
                Version(0) => ExpectedVersion::NoStream,
                version => ExpectedVersion::Exactly(version),
            },
            events: vec![NewEvent::new(event, &atelier_events::Context::command(ACTOR))],
        };
        match self.log.append(Append { key: None, writes: vec![told] }).await {
            // Taken for told before it comes back from the log, and what is told next comes after it.
            Ok(_) => {
                self.site_version = Version(self.site_version.0 + 1);
                self.told.live = Some(deployed);
                Ok(())
            }
            // Another daemon has deployed meanwhile; its event is about to be folded, and then it is decided again.
            Err(AppendError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells of each artwork that the live release shows. After a first deploy these are all there are, so the log is read in
    /// between: what is new to be seen is deployed first, and the rest told of afterwards.
    async fn tell_of_artworks(&mut self) -> anyhow::Result<()> {
        let Some(live) = self.told.live.as_ref().map(|live| live.position) else { return Ok(()) };
        loop {
            let shown = self.untold.shown_by(live, TELL_LIMIT);
            let log = &self.log;
            let appends = shown.iter().filter_map(|id| {
                let append = self.untold.append(*id, Told { position: live, url: self.site.artwork_url(&id.0) })?;
                Some(async move { (*id, log.append(append).await) })
            });
            let mut is_refused = false;
            for (id, appended) in join_all(appends).await {
                match appended {
                    Ok(_) => self.untold.remove(id),
                    // Something has happened to it, or another daemon has told: its events are about to be folded.
                    Err(AppendError::Conflict { .. }) => is_refused = true,
                    Err(error) => return Err(error.into()),
                }
            }
            if !is_refused && shown.len() < TELL_LIMIT {
                return Ok(());
            }
            let events = self.log.read(self.folded, READ_LIMIT).await?;
            if events.is_empty() {
                return Ok(());
            }
            self.apply(&events).await?;
            if self.changed > live {
                return Ok(());
            }
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
        self.take_found()?;
        // What comes during a burst is read here. To wait for the next message would leave the burst undeployed until
        // somebody looks: this consumer is told of renditions alone, and the log grows by other events too.
        while !self.is_done()? && self.burst_began.is_some_and(|began| began.elapsed() < self.burst_max) {
            tokio::time::sleep(self.quiet).await;
            let events = self.log.read(self.folded, READ_LIMIT).await?;
            if events.is_empty() {
                break;
            }
            self.apply(&events).await?;
        }
        let done = if !self.is_done()? {
            self.deploy(Compare::Since(self.since)).await.map(drop)
        } else if self.replay_every.is_some_and(|every| self.replayed.elapsed() >= every) {
            self.replay().await.map(drop)
        } else if let Some(asked) = replays::take(self.log.pool(), Consumer::Site).await? {
            replay::as_asked(self, &self.log.clone(), asked).await
        } else if self.sweep_at.is_some_and(|at| at <= OffsetDateTime::now_utc()) {
            self.sweep().await
        } else {
            self.tell_of_artworks().await
        };
        self.burst_began = None;
        match done {
            // Somebody goes back, or replays by hand, or another daemon was first: what is live then is looked at again.
            Err(error) if matches!(error.downcast_ref(), Some(DeployError::Busy(_))) => {
                tracing::info!("another deploy is running; looking again when it is done");
                Ok(())
            }
            done => done,
        }
    }
}
