//! The live release, held still while it is brought elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::history::{History, Release};
use super::tree::files_below;
use super::{DeployError, Folder, blocking, failed, length};

/// Which release it is, of which there is one: numbers begin again when somebody starts from nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Counts from 1.
    pub number: u64,
    /// It shows the log up to here.
    pub position: u64,
    /// Of templates, settings and program.
    pub edition: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub made_at: OffsetDateTime,
}

impl From<&Release> for Identity {
    fn from(release: &Release) -> Self {
        let Release { number, position, edition, made_at, .. } = release;
        Self { number: *number, position: *position, edition: edition.clone(), made_at: *made_at }
    }
}

/// The live release. While this is held no deploy begins: its files are there, and are what they are.
#[derive(Debug)]
pub struct Held {
    release: Release,
    tree: PathBuf,
    history: History,
    _lock: File,
}

impl Folder {
    /// Holds what is live, if anything is.
    pub async fn hold(&self) -> Result<Option<Held>, DeployError> {
        let folder = self.clone();
        blocking(move || {
            let lock = folder.lock()?;
            let Some(live) = folder.live_in_whole()? else { return Ok(None) };
            Ok(Some(Held { release: live.release, tree: live.tree, history: folder.history.clone(), _lock: lock }))
        })
        .await
    }

    /// A place beside the releases, for what is known of where they are brought.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.releases.join(name)
    }
}

impl Held {
    /// Which it is.
    #[must_use]
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// Where its files are. They are shared with other releases: nobody writes there.
    #[must_use]
    pub fn tree(&self) -> &Path {
        &self.tree
    }

    /// The paths in which it may differ from an earlier release; none where that is not known.
    pub fn touched_since(&self, earlier: &Identity) -> Result<Option<BTreeSet<String>>, DeployError> {
        let live = self.release.number;
        if earlier.number > live || earlier.number < self.history.oldest(live)? {
            return Ok(None);
        }
        if Identity::from(&self.history.release(earlier.number)?) != *earlier {
            return Ok(None);
        }
        self.history.touched_since(earlier.number, live)
    }

    /// All its paths.
    pub fn paths(&self) -> Result<Vec<String>, DeployError> {
        files_below(&self.tree)
    }

    /// All its paths with the lengths of their files. Blocks.
    pub(crate) fn lengths(&self) -> Result<BTreeMap<String, u64>, DeployError> {
        let paths = self.paths()?.into_iter();
        Ok(paths.filter_map(|path| self.length(&path).map(|length| (path, length))).collect())
    }

    /// The length of a file; none where there is no such file.
    #[must_use]
    pub fn length(&self, path: &str) -> Option<u64> {
        length(&self.tree.join(path))
    }

    /// A file's bytes. Blocks.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, DeployError> {
        let path = self.tree.join(path);
        fs::read(&path).map_err(failed("reading", &path))
    }
}

/// What was written there by [`keep`]; none where nothing was.
pub(crate) fn kept(path: &Path) -> Result<Option<Vec<u8>>, DeployError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("reading", path)(error)),
    }
}

/// Writes it so that a crash leaves what was there before, or this.
pub(crate) fn keep(path: &Path, bytes: &[u8]) -> Result<(), DeployError> {
    let next = path.with_extension("next");
    fs::write(&next, bytes).map_err(failed("writing", &next))?;
    File::open(&next).and_then(|file| file.sync_all()).map_err(failed("syncing", &next))?;
    fs::rename(&next, path).map_err(failed("renaming", path))
}
