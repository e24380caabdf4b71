//! Deploying to a folder: a release is built beside the live one and swapped in by one `rename`.
//!
//! ```text
//! site            -> site.releases/00000000000000000042-1f3a9c02     what a web server serves
//! site.releases/00000000000000000042-1f3a9c02/                       position in the log, edition of the pages
//! site.releases/00000000000000000037-1f3a9c02/                       earlier releases, complete
//! site.releases/.building-<uuid>/                                    a release that is not finished
//! site.releases/.lock                                                one deploy at a time
//! ```
//!
//! A release gets its final name only once all of it is on the disk, and becomes live only after that. Whatever crashes
//! in between leaves the old release live and at worst a folder without a final name, which the next deploy removes.
//! Files that did not change are hard links to those of the release before: nothing inside a finished release is ever
//! opened for writing.

mod building;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::gallery::Image;
use crate::pages::{RenderError, Site};
use building::Building;

/// How many releases stay on disk, the live one among them.
const KEPT_RELEASES: usize = 3;

/// How many images are fetched at once; each is held in memory whole.
const FETCHES: usize = 4;

/// A folder that is served as a site.
#[derive(Clone, Debug)]
pub struct Folder {
    /// The symbolic link.
    link: PathBuf,
    releases: PathBuf,
}

/// What a deploy did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The live release.
    pub release: PathBuf,
    /// False when this very release was live already.
    pub changed: bool,
    /// All files of the release, pages and images.
    pub files: u64,
    /// Their length.
    pub bytes: u64,
    /// Those that are not shared with the release before.
    pub files_written: u64,
    /// Their length.
    pub bytes_written: u64,
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
        "position {asked} is older than what is live, {live}; to start again from an empty log, remove \"{releases}\""
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
    #[error("{doing} \"{path}\"")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

impl Folder {
    /// The folder at `path`, which need not exist. Its releases lie beside it, in `<path>.releases`.
    pub fn new(path: impl AsRef<Path>) -> Result<Self, DeployError> {
        let path = path.as_ref();
        let link = std::path::absolute(path).map_err(failed("resolving", path))?;
        let Some(name) = link.file_name() else {
            return Err(DeployError::Occupied(link));
        };
        let mut name = name.to_owned();
        name.push(".releases");
        Ok(Self { releases: link.with_file_name(name), link })
    }

    /// The position that is live, if any.
    pub fn live(&self) -> Result<Option<u64>, DeployError> {
        Ok(self.live_release()?.as_deref().and_then(position_of))
    }

    /// Makes `site` live as it is at `position` of the log. `fetch` gives the bytes of an image that no earlier release
    /// has; they are checked against their digest. Deploying what is live already changes nothing.
    ///
    /// Dropping the future leaves either the old or the new release live, both whole.
    pub async fn deploy<F, R>(&self, position: u64, site: Arc<Site>, fetch: F) -> Result<Deployed, DeployError>
    where
        F: Fn(Image) -> R,
        R: Future<Output = anyhow::Result<Bytes>>,
    {
        let (folder, start_site) = (self.clone(), Arc::clone(&site));
        let started = blocking(move || folder.start(position, &start_site)).await?;
        let (building, missing) = match started {
            Started::Live(deployed) => return Ok(deployed),
            Started::Building(building, missing) => (Arc::new(building), missing),
        };
        let mut fetched = stream::iter(missing)
            .map(|(path, image)| {
                let bytes = fetch(image.clone());
                async move {
                    match bytes.await {
                        Ok(bytes) => Ok((path, image, bytes)),
                        Err(source) => Err(DeployError::Fetch { key: image.key, source }),
                    }
                }
            })
            .buffer_unordered(FETCHES);
        // Written one after the other: when a fetch fails, no write is left that would keep the lock a little longer and
        // turn the next attempt away.
        while let Some((path, image, bytes)) = fetched.try_next().await? {
            let building = Arc::clone(&building);
            blocking(move || building.image(&path, &image, &bytes)).await?;
        }
        drop(fetched);
        let folder = self.clone();
        blocking(move || {
            for page in site.pages() {
                let page = page?;
                building.file(&page.path, &page.bytes)?;
            }
            folder.finish(&building)
        })
        .await
    }

    /// Takes the lock, clears away what a crash left, and links the images that are already on disk.
    fn start(&self, position: u64, site: &Site) -> Result<Started, DeployError> {
        fs::create_dir_all(&self.releases).map_err(failed("creating", &self.releases))?;
        let lock = self.lock()?;
        let live = self.live_release()?;
        if let Some(live) = live.as_deref().and_then(position_of).filter(|live| *live > position) {
            return Err(DeployError::Stale { asked: position, live, releases: self.releases.clone() });
        }
        self.remove_unfinished()?;
        let release = self.releases.join(format!("{position:020}-{}", site.edition()));
        if release.is_dir() {
            // Finished, but perhaps the crash came before the swap.
            let changed = live.as_ref() != Some(&release);
            if changed {
                self.swap(&release)?;
            }
            let (files, bytes) = measure(&release).map_err(failed("reading", &release))?;
            return Ok(Started::Live(Deployed { release, changed, files, bytes, files_written: 0, bytes_written: 0 }));
        }
        let building = Building::begin(&self.releases, release, live, lock)?;
        let mut missing = vec![];
        for (path, image) in site.images() {
            if !building.link_image(&path, image)? {
                missing.push((path, image.clone()));
            }
        }
        Ok(Started::Building(building, missing))
    }

    fn finish(&self, building: &Building) -> Result<Deployed, DeployError> {
        let deployed = building.complete()?;
        self.swap(&deployed.release)?;
        self.prune(&deployed.release);
        Ok(deployed)
    }

    fn lock(&self) -> Result<File, DeployError> {
        let path = self.releases.join(".lock");
        let lock = File::create(&path).map_err(failed("creating", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => Err(DeployError::Busy(self.link.clone())),
            Err(TryLockError::Error(source)) => Err(DeployError::Io { doing: "locking", path, source }),
        }
    }

    /// What the link points to, refused when it is anything but one of this site's releases.
    fn live_release(&self) -> Result<Option<PathBuf>, DeployError> {
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
        let release =
            target.file_name().map(|name| self.releases.join(name)).filter(|path| position_of(path).is_some());
        let inside = self.link.with_file_name("").join(&target);
        release.filter(|release| *release == inside).map(Some).ok_or_else(occupied)
    }

    fn remove_unfinished(&self) -> Result<(), DeployError> {
        let entries = fs::read_dir(&self.releases).map_err(failed("reading", &self.releases))?;
        for entry in entries {
            let path = entry.map_err(failed("reading", &self.releases))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(".building-") {
                fs::remove_dir_all(&path).map_err(failed("removing", &path))?;
            } else if name.starts_with(".link-") {
                fs::remove_file(&path).map_err(failed("removing", &path))?;
            }
        }
        Ok(())
    }

    /// Points the link to `release`. Readers that resolve the link see the old release or the new one, never neither.
    fn swap(&self, release: &Path) -> Result<(), DeployError> {
        let next = self.releases.join(format!(".link-{}", uuid::Uuid::now_v7()));
        // Relative, so that the folder which holds both may be moved.
        let parts = [&self.releases, release].map(|path| path.file_name().unwrap_or_default());
        let target: PathBuf = parts.into_iter().collect();
        std::os::unix::fs::symlink(target, &next).map_err(failed("linking", &next))?;
        if fs::symlink_metadata(&self.link).is_ok_and(|metadata| metadata.is_dir()) {
            // A link cannot replace a directory. This one is empty: nothing is removed that anybody could be reading.
            fs::remove_dir(&self.link).map_err(failed("removing", &self.link))?;
        }
        fs::rename(&next, &self.link).map_err(failed("replacing", &self.link))?;
        let parent = self.link.with_file_name("");
        File::open(&parent).and_then(|directory| directory.sync_all()).map_err(failed("syncing", &parent))
    }

    /// Removes all but the newest releases. What cannot be removed is reported and tried again after the next deploy:
    /// the site is live by now.
    fn prune(&self, live: &Path) {
        let entries = fs::read_dir(&self.releases).into_iter().flatten().flatten();
        let mut old: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| path != live && position_of(path).is_some()).collect();
        old.sort();
        let surplus = old.len().saturating_sub(KEPT_RELEASES - 1);
        for path in &old[..surplus] {
            if let Err(error) = fs::remove_dir_all(path) {
                tracing::warn!(path = %path.display(), %error, "an old release could not be removed");
            }
        }
    }
}

enum Started {
    Live(Deployed),
    Building(Building, Vec<(String, Image)>),
}

/// The position in the name of a finished release.
fn position_of(release: &Path) -> Option<u64> {
    let (position, edition) = release.file_name()?.to_str()?.split_once('-')?;
    let well_formed = position.len() == 20 && edition.bytes().all(|byte| byte.is_ascii_hexdigit());
    position.parse().ok().filter(|_| well_formed)
}

/// Files below `folder`, and their bytes.
fn measure(folder: &Path) -> io::Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
                bytes += metadata.len();
            }
        }
    }
    Ok((files, bytes))
}

fn failed(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> DeployError {
    move |source| DeployError::Io { doing, path: path.to_owned(), source }
}

/// Runs what touches the disk where it may block. A panic there is a panic here.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
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
