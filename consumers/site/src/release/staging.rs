//! What is going to be changed, beside the trees: nothing of it can be seen, and nothing is lost when it fails.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::tree::files_below;
use super::{Compare, DeployError, Live, failed, length, share};
use crate::assets::hex;
use crate::gallery::Image;
use crate::pages::{Page, Site, Work, media_path};
use crate::untrusted::is_safe_path;

/// Files that are worth a thread.
const FILES_A_THREAD: usize = 64;

/// A path that differs from what is live.
#[derive(Clone, Debug)]
pub(super) struct Touch {
    pub path: String,
    /// The length of what is live there, if anything is.
    pub before: Option<u64>,
    /// None: it is removed.
    pub after: Option<Staged>,
}

/// A file that is going to be moved to its place.
#[derive(Clone, Debug)]
pub(super) struct Staged {
    pub file: PathBuf,
    pub length: u64,
}

/// Holds the lock until it is dropped, so that a task which outlives a cancelled deploy can never write while the next one
/// clears up.
#[derive(Debug)]
pub(super) struct Staging {
    folder: PathBuf,
    live: Option<Live>,
    work: Work,
    touched: Mutex<Vec<Touch>>,
    staged: AtomicUsize,
    /// Whether all files are looked at, and not only what has changed.
    whole: bool,
    files: AtomicU64,
    bytes: AtomicU64,
    _lock: File,
}

impl Staging {
    /// Nothing is staged yet.
    pub(super) fn empty(releases: &Path, live: Option<Live>, lock: File) -> Result<Self, DeployError> {
        let folder = releases.join(format!(".staging-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&folder).map_err(failed("creating", &folder))?;
        Ok(Self {
            folder,
            live,
            work: Work::default(),
            touched: Mutex::default(),
            staged: AtomicUsize::new(0),
            whole: false,
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            _lock: lock,
        })
    }

    /// Begins to stage what is to be looked at. Answers the images that have to be fetched.
    pub(super) fn begin(
        releases: &Path,
        live: Option<Live>,
        lock: File,
        work: Work,
        compare: Compare,
        site: &Site,
    ) -> Result<(Self, Vec<Image>), DeployError> {
        let mut staging = Self::empty(releases, live, lock)?;
        staging.work = work;
        let number = staging.live().map(|live| live.release.number);
        staging.whole = !matches!(compare, Compare::Since(since) if number.is_some() && since == number);
        if staging.whole
            && let Some(live) = staging.live()
        {
            let pages = staging.work.files.iter().map(|file| site.path(*file));
            let expected: HashSet<String> =
                pages.chain(staging.work.images.iter().map(|image| media_path(&image.key))).collect();
            let strays = files_below(&live.tree)?.into_iter().filter(|path| !expected.contains(path)).collect();
            staging.work.gone = strays;
        }
        for path in &staging.work.gone {
            staging.touch(path.clone(), None);
        }
        let by_length = staging.whole && compare != Compare::Everything;
        let images = std::mem::take(&mut staging.work.images);
        for image in &images {
            staging.count(image.length);
        }
        let missing = images.into_iter().filter(|image| !staging.has(image, by_length)).collect();
        Ok((staging, missing))
    }

    /// What is live.
    pub(super) fn live(&self) -> Option<&Live> {
        self.live.as_ref()
    }

    /// Stages a fetched image once its bytes are what they should be.
    pub(super) fn image(&self, image: &Image, bytes: &[u8]) -> Result<(), DeployError> {
        let found = hex(&Sha256::digest(bytes));
        if !found.eq_ignore_ascii_case(&image.sha256) {
            return Err(DeployError::Digest { key: image.key.clone(), expected: image.sha256.clone(), found });
        }
        self.put(media_path(&image.key), bytes)
    }

    /// Renders what is to be looked at, and stages what differs from what is live.
    pub(super) fn render(&self, site: &Site) -> Result<(), DeployError> {
        let files = &self.work.files;
        let next = AtomicUsize::new(0);
        let work = || -> Result<(), DeployError> {
            while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Page { path, bytes } = site.render(*file)?;
                self.count(bytes.len() as u64);
                let same = |old: PathBuf| {
                    length(&old) == Some(bytes.len() as u64) && fs::read(&old).is_ok_and(|old| old == bytes)
                };
                if !self.old(&path).is_some_and(same) {
                    self.put(path, &bytes)?;
                }
            }
            Ok(())
        };
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = processors.min(files.len() / FILES_A_THREAD).max(1);
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let own = work();
            others.into_iter().fold(own, |done, other| {
                done.and(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            })
        })
    }

    /// Stages the file as it was before, or its removal.
    pub(super) fn put_back(&self, path: &str, before: Option<&Path>) -> Result<(), DeployError> {
        let Some(before) = before else {
            self.touch(path.to_owned(), None);
            return Ok(());
        };
        let read = |path: &Path| fs::read(path).map_err(failed("reading", path));
        let length = length(before).unwrap_or_default();
        if let Some(old) = self.old(path)
            && super::length(&old) == Some(length)
            && read(&old)? == read(before)?
        {
            return Ok(());
        }
        let file = self.next_file();
        share(before, &file)?;
        self.touch(path.to_owned(), Some(Staged { file, length }));
        Ok(())
    }

    /// What differs from what is live, by path.
    pub(super) fn touched(&self) -> Result<Vec<Touch>, DeployError> {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner).clone();
        touched.sort_by(|a, b| a.path.cmp(&b.path));
        if let Some(twice) = touched.windows(2).find(|pair| pair[0].path == pair[1].path) {
            return Err(DeployError::Twice(twice[0].path.clone()));
        }
        Ok(touched)
    }

    /// How many files the release has, and their length; none where only those were looked at that have changed.
    pub(super) fn totals(&self) -> Option<(u64, u64)> {
        let [files, bytes] = [&self.files, &self.bytes].map(|sum| sum.load(Ordering::Relaxed));
        Some((files, bytes)).filter(|_| self.whole)
    }

    fn count(&self, length: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(length, Ordering::Relaxed);
    }

    /// Whether the image is live.
    fn has(&self, image: &Image, by_length: bool) -> bool {
        let Some(old) = self.old(&media_path(&image.key)) else { return false };
        let matches = |bytes: Vec<u8>| hex(&Sha256::digest(bytes)).eq_ignore_ascii_case(&image.sha256);
        length(&old) == Some(image.length) && (by_length || fs::read(&old).is_ok_and(matches))
    }

    fn old(&self, path: &str) -> Option<PathBuf> {
        self.live.as_ref().map(|live| live.tree.join(path))
    }

    fn put(&self, path: String, bytes: &[u8]) -> Result<(), DeployError> {
        if !is_safe_path(&path) {
            return Err(DeployError::Path(path));
        }
        let file = self.next_file();
        let mut created =
            OpenOptions::new().write(true).create_new(true).open(&file).map_err(failed("creating", &file))?;
        created.write_all(bytes).map_err(failed("writing", &file))?;
        self.touch(path, Some(Staged { file, length: bytes.len() as u64 }));
        Ok(())
    }

    /// A removal of what is not there is nothing.
    fn touch(&self, path: String, after: Option<Staged>) {
        let before = self.old(&path).as_deref().and_then(length);
        if before.is_some() || after.is_some() {
            // A panic elsewhere cannot leave a list of paths half changed.
            self.touched.lock().unwrap_or_else(PoisonError::into_inner).push(Touch { path, before, after });
        }
    }

    fn next_file(&self) -> PathBuf {
        self.folder.join(self.staged.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

impl Drop for Staging {
    /// What was staged has been moved away, or is not needed. What cannot be removed is removed by the next deploy.
    fn drop(&mut self) {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.folder.display(), %error, "what was staged could not be removed");
            }
            _ => {}
        }
    }
}
