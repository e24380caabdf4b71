//! A bucket that serves the files. It cannot take a release as one step, so files come in the order in which nothing leads
//! to what is not there yet, `release.json` says last which release that was, and what the release has no more goes later.
//!
//! ```text
//! <prefix>/assets/…, media/…     first: nothing leads to them yet
//! <prefix>/artworks/…            then what leads to them, and so on: see `served.rs`
//! <prefix>/index.html
//! <prefix>/release.json          which release all of it is
//! ```
//!
//! What is put carries its SHA-256 as metadata. A file without it is none of ours: it is never deleted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atelier_events::blobs::{Entry, Served, StoreSettings, sha256};
use atelier_events::{BlobError, Blobs};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use md5::{Digest as _, Md5};
use time::OffsetDateTime;

use super::record::{Record, Since};
use super::served::{Kind, cache_control, media_type};
use super::settings::BucketSettings;
use super::{Look, Needed, TargetError};
use crate::assets::hex;
use crate::release::{Held, Identity, blocking};

/// What says which release the bucket has.
pub const POINTER: &str = "release.json";
/// It is read whole.
const POINTER_MAX_BYTES: u64 = 16 * 1024;
/// Requests under way at once; each holds one file in memory.
const PARALLEL: usize = 8;

#[derive(Debug)]
pub(super) struct Bucket {
    blobs: Blobs,
    /// Empty, or ends with a slash.
    prefix: String,
    identity: String,
    grace: Duration,
    max_deletes: usize,
}

/// What has been put, over all tries of one deploy.
#[derive(Debug, Default)]
pub(super) struct Done {
    paths: Mutex<HashMap<String, u64>>,
}

impl Done {
    fn has(&self, path: &str) -> bool {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner).contains_key(path)
    }

    fn add(&self, path: String, length: u64) {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner).insert(path, length);
    }

    pub(super) fn paths(&self) -> BTreeSet<String> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Files, and bytes in them.
    pub(super) fn sum(&self) -> (u64, u64) {
        let paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        (paths.len() as u64, paths.values().sum())
    }
}

impl Bucket {
    pub(super) fn new(settings: &BucketSettings, store: &StoreSettings) -> Result<Self, TargetError> {
        let (store, prefix) = settings.store(store)?;
        Ok(Self {
            identity: format!("bucket {}/{}/{prefix}", store.endpoint, store.bucket),
            blobs: Blobs::connect(&store),
            prefix,
            grace: Duration::from_millis(settings.grace_ms),
            max_deletes: settings.max_deletes,
        })
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// Which release it says that it has. None where it says nothing that is understood.
    pub(super) async fn has(&self) -> Result<Option<Identity>, TargetError> {
        match self.blobs.get(&self.key(POINTER), POINTER_MAX_BYTES).await {
            Ok(text) => Ok(serde_json::from_slice(&text).ok()),
            Err(BlobError::NotFound { .. } | BlobError::TooLarge { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Everything that is there, compared with everything that should be. Of files whose names change with their bytes
    /// the length tells enough, unless each byte is asked about.
    pub(super) async fn compare(&self, held: &Arc<Held>, look: Look) -> Result<Needed, TargetError> {
        let mut there = self.list().await?;
        let still = Arc::clone(held);
        let paths = blocking(move || still.paths()).await?;
        let mut needed = Needed::default();
        let mut doubtful = Vec::new();
        for path in paths {
            let Some(entry) = there.remove(&path) else {
                needed.puts.insert(path);
                continue;
            };
            if held.length(&path) != Some(entry.length) {
                needed.puts.insert(path);
            } else if look == Look::Everything || !matches!(Kind::of(&path), Kind::Assets | Kind::Media) {
                doubtful.push((path, entry));
            }
        }
        let differing = stream::iter(doubtful)
            .map(|(path, entry)| async move {
                Ok::<_, TargetError>((!self.is_same(held, &path, &entry).await?).then_some(path))
            })
            .buffer_unordered(PARALLEL)
            .try_filter_map(|path| future::ready(Ok(path)));
        needed.puts.extend(differing.try_collect::<Vec<_>>().await?);
        let ours = stream::iter(there.into_keys())
            .map(|path| async move { Ok::<_, TargetError>(self.is_ours(&path).await?.then_some(path)) })
            .buffer_unordered(PARALLEL)
            .try_filter_map(|path| future::ready(Ok(path)));
        needed.gone.extend(ours.try_collect::<Vec<_>>().await?);
        Ok(needed)
    }

    /// Puts the files, those that lead to others after them. What is done already is not done again.
    pub(super) async fn put(&self, held: &Arc<Held>, needed: &Needed, done: &Done) -> Result<(), TargetError> {
        for kind in Kind::ALL {
            let paths: Vec<String> =
                needed.puts.iter().filter(|path| Kind::of(path) == kind && !done.has(path)).cloned().collect();
            stream::iter(paths)
                .map(|path| async move {
                    let (still, read) = (Arc::clone(held), path.clone());
                    let bytes = Bytes::from(blocking(move || still.read(&read)).await?);
                    let length = bytes.len() as u64;
                    let served = Served { media_type: media_type(&path), cache_control: cache_control(&path) };
                    self.blobs.put_served(&self.key(&path), bytes, served).await?;
                    done.add(path, length);
                    Ok::<_, TargetError>(())
                })
                .buffer_unordered(PARALLEL)
                .try_collect::<()>()
                .await?;
        }
        Ok(())
    }

    /// Says which release all that is there is. From now on it is this one.
    pub(super) async fn point(&self, to: &Identity) -> Result<(), TargetError> {
        let served = Served { media_type: "application/json", cache_control: cache_control(POINTER) };
        let text = serde_json::to_vec(to)?;
        Ok(self.blobs.put_served(&self.key(POINTER), text.into(), served).await?)
    }

    /// Deletes what has been left for long enough, and nothing that the live release has. Answers how many that were.
    pub(super) async fn sweep(
        &self,
        held: &Held,
        record: &mut Record,
        now: OffsetDateTime,
    ) -> Result<u64, TargetError> {
        record.leaving.retain(|path, _| held.length(path).is_none());
        let is_due = |since: &Since| since.0 + self.grace <= now;
        let due: Vec<String> =
            record.leaving.iter().filter(|(_, since)| is_due(since)).map(|(path, _)| path.clone()).collect();
        if due.len() > self.max_deletes {
            tracing::warn!(
                files = due.len(),
                max_deletes = self.max_deletes,
                site.target = self.identity,
                "nothing is deleted at the target: more files are to go than site.target.bucket.max_deletes allows. The \
                 site is whole without that. If it is meant, raise the setting to that many for one deploy"
            );
            return Ok(0);
        }
        stream::iter(due.clone())
            .map(|path| async move { self.blobs.delete(&self.key(&path)).await })
            .buffer_unordered(PARALLEL)
            .try_collect::<()>()
            .await?;
        for path in &due {
            record.leaving.remove(path);
        }
        Ok(due.len() as u64)
    }

    /// When there will be something to delete; none where nothing is left, or too much.
    pub(super) fn next_sweep(&self, record: &Record) -> Option<OffsetDateTime> {
        let first = record.leaving.values().map(|since| since.0 + self.grace).min()?;
        (record.leaving.len() <= self.max_deletes).then_some(first)
    }

    /// What lies there by its path in the site, but for the pointer.
    async fn list(&self) -> Result<BTreeMap<String, Entry>, TargetError> {
        let (mut there, mut next) = (BTreeMap::new(), None);
        loop {
            let page = self.blobs.page(&self.prefix, next).await?;
            for entry in page.entries {
                let path = entry.key.strip_prefix(&self.prefix).filter(|path| *path != POINTER);
                if let Some(path) = path.map(str::to_owned) {
                    there.insert(path, entry);
                }
            }
            next = page.next;
            if next.is_none() {
                return Ok(there);
            }
        }
    }

    /// Whether the bytes there are those of the release. The tag of most stores is the MD5; otherwise our own digest says.
    async fn is_same(&self, held: &Arc<Held>, path: &str, entry: &Entry) -> Result<bool, TargetError> {
        let (still, read) = (Arc::clone(held), path.to_owned());
        let tag = entry.etag.clone().filter(|tag| tag.len() == 32 && tag.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let (by_tag, sha256) = blocking(move || {
            let bytes = still.read(&read)?;
            let by_tag = tag.is_some_and(|tag| hex(&Md5::digest(&bytes)).eq_ignore_ascii_case(&tag));
            Ok::<_, TargetError>((by_tag, sha256(&bytes)))
        })
        .await?;
        // A tag that differs proves nothing: where the store encrypts, it is no MD5 though it looks like one.
        Ok(by_tag
            || self.blobs.head(&self.key(path)).await?.and_then(|head| head.sha256).is_some_and(|own| own == sha256))
    }

    async fn is_ours(&self, path: &str) -> Result<bool, TargetError> {
        Ok(self.blobs.head(&self.key(path)).await?.is_some_and(|head| head.sha256.is_some()))
    }

    fn key(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}
