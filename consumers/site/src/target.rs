//! Where a release goes once it is live in the folder: nowhere else, a bucket, Cloudflare Workers, or whatever a command does.
//!
//! The folder says what a release is. A target has one of its releases, or one that is not known, and is brought to the live
//! one: where the history tells what has changed since, by those files alone, otherwise by whatever differs. It has the
//! release when it says so itself or `target.json` beside the releases does, which is written last. So whatever
//! breaks off in between is done by the next deploy, and what had been live at the target is live until then.

mod bucket;
mod command;
mod difference;
mod error;
mod record;
pub mod served;
pub mod settings;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use atelier_events::blobs::StoreSettings;
use atelier_runtime::RetryPolicy;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::release::{Folder, Held, Identity, blocking};
pub use bucket::POINTER;
use bucket::{Bucket, Done};
use command::Command;
pub use difference::{Change, Difference};
pub use error::TargetError;
use record::{Record, Since};
use settings::{TargetKind, TargetSettings};
use workers::Workers;

/// What the site is brought to.
#[derive(Debug)]
pub struct Target {
    means: Means,
    timeout: Duration,
    retries: RetryPolicy,
}

#[derive(Debug)]
enum Means {
    Folder,
    Bucket(Bucket),
    Workers(Workers),
    Command(Command),
}

/// How well a target is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// What has changed since the release that it has.
    Changes,
    /// Every byte, as far as the target lets itself be asked.
    Everything,
}

/// What a target needs to have the live release. Paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Needed {
    /// What it has not, or may have otherwise.
    puts: BTreeSet<String>,
    /// What it has, and the release has not.
    gone: BTreeSet<String>,
}

/// What bringing a release to a target has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// The release that it has now.
    pub number: u64,
    /// False where it had it already.
    pub changed: bool,
    /// Files that were sent there.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Files that were deleted there.
    pub deleted: u64,
    /// The paths that were other there, where it can be asked what it has.
    pub differing: BTreeSet<String>,
    /// When there is something to delete that somebody may still be reading.
    pub sweep_at: Option<OffsetDateTime>,
}

impl Target {
    /// The target of the settings. `store` is where blobs lie: a bucket is that one where the settings say no other.
    /// `base_url` is where the site is reached.
    pub fn new(settings: &TargetSettings, store: &StoreSettings, base_url: &str) -> Result<Self, TargetError> {
        let means = match settings.kind {
            TargetKind::Folder => Means::Folder,
            TargetKind::Bucket => Means::Bucket(Bucket::new(&settings.bucket, store)?),
            TargetKind::Workers => Means::Workers(Workers::new(&settings.workers, settings.retries())?),
            TargetKind::Command => Means::Command(Command::new(&settings.command, base_url)?),
        };
        Ok(Self { means, timeout: settings.timeout(), retries: settings.retries() })
    }

    /// No other than the folder.
    #[must_use]
    pub fn folder() -> Self {
        let settings = TargetSettings::default();
        Self { means: Means::Folder, timeout: settings.timeout(), retries: settings.retries() }
    }

    /// Whether the folder is what is served.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        matches!(self.means, Means::Folder)
    }

    /// Which kind it is, as metrics and logs name it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.means {
            Means::Folder => "folder",
            Means::Bucket(_) => "bucket",
            Means::Workers(_) => "workers",
            Means::Command(_) => "command",
        }
    }

    /// The release that it has; none where that is not known. The folder has what is live.
    pub async fn has(&self, folder: &Folder) -> Result<Option<Identity>, TargetError> {
        match &self.means {
            Means::Folder => Ok(folder.live()?.as_ref().map(Identity::from)),
            Means::Bucket(bucket) => bucket.has().await,
            Means::Workers(_) | Means::Command(_) => Ok(self.known(folder).await?.map(|known| known.has)),
        }
    }

    /// What it needs to have the live release. Changes nothing.
    pub async fn difference(&self, folder: &Folder, look: Look) -> Result<Difference, TargetError> {
        let Some(held) = folder.hold().await?.map(Arc::new) else { return Ok(Difference::default()) };
        let known = self.known(folder).await?;
        let Needed { puts, gone } = self.compared(&held, look, known.as_ref()).await?;
        let puts = puts.into_iter().filter_map(|path| Some((held.length(&path)?, path)));
        Ok(Difference { puts: puts.map(|(length, path)| (path, length)).collect(), gone })
    }

    /// Refuses the live release, changed by this, where it is more than the target takes. Changes nothing.
    pub async fn check(&self, folder: &Folder, next: &Difference) -> Result<(), TargetError> {
        match &self.means {
            Means::Workers(workers) => workers.check(folder.hold().await?.map(Arc::new), next).await,
            Means::Folder | Means::Bucket(_) | Means::Command(_) => Ok(()),
        }
    }

    /// Paths that are other there than in the live release, as far as it can be asked. What is going to be deleted is not
    /// among them. Changes nothing.
    pub async fn differing(&self, folder: &Folder) -> Result<BTreeSet<String>, TargetError> {
        if !matches!(self.means, Means::Bucket(_)) {
            return Ok(BTreeSet::new());
        }
        let Difference { puts, gone } = self.difference(folder, Look::Everything).await?;
        let leaving = self.known(folder).await?.map(|known| known.leaving).unwrap_or_default();
        Ok(puts.into_keys().chain(gone.into_iter().filter(|path| !leaving.contains_key(path))).collect())
    }

    /// Brings the live release there. Nothing where there is none, or the folder is the target. `metadata` is asked for
    /// `gallery-metadata.json` of that release where the target needs it.
    ///
    /// Dropping the future leaves the target with what it had, and perhaps files of the next release that nothing leads to.
    pub async fn bring(
        &self,
        folder: &Folder,
        look: Look,
        metadata: impl Fn() -> Result<Vec<u8>, serde_json::Error>,
    ) -> Result<Option<Brought>, TargetError> {
        if self.is_folder() {
            return Ok(None);
        }
        let Some(held) = folder.hold().await?.map(Arc::new) else { return Ok(None) };
        let began = Instant::now();
        let bringing = Bringing { target: self, folder, held, look, deadline: began + self.timeout };
        let brought = bringing.finish(metadata).await;
        match &brought {
            Ok(Brought { changed: true, number, files, bytes, deleted, .. }) => {
                metrics::histogram!("atelier_site_target_seconds", "target" => self.kind())
                    .record(began.elapsed().as_secs_f64());
                metrics::counter!("atelier_site_target_files_total", "target" => self.kind()).increment(*files);
                tracing::info!(
                    site.target = self.kind(),
                    release = number,
                    files,
                    bytes,
                    files.deleted = deleted,
                    "the target has the release"
                );
            }
            Ok(_) => {}
            Err(_) => {
                metrics::counter!("atelier_site_target_failures_total", "target" => self.kind()).increment(1);
            }
        }
        brought.map(Some)
    }

    /// Deletes there what somebody may have been reading until now. Answers when to come again.
    pub async fn sweep(&self, folder: &Folder, now: OffsetDateTime) -> Result<Option<OffsetDateTime>, TargetError> {
        let Means::Bucket(bucket) = &self.means else { return Ok(None) };
        let Some(held) = folder.hold().await? else { return Ok(None) };
        let Some(mut record) = Record::read(folder, bucket.identity()).await? else { return Ok(None) };
        bucket.sweep(&held, &mut record, now).await?;
        record.write(folder).await?;
        Ok(bucket.next_sweep(&record))
    }

    fn identity(&self) -> &str {
        match &self.means {
            Means::Folder => "folder",
            Means::Bucket(bucket) => bucket.identity(),
            Means::Workers(workers) => workers.identity(),
            Means::Command(command) => command.identity(),
        }
    }

    /// What is known here of what it has, where it does not say otherwise itself.
    async fn known(&self, folder: &Folder) -> Result<Option<Record>, TargetError> {
        let record = match &self.means {
            Means::Folder => return Ok(None),
            Means::Bucket(_) | Means::Workers(_) | Means::Command(_) => Record::read(folder, self.identity()).await?,
        };
        let Means::Bucket(bucket) = &self.means else { return Ok(record) };
        let has = bucket.has().await?;
        Ok(record.filter(|record| Some(&record.has) == has.as_ref()))
    }

    async fn compared(&self, held: &Arc<Held>, look: Look, known: Option<&Record>) -> Result<Needed, TargetError> {
        if let Some(known) = known.filter(|_| look == Look::Changes) {
            let (still, earlier) = (Arc::clone(held), known.has.clone());
            if let Some(touched) = blocking(move || still.touched_since(&earlier)).await? {
                let (puts, gone) = touched.into_iter().partition(|path| held.length(path).is_some());
                return Ok(Needed { puts, gone });
            }
        }
        match &self.means {
            Means::Folder => Ok(Needed::default()),
            Means::Bucket(bucket) => bucket.compare(held, look).await,
            // They cannot be asked what they have.
            Means::Workers(_) | Means::Command(_) => {
                let still = Arc::clone(held);
                let puts = blocking(move || still.paths()).await?.into_iter().collect();
                Ok(Needed { puts, gone: BTreeSet::new() })
            }
        }
    }
}

/// One release on its way.
struct Bringing<'a> {
    target: &'a Target,
    folder: &'a Folder,
    held: Arc<Held>,
    look: Look,
    deadline: Instant,
}

impl Bringing<'_> {
    async fn finish(&self, metadata: impl Fn() -> Result<Vec<u8>, serde_json::Error>) -> Result<Brought, TargetError> {
        match &self.target.means {
            Means::Folder => Ok(Brought::already(self.held.release().number)),
            Means::Bucket(bucket) => {
                let done = Done::default();
                self.in_time(self.repeated(|| self.to_bucket(bucket, &done))).await
            }
            Means::Workers(workers) => {
                let Some(needed) = self.in_time(self.lacking()).await? else { return Ok(self.already()) };
                let sent = self.in_time(workers.bring(self.folder, &self.held, self.look)).await?;
                Ok(Brought { files: sent.files, bytes: sent.bytes, ..self.told(needed).await? })
            }
            Means::Command(command) => {
                let Some(needed) = self.in_time(self.lacking()).await? else { return Ok(self.already()) };
                let metadata = command.prepare(self.folder, metadata()?).await?;
                self.repeated(|| command.run(&self.held, &metadata, self.deadline)).await?;
                self.told(needed).await
            }
        }
    }

    async fn to_bucket(&self, bucket: &Bucket, done: &Done) -> Result<Brought, TargetError> {
        let known = self.target.known(self.folder).await?;
        let wanted = self.wanted();
        if let Some(known) = known.as_ref().filter(|known| self.look == Look::Changes && known.has == wanted) {
            return Ok(Brought { sweep_at: bucket.next_sweep(known), ..self.already() });
        }
        let needed = self.target.compared(&self.held, self.look, known.as_ref()).await?;
        bucket.put(&self.held, &needed, done).await?;
        bucket.point(&wanted).await?;
        let (now, (files, bytes)) = (OffsetDateTime::now_utc(), done.sum());
        let (mut leaving, mut differing) = (known.map(|known| known.leaving).unwrap_or_default(), done.paths());
        for path in needed.gone {
            leaving.entry(path).or_insert_with_key(|path| {
                differing.insert(path.clone());
                Since(now)
            });
        }
        let mut record = Record { target: bucket.identity().to_owned(), has: wanted, leaving };
        // Before anything is deleted: it says what is still there.
        record.write(self.folder).await?;
        let deleted = bucket.sweep(&self.held, &mut record, now).await?;
        record.write(self.folder).await?;
        let sweep_at = bucket.next_sweep(&record);
        Ok(Brought { files, bytes, deleted, differing, sweep_at, changed: true, ..self.already() })
    }

    /// What the target lacks, by what is known here; none where it has the release.
    async fn lacking(&self) -> Result<Option<Needed>, TargetError> {
        let known = self.target.known(self.folder).await?;
        if self.look == Look::Changes && known.as_ref().is_some_and(|known| known.has == self.wanted()) {
            return Ok(None);
        }
        self.target.compared(&self.held, self.look, known.as_ref()).await.map(Some)
    }

    /// Writes down that the target has the release.
    async fn told(&self, needed: Needed) -> Result<Brought, TargetError> {
        let bytes = needed.puts.iter().filter_map(|path| self.held.length(path)).sum();
        let (target, leaving) = (self.target.identity().to_owned(), BTreeMap::new());
        Record { target, has: self.wanted(), leaving }.write(self.folder).await?;
        let (files, deleted) = (needed.puts.len() as u64, needed.gone.len() as u64);
        Ok(Brought { files, bytes, deleted, changed: true, ..self.already() })
    }

    fn wanted(&self) -> Identity {
        Identity::from(self.held.release())
    }

    fn already(&self) -> Brought {
        Brought::already(self.held.release().number)
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, TargetError>>) -> Result<T, TargetError> {
        let in_time = tokio::time::timeout_at(self.deadline, work).await;
        in_time.unwrap_or_else(|_| Err(TargetError::TimedOut { output: vec![] }))
    }

    /// Tries again what may well succeed then.
    async fn repeated<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, TargetError>
    where
        F: Future<Output = Result<T, TargetError>>,
    {
        let mut attempts = 1;
        loop {
            let error = match attempt().await {
                Err(error) if error.is_transient() => error,
                done => return done,
            };
            let Some(pause) = self.target.retries.pause_after(attempts) else { return Err(error) };
            let pause = pause.max(error.retry_after().unwrap_or_default());
            if Instant::now() + pause >= self.deadline {
                return Err(error);
            }
            let (target, told) = (self.target.kind(), format!("{:#}", anyhow::Error::from(error)));
            tracing::info!(site.target = target, error = told, attempt = attempts, ?pause, "trying the target again");
            tokio::time::sleep(pause).await;
            attempts += 1;
        }
    }
}

impl Brought {
    fn already(number: u64) -> Self {
        Self { number, changed: false, files: 0, bytes: 0, deleted: 0, differing: BTreeSet::new(), sweep_at: None }
    }
}
