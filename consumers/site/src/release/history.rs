//! What each release changed, and the files as they were before: the way back, and what another tree lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::staging::Touch;
use super::{DeployError, failed, share};

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Counts from 1.
    pub number: u64,
    /// It shows the log up to here.
    pub position: u64,
    /// The event there: another log, or one that went another way since a backup, has another. Nil where it is not known.
    #[serde(default)]
    pub event: Uuid,
    /// Of templates, settings and program; see [`crate::pages::Site::edition`].
    pub edition: String,
    /// How many artworks it shows.
    pub artworks: u64,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub made_at: OffsetDateTime,
    /// All its files, pages and images.
    pub files: u64,
    /// Their length.
    pub bytes: u64,
    /// Those that are not those of the release before.
    pub files_written: u64,
    /// Their length.
    pub bytes_written: u64,
    /// Those of the release before that it has not.
    pub files_removed: u64,
    /// It is an earlier release, made live again.
    pub back_to: Option<u64>,
}

/// A path in which a release differs from the one before.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Touched {
    path: String,
    /// Whether the release before had it: it lies beside the list then, under its place in the list.
    before: bool,
}

/// A folder for each release, named by its number.
#[derive(Clone, Debug)]
pub(super) struct History {
    folder: PathBuf,
    /// How many releases can be gone back.
    kept: u64,
}

impl History {
    pub(super) fn new(releases: &Path, kept: u32) -> Self {
        Self { folder: releases.join("history"), kept: kept.into() }
    }

    /// What is known of a release.
    pub(super) fn release(&self, number: u64) -> Result<Release, DeployError> {
        self.read(&self.of(number).join("release.json"))
    }

    /// The oldest release to which there is a way back from the live one; that one itself, where there is none.
    pub(super) fn oldest(&self, live: u64) -> Result<u64, DeployError> {
        let numbers: BTreeSet<u64> = self.numbers()?.into_iter().collect();
        Ok((1..=live).rev().take_while(|number| numbers.contains(number)).last().unwrap_or(live))
    }

    /// Writes down a release before it is made. What was before is linked from the live tree; for a repair, which restores
    /// what had been there, from what is staged.
    pub(super) fn record(
        &self,
        release: &Release,
        live: Option<&Path>,
        touched: &[Touch],
        repair: bool,
    ) -> Result<(), DeployError> {
        let folder = self.of(release.number);
        fs::create_dir_all(&folder).map_err(failed("creating", &folder))?;
        let mut list = Vec::new();
        // Before the first release there is nothing.
        for (index, touch) in touched.iter().enumerate().filter(|_| live.is_some()) {
            let before = match (live, &touch.after) {
                (_, after) if repair => after.as_ref().map(|staged| staged.file.clone()),
                (Some(live), _) => touch.before.map(|_| live.join(&touch.path)),
                (None, _) => None,
            };
            if let Some(before) = &before {
                share(before, &folder.join(index.to_string()))?;
            }
            list.push(Touched { path: touch.path.clone(), before: before.is_some() });
        }
        write(&folder.join("touched.json"), &list)?;
        write(&folder.join("release.json"), release)
    }

    /// The paths in which `live` differs from an earlier release; none where that is not known any more.
    pub(super) fn touched_since(&self, earlier: u64, live: u64) -> Result<Option<BTreeSet<String>>, DeployError> {
        if earlier > live || earlier + 1 < self.oldest(live)? {
            return Ok(None);
        }
        let mut paths = BTreeSet::new();
        for number in earlier + 1..=live {
            paths.extend(self.touched(number)?.into_iter().map(|touched| touched.path));
        }
        Ok(Some(paths))
    }

    /// The files of an earlier release in the paths in which `live` may differ from it; none: it had no such file.
    pub(super) fn before(&self, earlier: u64, live: u64) -> Result<BTreeMap<String, Option<PathBuf>>, DeployError> {
        let mut files = BTreeMap::new();
        for number in earlier + 1..=live {
            for (index, Touched { path, before }) in self.touched(number)?.into_iter().enumerate() {
                // The first that touched it is the one that found it as it was.
                files.entry(path).or_insert_with(|| before.then(|| self.of(number).join(index.to_string())));
            }
        }
        Ok(files)
    }

    /// Forgets what was written down and never went live.
    pub(super) fn clear_after(&self, live: Option<u64>) -> Result<(), DeployError> {
        for number in self.numbers()?.into_iter().filter(|number| live.is_none_or(|live| *number > live)) {
            let folder = self.of(number);
            fs::remove_dir_all(&folder).map_err(failed("removing", &folder))?;
        }
        Ok(())
    }

    /// Forgets what is too old. What cannot be removed is reported and tried again after the next deploy: the site is
    /// live by now.
    pub(super) fn prune(&self, live: u64) {
        for number in self.numbers().into_iter().flatten().filter(|number| number + self.kept < live) {
            let folder = self.of(number);
            if let Err(error) = fs::remove_dir_all(&folder) {
                tracing::warn!(path = %folder.display(), %error, "an old release could not be removed");
            }
        }
    }

    fn touched(&self, number: u64) -> Result<Vec<Touched>, DeployError> {
        self.read(&self.of(number).join("touched.json"))
    }

    fn of(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:010}"))
    }

    fn numbers(&self) -> Result<Vec<u64>, DeployError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            entries => entries.map_err(failed("reading", &self.folder))?,
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed("reading", &self.folder))?.file_name();
            numbers.extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        Ok(numbers)
    }

    fn read<T: DeserializeOwned>(&self, path: &Path) -> Result<T, DeployError> {
        let text = fs::read(path).map_err(failed("reading", path))?;
        let damaged =
            |source| DeployError::Damaged { path: path.to_owned(), releases: self.folder.with_file_name(""), source };
        serde_json::from_slice(&text).map_err(damaged)
    }
}

fn write(path: &Path, value: &impl Serialize) -> Result<(), DeployError> {
    let text = serde_json::to_vec(value).map_err(|error| failed("writing", path)(error.into()))?;
    fs::write(path, text).map_err(failed("writing", path))
}
