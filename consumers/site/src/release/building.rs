//! A release on its way to disk.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use super::{DeployError, Deployed, failed};
use crate::assets::hex;
use crate::gallery::Image;
use crate::untrusted::is_safe_path;

/// An unfinished release. Holds the lock until it is dropped, so that a task which outlives a cancelled deploy can never
/// write while the next one clears up.
#[derive(Debug)]
pub(super) struct Building {
    folder: PathBuf,
    release: PathBuf,
    /// The live release, whose unchanged files are shared.
    before: Option<PathBuf>,
    /// Folders that exist below `folder`.
    folders: Mutex<HashSet<PathBuf>>,
    files: AtomicU64,
    bytes: AtomicU64,
    files_written: AtomicU64,
    bytes_written: AtomicU64,
    _lock: File,
}

impl Building {
    pub(super) fn begin(
        releases: &Path,
        release: PathBuf,
        before: Option<PathBuf>,
        lock: File,
    ) -> Result<Self, DeployError> {
        let folder = releases.join(format!(".building-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&folder).map_err(failed("creating", &folder))?;
        Ok(Self {
            folder,
            release,
            before,
            folders: Mutex::default(),
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            files_written: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            _lock: lock,
        })
    }

    /// Shares the image with the release before, where it is there. Its bytes need no look: its key is immutable, and it
    /// was checked when it was fetched.
    pub(super) fn link_image(&self, path: &str, image: &Image) -> Result<bool, DeployError> {
        let Some(old) = self.old(path).filter(|old| length(old) == Some(image.length)) else {
            return Ok(false);
        };
        let new = self.place(path)?;
        if fs::hard_link(&old, &new).is_err() {
            // Fetched again: the file system has no links, or this file has as many as it may have.
            return Ok(false);
        }
        self.count(image.length, false);
        Ok(true)
    }

    /// Writes a fetched image once its bytes are what they should be.
    pub(super) fn image(&self, path: &str, image: &Image, bytes: &[u8]) -> Result<(), DeployError> {
        let found = hex(&Sha256::digest(bytes));
        if !found.eq_ignore_ascii_case(&image.sha256) {
            return Err(DeployError::Digest { key: image.key.clone(), expected: image.sha256.clone(), found });
        }
        self.write(path, bytes)
    }

    /// Shares the file with the release before when it has the same bytes, and writes it otherwise.
    pub(super) fn file(&self, path: &str, bytes: &[u8]) -> Result<(), DeployError> {
        let length_of_new = bytes.len() as u64;
        let unchanged = |old: &PathBuf| {
            length(old) == Some(length_of_new) && fs::read(old).is_ok_and(|old_bytes| old_bytes == bytes)
        };
        if let Some(old) = self.old(path).filter(unchanged) {
            let new = self.place(path)?;
            match fs::hard_link(&old, &new) {
                Ok(()) => {
                    self.count(length_of_new, false);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(DeployError::Twice(path.to_owned()));
                }
                // No links to be had here: a copy serves as well.
                Err(_) => {}
            }
        }
        self.write(path, bytes)
    }

    /// Brings everything to the disk and gives the release its name.
    pub(super) fn complete(&self) -> Result<Deployed, DeployError> {
        // One call for the whole file system: a sync per file and folder of a release of ten thousand pages would take
        // minutes, since each of its folders is new even where its files are not.
        let folder = File::open(&self.folder).map_err(failed("opening", &self.folder))?;
        sync(&folder).map_err(failed("syncing", &self.folder))?;
        fs::rename(&self.folder, &self.release).map_err(failed("naming", &self.release))?;
        let releases = self.release.with_file_name("");
        File::open(&releases).and_then(|directory| directory.sync_all()).map_err(failed("syncing", &releases))?;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Ok(Deployed {
            release: self.release.clone(),
            changed: true,
            files: read(&self.files),
            bytes: read(&self.bytes),
            files_written: read(&self.files_written),
            bytes_written: read(&self.bytes_written),
        })
    }

    fn old(&self, path: &str) -> Option<PathBuf> {
        self.before.as_ref().map(|before| before.join(path))
    }

    /// Where `path` goes, its folders made.
    fn place(&self, path: &str) -> Result<PathBuf, DeployError> {
        if !is_safe_path(path) {
            return Err(DeployError::Path(path.to_owned()));
        }
        let place = self.folder.join(path);
        let parent = place.with_file_name("");
        // A panic elsewhere cannot leave a set of paths half changed.
        let mut folders = self.folders.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !folders.contains(&parent) {
            fs::create_dir_all(&parent).map_err(failed("creating", &parent))?;
            folders.insert(parent);
        }
        Ok(place)
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), DeployError> {
        let place = self.place(path)?;
        // Never an existing file: it could be one that a live release shares.
        let created = OpenOptions::new().write(true).create_new(true).open(&place);
        let mut file = match created {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(DeployError::Twice(path.to_owned()));
            }
            created => created.map_err(failed("creating", &place))?,
        };
        file.write_all(bytes).map_err(failed("writing", &place))?;
        self.count(bytes.len() as u64, true);
        Ok(())
    }

    fn count(&self, bytes: u64, written: bool) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if written {
            self.files_written.fetch_add(1, Ordering::Relaxed);
            self.bytes_written.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

fn length(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
}

#[cfg(target_os = "linux")]
fn sync(folder: &File) -> io::Result<()> {
    Ok(rustix::fs::syncfs(folder)?)
}

#[cfg(not(target_os = "linux"))]
fn sync(_folder: &File) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}
