//! A folder of a benchmark's own.

use std::path::PathBuf;

use anyhow::Context as _;
use uuid::Uuid;

/// A folder that is gone with the value.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    /// Makes one where the system keeps what is not meant to last.
    pub(super) fn create() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("atelier-bench-{}", Uuid::now_v7().simple()));
        std::fs::create_dir(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "could not be removed");
        }
    }
}
