//! Deploying to a folder: a whole tree of files beside the live one is brought up to date and swapped in by one `rename`.
//!
//! ```text
//! site                             -> site.releases/b-0000000042   what a web server serves
//! site.releases/b-0000000042/         the live release: a tree of plain files
//! site.releases/a-0000000041/         the release before it, whole, for whoever is still reading
//! site.releases/c-0000000042/         the same as the live one: what the next release is made of
//! site.releases/.updating-c/          a tree that is being changed
//! site.releases/.staging-<uuid>/      what is going to be changed in it
//! site.releases/history/0000000042/   what release 42 changed, and the files as they were before
//! site.releases/target.json           what the target has, see [`crate::target`]
//! site.releases/.lock                 one deploy at a time
//! ```
//!
//! A deploy renders what has changed into `.staging`, renames the spare tree to `.updating`, moves what is staged into it,
//! brings it to the disk, gives it its number, and swaps the link. That costs what the change costs, whatever the size
//! of the gallery. Whatever crashes in between leaves the old release live; a tree without a number is thrown away
//! and made anew from hard links to the live one. Once the new release is live, the tree of the one before the last is
//! brought up to date with it ([`Folder::prepare`]): it is the next spare.
//!
//! Trees share the files in which they do not differ. No file of a tree is ever opened for writing: a file that changes is
//! another file.

mod held;
mod history;
mod preview;
mod staging;
mod tree;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::gallery::Image;
use crate::pages::{RenderError, Site, Work};
pub use held::{Held, Identity};
pub(crate) use held::{keep, kept};
use history::History;
pub use history::Release;
use staging::{Staging, Touch};
use tree::TreeName;

/// How many images are fetched at once; up to twice as many are held in memory, each whole.
const FETCHES: usize = 4;

/// A folder that is served as a site.
#[derive(Clone, Debug)]
pub struct Folder {
    /// The symbolic link.
    link: PathBuf,
    releases: PathBuf,
    history: History,
}

/// How far a release shows the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// 0 where there is nothing to show.
    pub position: u64,
    /// The event there, by which this log is known from others; nil where it is not known.
    pub event: Uuid,
}

impl From<u64> for Extent {
    /// In the only log there is.
    fn from(position: u64) -> Self {
        Self { position, event: Uuid::nil() }
    }
}

impl Extent {
    /// Whether the release shows just that.
    pub(crate) fn is_of(self, release: &Release) -> bool {
        (release.position, release.event) == (self.position, self.event)
    }
}

/// What a deploy looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// What the site says has changed since this release. If another one is live, all pages, and images that are there are
    /// taken to be what they should be by their length; nothing, if it is the one that is asked for.
    Since(Option<u64>),
    /// Every byte.
    Everything,
}

/// What a deploy did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// What is live.
    pub release: Release,
    /// The paths of the files that were not what they are now, missing, or none of its own: none when it was live already.
    pub differing: Vec<String>,
    /// False when that was live already.
    pub changed: bool,
}

/// Why nothing was deployed. What was live still is.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it means and what its fields are")]
pub enum DeployError {
    #[error(
        "\"{0}\" is not a link to a release of this site, and its content would be lost; move it away or configure \
         another folder"
    )]
    Occupied(PathBuf),
    #[error("another deploy to \"{0}\" is running")]
    Busy(PathBuf),
    #[error(
        "position {asked} is older than what is live, {live}; where the log was restored, or is another one that is to be published, \
         remove \"{releases}\""
    )]
    Stale { asked: u64, live: u64, releases: PathBuf },
    #[error("the site could not be rendered")]
    Render(#[from] RenderError),
    #[error("image \"{key}\" could not be fetched")]
    Fetch { key: String, source: anyhow::Error },
    #[error("image \"{key}\" has the digest {found}, not {expected}")]
    Digest { key: String, expected: String, found: String },
    #[error("two files of the site have the path \"{0}\"")]
    Twice(String),
    #[error("\"{0}\" is not a path below the site")]
    Path(String),
    #[error("nothing has been deployed to \"{0}\" yet")]
    Nothing(PathBuf),
    #[error("release {0} is live already")]
    Live(u64),
    #[error("there is no way back to release {asked}: {}", ways_back(*oldest, *live))]
    NoWayBack { asked: u64, oldest: u64, live: u64 },
    #[error("\"{path}\" is not what a deploy wrote there; remove \"{releases}\" to deploy from nothing")]
    Damaged { path: PathBuf, releases: PathBuf, source: serde_json::Error },
    #[error("{doing} \"{path}\"")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

fn ways_back(oldest: u64, live: u64) -> String {
    if oldest < live { format!("those from {oldest} to {} are kept", live - 1) } else { "no other is kept".to_owned() }
}

/// What is live.
#[derive(Debug)]
struct Live {
    release: Release,
    tree: PathBuf,
}

impl Folder {
    /// The folder at `path`, which need not exist. Its releases lie beside it, in `<path>.releases`; from the live one, as
    /// many as `kept` can be gone back.
    pub fn new(path: impl AsRef<Path>, kept: u32) -> Result<Self, DeployError> {
        let path = path.as_ref();
        let link = std::path::absolute(path).map_err(failed("resolving", path))?;
        let Some(name) = link.file_name() else {
            return Err(DeployError::Occupied(link));
        };
        let mut name = name.to_owned();
        name.push(".releases");
        let releases = link.with_file_name(name);
        Ok(Self { history: History::new(&releases, kept), releases, link })
    }

    /// The number of the release that is live, if any.
    pub fn number(&self) -> Result<Option<u64>, DeployError> {
        Ok(self.live_tree()?.map(|tree| tree.number))
    }

    /// The release that is live, if any.
    pub fn live(&self) -> Result<Option<Release>, DeployError> {
        self.number()?.map(|number| self.history.release(number)).transpose()
    }

    /// The live release and those that can be gone back to, newest first.
    pub fn releases(&self) -> Result<Vec<Release>, DeployError> {
        let Some(live) = self.number()? else { return Ok(vec![]) };
        (self.history.oldest(live)?..=live).rev().map(|number| self.history.release(number)).collect()
    }

    /// Makes `site`, which shows the log to this extent, live. `fetch` gives the bytes of an image that is not live yet; they
    /// are checked against their digest. Only what differs from what is live is written, and where nothing does and the
    /// position is live already, nothing changes.
    ///
    /// Dropping the future leaves either the old or the new release live, both whole.
    pub async fn deploy<F, R>(
        &self,
        extent: impl Into<Extent>,
        site: Arc<Site>,
        compare: Compare,
        fetch: F,
    ) -> Result<Deployed, DeployError>
    where
        F: Fn(Image) -> R,
        R: Future<Output = anyhow::Result<Bytes>>,
    {
        let extent = extent.into();
        let (folder, start_site) = (self.clone(), Arc::clone(&site));
        let (staging, missing) = match blocking(move || folder.start(extent, &start_site, compare)).await? {
            Started::Live(release) => return Ok(Deployed { release, differing: vec![], changed: false }),
            Started::Staging(staging, missing) => (Arc::new(*staging), missing),
        };
        let mut fetched = stream::iter(missing)
            .map(|image| {
                let bytes = fetch(image.clone());
                async move {
                    match bytes.await {
                        Ok(bytes) => Ok((image, bytes)),
                        Err(source) => Err(DeployError::Fetch { key: image.key, source }),
                    }
                }
            })
            .buffer_unordered(FETCHES)
            .ready_chunks(FETCHES);
        // Written one after the other: when a fetch fails, no write is left that would keep the lock a little longer and
        // turn the next attempt away.
        while let Some(images) = fetched.next().await {
            let images: Vec<(Image, Bytes)> = images.into_iter().collect::<Result<_, _>>()?;
            let staging = Arc::clone(&staging);
            blocking(move || images.iter().try_for_each(|(image, bytes)| staging.image(image, bytes))).await?;
        }
        drop(fetched);
        let folder = self.clone();
        blocking(move || {
            staging.render(&site)?;
            let next = Next { extent, edition: site.edition(), artworks: site.artworks() as u64, back_to: None };
            folder.finish(&staging, next)
        })
        .await
    }

    /// Makes an earlier release live again, as a new one. None: the one before the live one.
    pub async fn roll_back(&self, to: Option<u64>) -> Result<Deployed, DeployError> {
        let folder = self.clone();
        blocking(move || {
            let (staging, target) = folder.stage_back(to)?;
            let Release { position, event, edition, artworks, number, .. } = target;
            folder
                .finish(&staging, Next { extent: Extent { position, event }, edition, artworks, back_to: Some(number) })
        })
        .await
    }

    /// Sees to it that a spare tree is as the live one, so that the next deploy finds it ready.
    pub async fn prepare(&self) -> Result<(), DeployError> {
        let folder = self.clone();
        blocking(move || {
            let _lock = folder.lock()?;
            let Some(live) = folder.live_in_whole()? else { return Ok(()) };
            tree::prepare(&folder.releases, &live.tree, live.release.number, &folder.history)
        })
        .await
    }

    /// Takes the lock, clears away what a crash left, and finds out what has to be looked at.
    fn start(&self, extent: Extent, site: &Site, compare: Compare) -> Result<Started, DeployError> {
        let lock = self.lock()?;
        let live = self.live_in_whole()?;
        let is_live =
            live.as_ref().is_some_and(|live| extent.is_of(&live.release) && live.release.edition == site.edition());
        if let Some(Live { release, .. }) = &live
            && release.position > extent.position
        {
            return Err(DeployError::Stale {
                asked: extent.position,
                live: release.position,
                releases: self.releases.clone(),
            });
        }
        let number = live.as_ref().map(|live| live.release.number);
        let work = match compare {
            Compare::Since(since) if number.is_some() && since == number => site.changed(),
            Compare::Since(_) if is_live => Work::default(),
            Compare::Since(_) | Compare::Everything => site.everything(),
        };
        match live {
            Some(live) if is_live && work.is_empty() => Ok(Started::Live(live.release)),
            live => {
                self.clear(number)?;
                let (staging, missing) = Staging::begin(&self.releases, live, lock, work, compare, site)?;
                Ok(Started::Staging(Box::new(staging), missing))
            }
        }
    }

    /// Stages the files of an earlier release that are not those of the live one.
    fn stage_back(&self, to: Option<u64>) -> Result<(Staging, Release), DeployError> {
        let lock = self.lock()?;
        let live = self.live_in_whole()?.ok_or_else(|| DeployError::Nothing(self.link.clone()))?;
        let number = live.release.number;
        let asked = to.unwrap_or(number.saturating_sub(1));
        if asked == number {
            return Err(DeployError::Live(number));
        }
        let oldest = self.history.oldest(number)?;
        if asked > number || asked < oldest {
            return Err(DeployError::NoWayBack { asked, oldest, live: number });
        }
        let target = self.history.release(asked)?;
        self.clear(Some(number))?;
        let staging = Staging::empty(&self.releases, Some(live), lock)?;
        for (path, before) in self.history.before(asked, number)? {
            staging.put_back(&path, before.as_deref())?;
        }
        Ok((staging, target))
    }

    /// Makes what is staged the next release.
    fn finish(&self, staging: &Staging, next: Next) -> Result<Deployed, DeployError> {
        let touched = staging.touched()?;
        let live = staging.live();
        // The same state of the log in the same edition: whatever differed had been damaged.
        let repair = live.is_some_and(|live| {
            next.back_to.is_none() && next.extent.is_of(&live.release) && live.release.edition == next.edition
        });
        if repair && touched.is_empty() {
            let release =
                live.map(|live| live.release.clone()).ok_or_else(|| DeployError::Nothing(self.link.clone()))?;
            return Ok(Deployed { release, differing: vec![], changed: false });
        }
        let release = next.release(live.map(|live| &live.release), &touched, staging.totals());
        self.history.record(&release, live.map(|live| live.tree.as_path()), &touched, repair)?;
        let number = release.number;
        let updated = tree::update(
            &self.releases,
            live.map(|live| (live.tree.as_path(), live.release.number)),
            &self.history,
            &touched,
        )?;
        let tree = updated.complete(number)?;
        self.swap(&tree)?;
        self.history.prune(number);
        let differing = touched.into_iter().map(|touch| touch.path).collect();
        Ok(Deployed { release, differing, changed: true })
    }

    /// What whoever comes while another deploys is told.
    pub(crate) fn busy(&self) -> DeployError {
        DeployError::Busy(self.link.clone())
    }

    fn lock(&self) -> Result<File, DeployError> {
        fs::create_dir_all(&self.releases).map_err(failed("creating", &self.releases))?;
        let path = self.releases.join(".lock");
        let lock = File::create(&path).map_err(failed("creating", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => Err(self.busy()),
            Err(TryLockError::Error(source)) => Err(DeployError::Io { doing: "locking", path, source }),
        }
    }

    fn live_in_whole(&self) -> Result<Option<Live>, DeployError> {
        let Some(tree) = self.live_tree()? else { return Ok(None) };
        let release = self.history.release(tree.number)?;
        Ok(Some(Live { release, tree: self.releases.join(tree.to_string()) }))
    }

    /// What the link points to, refused when it is anything but one of this site's releases. None also where the release
    /// is gone.
    fn live_tree(&self) -> Result<Option<TreeName>, DeployError> {
        let occupied = || DeployError::Occupied(self.link.clone());
        let kind = match fs::symlink_metadata(&self.link) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed("reading", &self.link)(source)),
        };
        if kind.is_dir() {
            let mut entries = fs::read_dir(&self.link).map_err(failed("reading", &self.link))?;
            return if entries.next().is_none() { Ok(None) } else { Err(occupied()) };
        }
        if !kind.is_symlink() {
            return Err(occupied());
        }
        let target = fs::read_link(&self.link).map_err(failed("reading", &self.link))?;
        let name = target.file_name().and_then(|name| TreeName::parse(name.to_str()?)).ok_or_else(occupied)?;
        if self.link.with_file_name("").join(&target) != self.releases.join(name.to_string()) {
            return Err(occupied());
        }
        Ok(Some(name).filter(|_| self.link.is_dir()))
    }

    /// Removes what a deploy that did not come to its end has left, but for its tree: that one is not in the way.
    fn clear(&self, live: Option<u64>) -> Result<(), DeployError> {
        let entries = fs::read_dir(&self.releases).map_err(failed("reading", &self.releases))?;
        for entry in entries {
            let path = entry.map_err(failed("reading", &self.releases))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(".staging-") {
                fs::remove_dir_all(&path).map_err(failed("removing", &path))?;
            } else if name.starts_with(".link-") {
                fs::remove_file(&path).map_err(failed("removing", &path))?;
            } else if TreeName::parse(&name).is_some_and(|tree| live.is_none_or(|live| tree.number > live)) {
                // Complete, but never live: what was staged for it may not be what is staged now.
                fs::remove_dir_all(&path).map_err(failed("removing", &path))?;
            }
        }
        self.history.clear_after(live)
    }

    /// Points the link to `tree`. Readers that resolve the link see the old release or the new one, never neither.
    fn swap(&self, tree: &Path) -> Result<(), DeployError> {
        let next = self.releases.join(format!(".link-{}", uuid::Uuid::now_v7()));
        // Relative, so that the folder which holds both may be moved.
        let parts = [&self.releases, tree].map(|path| path.file_name().unwrap_or_default());
        let target: PathBuf = parts.into_iter().collect();
        std::os::unix::fs::symlink(target, &next).map_err(failed("linking", &next))?;
        if fs::symlink_metadata(&self.link).is_ok_and(|metadata| metadata.is_dir()) {
            // A link cannot replace a directory. This one is empty: nothing is removed that anybody could be reading.
            fs::remove_dir(&self.link).map_err(failed("removing", &self.link))?;
        }
        fs::rename(&next, &self.link).map_err(failed("replacing", &self.link))?;
        sync_folder(&self.link.with_file_name(""))
    }
}

enum Started {
    Live(Release),
    Staging(Box<Staging>, Vec<Image>),
}

/// The release that is going to be.
struct Next {
    extent: Extent,
    edition: String,
    artworks: u64,
    back_to: Option<u64>,
}

impl Next {
    fn release(self, before: Option<&Release>, touched: &[Touch], totals: Option<(u64, u64)>) -> Release {
        let sum = |lengths: &dyn Fn(&Touch) -> Option<u64>| {
            let lengths: Vec<u64> = touched.iter().filter_map(lengths).collect();
            (lengths.len() as u64, lengths.iter().sum::<u64>())
        };
        let (files_written, bytes_written) = sum(&|touch| touch.after.as_ref().map(|after| after.length));
        let (files_replaced, bytes_replaced) = sum(&|touch| touch.before);
        let (files_removed, _) = sum(&|touch| touch.before.filter(|_| touch.after.is_none()));
        let (files, bytes) = totals.unwrap_or_else(|| {
            let (files, bytes) = before.map_or((0, 0), |before| (before.files, before.bytes));
            // Somebody may have added to a file by hand: more may go than was counted.
            let left = |all: u64, gone: u64| all.saturating_sub(gone);
            (left(files + files_written, files_replaced), left(bytes + bytes_written, bytes_replaced))
        });
        let Self { extent: Extent { position, event }, edition, artworks, back_to } = self;
        Release {
            number: before.map_or(1, |before| before.number + 1),
            position,
            event,
            edition,
            artworks,
            made_at: OffsetDateTime::now_utc(),
            files,
            bytes,
            files_written,
            bytes_written,
            files_removed,
            back_to,
        }
    }
}

/// Brings the entries of a folder to the disk.
fn sync_folder(folder: &Path) -> Result<(), DeployError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("syncing", folder))
}

/// The length of a file, if there is one.
fn length(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
}

/// The same file under another name; where there are no links to be had, a copy of it.
fn share(old: &Path, new: &Path) -> Result<(), DeployError> {
    if fs::hard_link(old, new).is_err() {
        fs::copy(old, new).map_err(failed("copying to", new))?;
    }
    Ok(())
}

fn failed(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> DeployError {
    move |source| DeployError::Io { doing, path: path.to_owned(), source }
}

/// Runs what touches the disk where it may block. A panic there is a panic here.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Blocking tasks are never aborted; the runtime refuses them only while it shuts down, and then nobody
            // waits for this answer.
            Err(_) => std::future::pending().await,
        },
    }
}
